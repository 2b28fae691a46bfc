package app

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/web"
)

// metrics are the app's own figures.
type metrics struct {
	stepSeconds   prometheus.Histogram
	stepErrors    prometheus.Counter
	appendSeconds prometheus.Histogram
	appendItems   prometheus.Counter
	appendErrors  prometheus.Counter
	// failing is why the store refused last, or empty.
	failing atomic.Pointer[string]
}

func newMetrics(r prometheus.Registerer) *metrics {
	buckets := prometheus.ExponentialBuckets(0.001, 2, 16) // 1 ms to 33 s
	m := &metrics{
		stepSeconds:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "eddy_pipeline_step_seconds", Help: "How long the analysis of a window took.", Buckets: buckets}),
		stepErrors:    prometheus.NewCounter(prometheus.CounterOpts{Name: "eddy_pipeline_step_errors_total", Help: "Windows whose analysis failed."}),
		appendSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "eddy_store_append_seconds", Help: "How long storing a batch of telemetry took.", Buckets: buckets}),
		appendItems:   prometheus.NewCounter(prometheus.CounterOpts{Name: "eddy_store_append_items_total", Help: "Spans, log records and changes stored."}),
		appendErrors:  prometheus.NewCounter(prometheus.CounterOpts{Name: "eddy_store_append_errors_total", Help: "Batches that the store refused; they are tried again."}),
	}
	r.MustRegister(m.stepSeconds, m.stepErrors, m.appendSeconds, m.appendItems, m.appendErrors)
	return m
}

// step records an analysis.
func (m *metrics) step(took time.Duration, err error) {
	m.stepSeconds.Observe(took.Seconds())
	if err != nil {
		m.stepErrors.Inc()
	}
}

// append records an attempt to store.
func (m *metrics) append(took time.Duration, items int, err error) {
	if err != nil {
		m.appendErrors.Inc()
		text := err.Error()
		m.failing.Store(&text)
		return
	}
	m.failing.Store(nil)
	m.appendSeconds.Observe(took.Seconds())
	m.appendItems.Add(float64(items))
}

// health says whether telemetry can be taken in, and a word on each part.
func (a *App) health() (bool, map[string]string) {
	ready := a.ready.Load()
	detail := map[string]string{"receivers": "listening", "store": "ok"}
	if !ready {
		detail["receivers"] = "stopping"
	}
	if why := a.metrics.failing.Load(); why != nil {
		detail["store"] = fmt.Sprintf("refuses; what is accepted waits in the journal: %s", *why)
	}
	return ready, detail
}

// coverage lays out for the pages how complete the telemetry is.
func (a *App) coverage() web.Coverage {
	services, missing := a.pipeline.Coverage()
	out := web.Coverage{Services: make([]web.ServiceCoverage, 0, len(services)), Missing: missing}
	for _, s := range services {
		out.Services = append(out.Services, web.ServiceCoverage{
			Service: s.Service,
			Figures: []web.Figure{
				{Name: "spans with a version", Part: s.WithVersion, Of: s.Spans},
				{Name: "spans with an instance", Part: s.WithInstance, Of: s.Spans},
				{Name: "spans whose parent came", Part: s.Spans - s.BrokenParents, Of: s.Spans},
				{Name: "spans that were not dropped", Part: s.Spans, Of: s.Spans + s.DroppedSpans},
				{Name: "logs with a trace", Part: s.WithTrace, Of: s.Logs},
			},
		})
	}
	return out
}

// AddressInUse reports whether err says that a listen address was taken.
func AddressInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
