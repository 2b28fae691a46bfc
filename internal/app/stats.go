package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/pipeline"
)

// A figure is one number that a stage counts, as a metric.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(pipeline.Stats) float64
}

// A collector exposes what the stages count, read when it is asked for.
type collector struct {
	stats   func() pipeline.Stats
	figures []figure
}

// newCollector lists the figures. The names are eddy_STAGE_NOUN.
func newCollector(stats func() pipeline.Stats) *collector {
	c := &collector{stats: stats}
	counter := func(name, help string, value func(pipeline.Stats) uint64) {
		c.figures = append(c.figures, figure{
			prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue,
			func(s pipeline.Stats) float64 { return float64(value(s)) },
		})
	}
	gauge := func(name, help string, value func(pipeline.Stats) int) {
		c.figures = append(c.figures, figure{
			prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue,
			func(s pipeline.Stats) float64 { return float64(value(s)) },
		})
	}
	counter("eddy_request_spans_total", "Spans taken into requests.", func(s pipeline.Stats) uint64 { return s.Request.Spans })
	counter("eddy_request_requests_total", "Requests that were completed.", func(s pipeline.Stats) uint64 { return s.Request.Requests })
	counter("eddy_request_late_spans_total", "Spans that came after their trace was released; they are stored, not analysed.", func(s pipeline.Stats) uint64 { return s.Request.Late })
	counter("eddy_request_duplicate_spans_total", "Spans that were sent more than once.", func(s pipeline.Stats) uint64 { return s.Request.Duplicates })
	counter("eddy_request_refused_spans_total", "Spans left out of the analysis because a bound was hit; they are stored.", func(s pipeline.Stats) uint64 { return s.Request.Refused })
	counter("eddy_request_truncated_spans_total", "Spans left out of traces that were too long.", func(s pipeline.Stats) uint64 { return s.Request.TruncatedSpans })
	counter("eddy_request_early_traces_total", "Traces released before their time, to make room.", func(s pipeline.Stats) uint64 { return s.Request.EarlyTraces })
	counter("eddy_request_orphan_traces_total", "Traces whose root never came.", func(s pipeline.Stats) uint64 { return s.Request.OrphanTraces })
	counter("eddy_request_missing_parents_total", "Spans whose parent never came.", func(s pipeline.Stats) uint64 { return s.Request.MissingParents })
	counter("eddy_request_skewed_spans_total", "Spans that begin before their parent or end long after it.", func(s pipeline.Stats) uint64 { return s.Request.Skewed })
	gauge("eddy_request_open_traces", "Traces that are not complete.", func(s pipeline.Stats) int { return s.Request.OpenTraces })
	gauge("eddy_request_held_spans", "Spans held in memory.", func(s pipeline.Stats) int { return s.Request.HeldSpans })
	counter("eddy_condition_truncated_total", "Observations with more conditions than are kept.", func(s pipeline.Stats) uint64 { return s.Stamper.Truncated })
	counter("eddy_condition_rare_values_total", "Values left out because their dimension has too many.", func(s pipeline.Stats) uint64 { return s.Stamper.RareValues })
	counter("eddy_condition_refused_total", "Conditions left out because a bound was hit.", func(s pipeline.Stats) uint64 {
		return s.Stamper.RefusedDimensions + s.Stamper.RefusedByDictionary
	})
	counter("eddy_condition_lost_evaluations_total", "Flag evaluations from logs dropped because a bound was hit.", func(s pipeline.Stats) uint64 { return s.Stamper.LostEvaluations })
	gauge("eddy_condition_known", "Distinct conditions known.", func(s pipeline.Stats) int { return s.Conditions })
	gauge("eddy_condition_states", "States that the timeline follows.", func(s pipeline.Stats) int { return s.Timeline.Keys })
	gauge("eddy_pipeline_observations", "Observations kept of the window.", func(s pipeline.Stats) int { return s.Kept })
	counter("eddy_pipeline_too_late_total", "Observations that were older than the window, or as far ahead; they are stored, not analysed.", func(s pipeline.Stats) uint64 { return s.TooLate })
	counter("eddy_pipeline_crowded_total", "Observations at more entries than the window follows; they are stored, not analysed.", func(s pipeline.Stats) uint64 { return s.Crowded })
	counter("eddy_pipeline_unanalysed_total", "Analyses of an outcome that were given up, by time or by an error.", func(s pipeline.Stats) uint64 { return s.Unanalysed })
	counter("eddy_pipeline_unsaved_total", "Observations given up because too many waited for the store.", func(s pipeline.Stats) uint64 { return s.Unsaved })
	return c
}

// Describe sends the names of all figures.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.figures {
		out <- f.desc
	}
}

// Collect sends their values.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	for _, f := range c.figures {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(stats))
	}
}
