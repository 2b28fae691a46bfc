package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/conformance"
)

// indicators shows what the monitor computes as metrics, over five minutes. None
// has a subject for a label, of which there is no end.
type indicators struct{ monitor *conformance.Monitor }

// Describe sends nothing: which contracts there are is not known before.
func (indicators) Describe(chan<- *prometheus.Desc) {}

// labels are the names and values of a metric's labels, in turn.
type labels []string

// Collect sends the indicators that are known.
func (i indicators) Collect(out chan<- prometheus.Metric) {
	r := i.monitor.Report(5*time.Minute, time.Now())
	gauge := func(name, help string, value float64, l labels) {
		var names, values []string
		for k := 0; k+1 < len(l); k += 2 {
			names, values = append(names, l[k]), append(values, l[k+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	i.findings(r, gauge)
	if r.M3.Known {
		gauge("eddy_phase_duplicate_ratio", "M3: share of jobs of the last five minutes that were done more than once.", r.M3.Ratio(), nil)
	}
	gauge("eddy_phase_duplicates", "M3: jobs whose second commit was in the last five minutes, whenever the first was.", float64(r.Again), nil)
	if r.M4.Known {
		gauge("eddy_phase_schema_error_ratio", "M4: share of requests and messages of the last five minutes that could not be read or written.", r.M4.Ratio(), nil)
		gauge("eddy_phase_schema_errors_explained", "M4: those of the last five minutes whose writer and reader a contract forbids in that phase.", r.Explained, nil)
	}
	gauge("eddy_phase_pages", "M8: incidents that a phase flip was the reason of.", float64(r.M8.Month), labels{"period", "month"})
	gauge("eddy_phase_pages", "M8: incidents that a phase flip was the reason of.", float64(r.M8.Trailing), labels{"period", "30d"})
	if r.M9.Known {
		gauge("eddy_phase_budget_share", "M9: share of the budget of 30 days that phase flips have used, at least and at most.", r.M9.Low, labels{"bound", "low"})
		gauge("eddy_phase_budget_share", "M9: share of the budget of 30 days that phase flips have used, at least and at most.", r.M9.High, labels{"bound", "high"})
	}
	gauge("eddy_phase_budget_burn", "M9: how many times faster than allowed requests fail because of phase flips.", r.M9.Burn5m, labels{"window", "5m"})
	gauge("eddy_phase_budget_burn", "M9: how many times faster than allowed requests fail because of phase flips.", r.M9.Burn1h, labels{"window", "1h"})
	for _, k := range r.Indicators {
		ofContract(k, gauge)
	}
	for _, p := range i.monitor.Propagation() {
		out <- histogram(p)
	}
}

// findings counts what holds now.
func (indicators) findings(r conformance.Report, gauge func(string, string, float64, labels)) {
	type kind struct {
		code     conformance.Code
		origin   conformance.Origin
		severity conformance.Severity
	}
	found := make(map[kind]float64)
	for _, f := range r.Findings {
		found[kind{f.Code, f.Origin, f.Severity}]++
	}
	for _, code := range conformance.Codes() {
		for _, origin := range []conformance.Origin{conformance.Announced, conformance.Inferred} {
			for _, severity := range []conformance.Severity{conformance.High, conformance.Low} {
				n := found[kind{code, origin, severity}]
				if severity == conformance.Low && n == 0 {
					continue
				}
				gauge("eddy_phase_findings", "Phase failures that hold now, by code.", n, labels{"code", string(code), "origin", string(origin), "severity", string(severity)})
			}
		}
	}
}

// ofContract sends the indicators of one contract, or of the endpoints of one
// service.
func ofContract(k conformance.Indicators, gauge func(string, string, float64, labels)) {
	l := labels{"contract", k.Contract, "origin", string(k.Origin)}
	if k.M1.Known {
		gauge("eddy_phase_mismatch_ratio", "M1: share of interactions that did not fit, over five minutes.", k.M1.Ratio(), l)
		gauge("eddy_phase_tolerated_ratio", "M1s: share of interactions that came late and in time, over five minutes.", k.Tolerated.Ratio(), l)
	}
	if k.M1.Of > 0 {
		gauge("eddy_phase_coverage_ratio", "Share of interactions whose caller says what it believes; below a half M1 is not known.", k.M1.Coverage, l)
	}
	if k.M2.Known {
		gauge("eddy_phase_drain_failure_ratio", "M2: share of new work that met a subject which takes none, over five minutes.", k.M2.Ratio(), l)
	}
	if k.M5.N > 0 && !k.M5.Beyond {
		gauge("eddy_phase_change_seconds", "M5: median time from a commit to its acknowledgements, over five minutes.", k.M5.Seconds, l)
	}
	gauge("eddy_phase_flaps_per_hour", "M6: how often the worst subject went back and forth in an hour.", float64(k.M6), l)
	if k.Origin == conformance.Announced {
		gauge("eddy_phase_reconcile_retries_per_hour", "M7: actions of the reconciler in an hour on the subject with most.", float64(k.M7), l)
	}
}

// histogram is one of the times from a commit to acknowledgements, since the start.
func histogram(p conformance.Propagation) prometheus.Metric {
	buckets, n := make(map[float64]uint64, len(p.Bounds)), uint64(0)
	for i, bound := range p.Bounds {
		n += uint64(p.Counts[i])
		buckets[bound] = n
	}
	return prometheus.MustNewConstHistogram(
		prometheus.NewDesc("eddy_phase_propagation_seconds", "M5: time from a commit to an acknowledgement, of those that came.", []string{"contract", "role"}, nil),
		uint64(p.N), p.Sum, buckets, p.Contract, p.Role)
}
