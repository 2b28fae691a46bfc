package kubernetes

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the watcher's figures.
type metrics struct {
	changes     *prometheus.CounterVec // by kind
	dropped     prometheus.Counter
	watchErrors *prometheus.CounterVec // by resource
	gates       *prometheus.CounterVec // by result
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		changes:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "eddy_kubernetes_changes_total", Help: "Changes of the cluster that were reported, by kind."}, []string{"kind"}),
		dropped:     prometheus.NewCounter(prometheus.CounterOpts{Name: "eddy_kubernetes_dropped_total", Help: "Changes of the cluster for which there was no room; those that last are reported later."}),
		watchErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "eddy_kubernetes_watch_errors_total", Help: "Watches that broke or were refused, by resource."}, []string{"resource"}),
		gates:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "eddy_kubernetes_gates_total", Help: "Readiness gates that were written, by what was written, or error."}, []string{"status"}),
	}
	if to == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.changes, m.dropped, m.watchErrors, m.gates} {
		errs = append(errs, to.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("metrics of kubernetes: %w", err)
	}
	return m, nil
}
