package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// Indicators are those of one contract over one window.
type Indicators struct {
	Contract string           `json:"contract"`
	Window   telemetry.Window `json:"window"`
	// M1 is the share of interactions that did not fit, Tolerated that of those
	// which came late and in time. M2 is the share of new work that met a subject
	// which does not take any; Failed of its part were not tolerated either.
	M1        Share   `json:"M1"`
	Tolerated Share   `json:"M1s"`
	M2        Share   `json:"M2"`
	Failed    float64 `json:"M2_failed"`
	// M5 is the median time from a commit to its acknowledgements, Worst the
	// longest.
	M5    Delay `json:"M5"`
	Worst Delay `json:"M5_worst"`
	// M6 is how often the worst lineage went back and forth in an hour.
	M6        int    `json:"M6"`
	M6Lineage string `json:"M6_lineage,omitempty"`
	// Disagree counts interactions of which the emitter said another verdict than
	// the contract gives: its instrumentation is wrong, or has another contract.
	Disagree float64 `json:"disagree,omitempty"`
}

// A Finding is a failure that follows from the indicators or from events.
type Finding struct {
	Code     string    `json:"code"` // F1, F2, F4 or F5
	Contract string    `json:"contract,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Text     string    `json:"text"`
}

// A Report is what a Monitor knows.
type Report struct {
	Indicators []Indicators `json:"indicators"`
	// M3 is the share of jobs that were done more than once, of those done first
	// in the window.
	M3       Share     `json:"M3"`
	Findings []Finding `json:"findings"`
	// Dropped is how much telemetry did not fit within the bounds.
	Dropped int `json:"dropped,omitempty"`
}

// Report computes everything over a window that ends at now, at most an hour.
func (m *Monitor) Report(length time.Duration, now time.Time) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	w := telemetry.Window{Start: now.Add(-min(length, keep)), End: now}
	r := Report{Indicators: []Indicators{}, Findings: []Finding{}, M3: m.duplicates(w), Dropped: m.dropped}
	for _, id := range m.known() {
		i := Indicators{Contract: id, Window: w}
		i.M1, i.Tolerated, i.Disagree = m.mismatch(id, w)
		i.M2, i.Failed = m.drain(id, w)
		i.M5, i.Worst = m.latency(id, w, now)
		i.M6, i.M6Lineage = m.flaps(id, now)
		r.Indicators = append(r.Indicators, i)
		r.Findings = append(r.Findings, m.judge(i, now)...)
	}
	for _, o := range m.overlaps() {
		r.Findings = append(r.Findings, Finding{
			Code: "F2", Subject: o.subject, Since: o.from,
			Text: fmt.Sprintf("leader overlap: writes with token %d were accepted until %s, and with the later token %d from %s", o.older, o.to.UTC().Format(time.RFC3339Nano), o.younger, o.from.UTC().Format(time.RFC3339Nano)),
		})
	}
	r.Findings = append(r.Findings, m.missing(now)...)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Text, b.Text))
	})
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

// judge finds what the indicators of a contract amount to:
//
//	F1 drain misrouting  three or more that were not tolerated, or M2 above its target
//	F4 flapping          M6 above its target
func (m *Monitor) judge(i Indicators, now time.Time) []Finding {
	var slo contract.SLO
	if c := m.lookup(i.Contract); c != nil {
		slo = c.SLO
	}
	var found []Finding
	if i.Failed >= 3 || slo.M2 > 0 && i.M2.Known && i.M2.Ratio() > slo.M2 {
		found = append(found, Finding{
			Code: "F1", Contract: i.Contract, Since: i.Window.Start,
			Text: fmt.Sprintf("drain misrouting: %.0f of %.0f new requests met a subject that takes none, %.0f of them after the time of grace or refused", i.M2.Part, i.M2.Of, i.Failed),
		})
	}
	if slo.M6 > 0 && float64(i.M6) > slo.M6 {
		found = append(found, Finding{
			Code: "F4", Contract: i.Contract, Subject: i.M6Lineage, Since: now.Add(-time.Hour),
			Text: fmt.Sprintf("flapping: it went back and forth %d times in an hour, and %g is the most", i.M6, slo.M6),
		})
	}
	return found
}

// missing finds F5, missing announcements: a phase in force that nobody
// announced, and consumers that never heard of one that was.
func (m *Monitor) missing(now time.Time) []Finding {
	var found []Finding
	for key, t := range m.subjects {
		for e, at := range t.enforced {
			if !t.announced[e] && len(t.announced) > 0 && now.Sub(at) > m.bound(key.contract) {
				found = append(found, Finding{
					Code: "F5", Contract: key.contract, Subject: key.subject, Since: at,
					Text: fmt.Sprintf("missing announcement: epoch %d is in force, and was not announced", e),
				})
			}
		}
	}
	for o, g := range m.gaps {
		if now.Sub(g.since) > m.bound(o.contract) {
			found = append(found, Finding{
				Code: "F5", Contract: o.contract, Subject: o.subject, Since: g.since,
				Text: fmt.Sprintf("missing announcement: consumer %s went from epoch %d to %d and never heard of what is between", o.consumer, g.before, g.after),
			})
		}
	}
	return found
}

// bound is how long news may take.
func (m *Monitor) bound(id string) time.Duration {
	if c := m.lookup(id); c != nil {
		return c.Propagation.Bound
	}
	return 2 * time.Second
}
