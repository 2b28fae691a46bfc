package mediator

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the mediator's own figures; the zero value counts nothing. No
// label is a subject or an epoch: there is no end of those.
type metrics struct {
	transitions *prometheus.CounterVec
	refusals    *prometheus.CounterVec
	flaps       *prometheus.CounterVec
	attempts    *prometheus.CounterVec
	news        prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, m *Mediator) (metrics, error) {
	if r == nil {
		return metrics{}, nil
	}
	k := metrics{
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eddy_phase_transitions_total", Help: "Transitions committed, by contract.",
		}, []string{"contract", "from", "to"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eddy_phase_refused_total", Help: "Announcements refused, by code.",
		}, []string{"code"}),
		flaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eddy_phase_flaps_total", Help: "Times that a subject went back and forth more often than its contract allows.",
		}, []string{"contract"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eddy_phase_reconcile_attempts_total", Help: "Times that a phase was asked for which was announced and not in force, by cause.",
		}, []string{"contract", "cause"}),
		news: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eddy_phase_news_seconds", Help: "Time from a commit until its news was written to a stream.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, 1, 2.5},
		}),
	}
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "eddy_phase_mediator_active", Help: "1 while this replica is the mediator.",
	}, func() float64 { active, _, _ := m.count(); return active })
	subjects := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "eddy_phase_subjects", Help: "Subjects that have a record.",
	}, func() float64 { _, subjects, _ := m.count(); return subjects })
	consumers := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "eddy_phase_consumers", Help: "Consumers that are registered.",
	}, func() float64 { _, _, consumers := m.count(); return consumers })
	gauge := func(name, help string, value func(declared, stuck, held float64, oldest time.Duration) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(m.drifting(time.Now())) })
	}
	drifting := gauge("eddy_phase_drifting", "Subjects whose phase in force is not the one announced.", func(d, _, _ float64, _ time.Duration) float64 { return d })
	stuck := gauge("eddy_phase_stuck", "Drifting subjects that nothing more is done about.", func(_, s, _ float64, _ time.Duration) float64 { return s })
	held := gauge("eddy_phase_held", "Subjects that are held since they went back and forth.", func(_, _, h float64, _ time.Duration) float64 { return h })
	oldest := gauge("eddy_phase_drift_seconds", "For how long the subject drifts that does longest.", func(_, _, _ float64, o time.Duration) float64 { return o.Seconds() })
	for _, c := range []prometheus.Collector{k.transitions, k.refusals, k.flaps, k.attempts, k.news, active, subjects, consumers, drifting, stuck, held, oldest} {
		if err := r.Register(c); err != nil {
			return metrics{}, fmt.Errorf("mediator metrics: %w", err)
		}
	}
	return k, nil
}

// count is what the gauges show.
func (m *Mediator) count() (active, subjects, consumers float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tenure != "" {
		active = 1
	}
	for _, c := range m.contracts {
		subjects += float64(len(c.subjects))
		consumers += float64(len(c.consumers))
	}
	return active, subjects, consumers
}

func (k metrics) committed(contract, from, to string) {
	if k.transitions != nil {
		k.transitions.WithLabelValues(contract, from, to).Inc()
	}
}

func (k metrics) refused(code string) {
	if k.refusals != nil {
		k.refusals.WithLabelValues(code).Inc()
	}
}

func (k metrics) flapped(contract string) {
	if k.flaps != nil {
		k.flaps.WithLabelValues(contract).Inc()
	}
}

func (k metrics) attempted(contract, cause string) {
	if k.attempts != nil {
		k.attempts.WithLabelValues(contract, cause).Inc()
	}
}

// told counts how long news took to be written to one stream.
func (k metrics) told(news []*News) {
	for _, n := range news {
		if k.news != nil && !n.committed.IsZero() {
			k.news.Observe(time.Since(n.committed).Seconds())
		}
	}
}
