package web

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's own figures; the zero value counts nothing.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	clients  prometheus.Gauge
	events   prometheus.Counter
	missed   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (metrics, error) {
	if r == nil {
		return metrics{}, nil
	}
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eddy_web_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "eddy_web_request_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route"}),
		clients: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "eddy_web_event_clients", Help: "Event streams that are open.",
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eddy_web_events_total", Help: "Events published to clients.",
		}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eddy_web_event_resets_total", Help: "Clients that missed events and were told to read anew.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.clients, m.events, m.missed} {
		if err := r.Register(c); err != nil {
			return metrics{}, fmt.Errorf("web metrics: %w", err)
		}
	}
	return m, nil
}

func (m metrics) served(route string, status int, took time.Duration) {
	if m.requests == nil {
		return
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m metrics) joined(n float64) {
	if m.clients != nil {
		m.clients.Add(n)
	}
}

func (m metrics) published() {
	if m.events != nil {
		m.events.Inc()
	}
}

func (m metrics) reset() {
	if m.missed != nil {
		m.missed.Inc()
	}
}
