package conformance

import (
	"maps"
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
)

// Indicators are those of one contract over one window, or of the endpoints of a
// service that announces nothing.
type Indicators struct {
	Contract string           `json:"contract"`
	Origin   Origin           `json:"origin"`
	Window   telemetry.Window `json:"window"`
	// M1 is the share of interactions that did not fit, Tolerated that of those
	// which came late and in time. M2 is the share of new work that met a subject
	// which does not take any; Failed of its part were not tolerated either.
	M1        Share   `json:"M1"`
	Tolerated Share   `json:"M1s"`
	M2        Share   `json:"M2"`
	Failed    float64 `json:"M2_failed"`
	// M5 is the median time from a commit to its acknowledgements, P95 the time
	// within which 95 % of announcements had their median, Worst the longest of all.
	M5    Delay `json:"M5"`
	P95   Delay `json:"M5_p95"`
	Worst Delay `json:"M5_worst"`
	// M6 is how often the worst lineage went back and forth in an hour, M7 how many
	// actions the reconciler took in an hour on the subject with most.
	M6        int    `json:"M6"`
	M6Lineage string `json:"M6_lineage,omitempty"`
	M7        int    `json:"M7"`
	M7Subject string `json:"M7_subject,omitempty"`
	// Disagree counts interactions of which the emitter said another verdict than
	// the contract gives: its instrumentation is wrong, or has another contract.
	Disagree float64 `json:"disagree,omitempty"`
}

// A Report is what a Monitor knows.
type Report struct {
	Indicators []Indicators `json:"indicators"`
	// M3 is the share of jobs that were done more than once, of those done first
	// in the window; Again how many were done a second time in it.
	M3    Share `json:"M3"`
	Again int   `json:"M3_again"`
	// M4 is the share of requests and messages that could not be read or written;
	// Explained how many of those are pairs that a matrix forbids; Pairs are who met
	// whom in which phase.
	M4        Share        `json:"M4"`
	Explained float64      `json:"M4_explained"`
	Pairs     []SchemaPair `json:"M4_pairs,omitempty"`
	M8        Pages        `json:"M8"`
	M9        Budget       `json:"M9"`
	Findings  []Finding    `json:"findings"`
	// Dropped is how much telemetry did not fit within the bounds.
	Dropped int `json:"dropped,omitempty"`
	// Detail is set if it was asked for.
	Detail *Detail `json:"detail,omitempty"`
}

// Failed reports whether something was found that does harm.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Low })
}

// Report computes everything over a window that ends at now, at most an hour.
func (m *Monitor) Report(length time.Duration, now time.Time) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.report(length, now)
}

// Findings are those of the last five minutes. Call it now and then, as each step of
// the analysis does: pages to come are judged by when findings held.
func (m *Monitor) Findings(now time.Time) []Finding {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle(now)
	m.forget(now)
	w := telemetry.Window{Start: now.Add(-5 * time.Minute), End: now}
	_, _, pairs := m.schemas(w)
	found := m.findings(w, pairs)
	m.note(found)
	return found
}

func (m *Monitor) report(length time.Duration, now time.Time) Report {
	m.settle(now)
	m.forget(now)
	w := telemetry.Window{Start: now.Add(-min(length, keep)), End: now}
	r := Report{Indicators: []Indicators{}, Dropped: m.dropped + m.inferred.dropped}
	for _, id := range m.known() {
		i := Indicators{Contract: id, Origin: Announced, Window: w}
		i.M1, i.Tolerated, i.Disagree = m.mismatch(id, w)
		i.M2, i.Failed = m.drain(id, w)
		i.M5, i.P95, i.Worst = m.latency(id, w, now)
		i.M6, i.M6Lineage = m.flaps(id, now)
		i.M7, i.M7Subject = m.retries(id, now)
		r.Indicators = append(r.Indicators, i)
	}
	r.Indicators = append(r.Indicators, m.endpointIndicators(w)...)
	r.M3, r.Again = m.duplicates(w)
	r.M4, r.Explained, r.Pairs = m.schemas(w)
	r.Findings = append([]Finding{}, m.findings(w, r.Pairs)...)
	m.note(r.Findings)
	r.M8 = m.pagesOf(now)
	r.M9 = m.budget(now)
	return r
}

// known are the ids of all contracts of which there is telemetry, sorted.
func (m *Monitor) known() []string {
	ids := make(map[string]bool)
	for _, b := range m.buckets {
		for s := range b {
			ids[s.contract] = true
		}
	}
	for key := range m.subjects {
		ids[key.contract] = true
	}
	delete(ids, "")
	return slices.Sorted(maps.Keys(ids))
}
