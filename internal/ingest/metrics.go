package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// A signal is a kind of item, as the metrics name it.
type signal string

const (
	signalSpans   signal = "spans"
	signalLogs    signal = "logs"
	signalPoints  signal = "points"
	signalChanges signal = "changes"
)

// metrics are what this package tells of itself.
type metrics struct {
	accepted  *prometheus.CounterVec // items by signal
	rejected  *prometheus.CounterVec // items by signal and reason, never kept
	refused   *prometheus.CounterVec // requests by signal and reason, to be retried or not
	redacted  *prometheus.CounterVec // values by rule
	truncated *prometheus.CounterVec // parts of items that were left out or cut, by what
	bytes     *prometheus.CounterVec // of journaled payload, by signal

	queueBytes      prometheus.Gauge
	journalBytes    prometheus.Gauge
	journalSegments prometheus.Gauge
	journalErrors   prometheus.Counter
	journalDamaged  prometheus.Counter
	journalTorn     prometheus.Counter
	fsyncSeconds    prometheus.Histogram
}

// newMetrics registers the metrics with r; with nil they are kept and shown to
// nobody.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "eddy_ingest_" + name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "eddy_ingest_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "eddy_ingest_" + name, Help: help})
	}
	m := &metrics{
		accepted:        counter("accepted_items_total", "Items that were acknowledged.", "signal"),
		rejected:        counter("rejected_items_total", "Items that were invalid and left out of what was acknowledged.", "signal", "reason"),
		refused:         counter("refused_requests_total", "Requests that were refused as a whole.", "signal", "reason"),
		redacted:        counter("redacted_values_total", "Values that were removed wholly or in part before anything was kept.", "rule"),
		truncated:       counter("truncated_parts_total", "Attributes, values, events and links that were cut or left out of accepted items.", "part"),
		bytes:           counter("bytes_total", "Bytes of accepted requests, as journaled.", "signal"),
		queueBytes:      gauge("queue_bytes", "Estimated memory of batches that wait to be taken."),
		journalBytes:    gauge("journal_bytes", "Bytes that the journal holds."),
		journalSegments: gauge("journal_segments", "Files that the journal holds."),
		journalErrors:   single("journal_errors_total", "Writes and syncs of the journal that failed."),
		journalDamaged:  single("journal_damaged_total", "Places in the journal that held no sound record when it was opened."),
		journalTorn:     single("journal_torn_total", "Ends of the journal that were removed because a write was cut short."),
		fsyncSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eddy_ingest_journal_fsync_seconds", Help: "How long syncs of the journal took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.accepted, m.rejected, m.refused, m.redacted, m.truncated, m.bytes,
		m.queueBytes, m.journalBytes, m.journalSegments, m.journalErrors, m.journalDamaged, m.journalTorn, m.fsyncSeconds,
	} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}
