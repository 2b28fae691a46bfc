package conformance

import (
	"fmt"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// series is the labels of the counter of interactions.
type series struct {
	contract, role, action, actual, believed string
	late                                     bool
	verdict                                  contract.Verdict
}

// annotated reports whether the caller said what it believes.
func (s series) annotated() bool { return s.role != "unknown" }

// count adds the growth of one cumulative series to its bucket.
func (m *Monitor) count(p *telemetry.Point) {
	s := series{
		contract: p.Attributes.First(attr.PhaseContract), role: p.Attributes.First(attr.PhaseRole), action: p.Attributes.First(attr.PhaseAction),
		actual: p.Attributes.First(attr.PhaseActual), believed: p.Attributes.First(attr.PhaseBelieved),
		late: p.Attributes.First(attr.PhaseLate) == "true", verdict: contract.Verdict(p.Attributes.First(attr.PhaseVerdict)),
	}
	growth := p.Value
	if p.Cumulative {
		growth = m.growth(p, s)
	}
	if growth <= 0 {
		return
	}
	at := p.Time.Truncate(bucketSize).Unix()
	b := m.buckets[at]
	if b == nil {
		b = make(map[series]float64)
		m.buckets[at] = b
	}
	if _, ok := b[s]; !ok && len(b) >= maxSeries {
		m.dropped++
		return
	}
	b[s] += growth
}

// emitted is the last point of a cumulative series.
type emitted struct {
	value     float64
	at, start time.Time
}

// growth is by how much a cumulative series has grown since its last point.
func (m *Monitor) growth(p *telemetry.Point, s series) float64 {
	who := ""
	if r := p.Resource; r != nil {
		who = strings.Join([]string{r.Namespace, r.Service, r.Instance}, "\x00")
	}
	emitter := fmt.Sprintf("%s\x00%v", who, s)
	last, known := m.emitters[emitter]
	if known && p.Time.Before(last.at) {
		return 0 // it is late, and the point after it has counted for it
	}
	if !known && len(m.emitters) >= maxEmitters {
		m.dropped++
		return 0
	}
	m.emitters[emitter] = emitted{p.Value, p.Time, p.Start}
	switch {
	case !known && p.Time.Sub(m.began) < newcomer && !p.Start.After(m.began):
		return 0 // most of it was before
	case p.Value < last.value, !last.start.IsZero() && p.Start.After(last.start):
		return p.Value // it was started anew
	}
	return p.Value - last.value
}

// verdict judges a series by the contract that it names. What the emitter said is
// used where the contract is not known.
func (m *Monitor) verdict(s series) contract.Verdict {
	c := m.lookup(s.contract)
	if c == nil || !s.annotated() {
		return s.verdict
	}
	const ever = time.Duration(1) << 62
	since := time.Duration(0)
	if s.late {
		since = ever
	}
	believed := contract.PhaseName(s.believed)
	return c.Judge(contract.Interaction{
		Role: s.role, Action: s.action, Actual: contract.PhaseName(s.actual), Since: since, Believed: believed, Known: s.believed != "?",
	})
}

// A Share is how many of how many, in a window.
type Share struct {
	Part float64 `json:"part"`
	Of   float64 `json:"of"`
	// Coverage is the share of all that could be judged, 0 to 1. Below a half the
	// share says nothing and is not Known.
	Coverage float64 `json:"coverage"`
	Known    bool    `json:"known"`
}

// Ratio is Part of Of, 0 where it is not known.
func (s Share) Ratio() float64 {
	if !s.Known || s.Of == 0 {
		return 0
	}
	return s.Part / s.Of
}

// mismatch is
//
//	M1  = #{i in ann: verdict in {mismatch, refused}} / #ann
//	M1s = #{i in ann: verdict = tolerated}            / #ann
//
// where ann are the interactions whose caller said what it believes. disagree
// counts those whose emitter said another verdict than the contract gives.
func (m *Monitor) mismatch(id string, w telemetry.Window) (m1, m1s Share, disagree float64) {
	var all float64
	for s, n := range m.window(id, w) {
		all += n
		if !s.annotated() {
			continue
		}
		m1.Of += n
		v := m.verdict(s)
		if v != s.verdict {
			disagree += n
		}
		if v == contract.VerdictMismatch || v == contract.VerdictRefused {
			m1.Part += n
		}
		if v == contract.VerdictTolerated {
			m1s.Part += n
		}
	}
	if all > 0 {
		m1.Coverage = m1.Of / all
	}
	m1.Known = m1.Of > 0 && m1.Coverage >= 0.5
	m1s.Of, m1s.Coverage, m1s.Known = m1.Of, m1.Coverage, m1.Known
	return m1, m1s, disagree
}

// drain is
//
//	M2 = #{i: action requires accepts_new, and actual does not allow it}
//	     / #{i: action requires accepts_new}
//
// failed are those of the part that came after the time of grace, or that were
// refused; the others were late and tolerated.
func (m *Monitor) drain(id string, w telemetry.Window) (m2 Share, failed float64) {
	c := m.lookup(id)
	if c == nil {
		return Share{}, 0
	}
	for s, n := range m.window(id, w) {
		if c.Actions[s.action].Requires != acceptsNew {
			continue
		}
		m2.Of += n
		permission := c.Permits(contract.PhaseName(s.actual), s.action)
		if permission == contract.Allow {
			continue
		}
		m2.Part += n
		if s.late || permission == contract.Deny {
			failed += n
		}
	}
	m2.Coverage = 1 // every interaction has an actual phase
	m2.Known = m2.Of > 0
	return m2, failed
}

// window sums the buckets of a window. A bucket belongs to it if it begins in it.
func (m *Monitor) window(id string, w telemetry.Window) map[series]float64 {
	sums := make(map[series]float64)
	for at, b := range m.buckets {
		if t := time.Unix(at, 0); t.Before(w.Start) || !t.Before(w.End) {
			continue
		}
		for s, n := range b {
			if s.contract == id {
				sums[s] += n
			}
		}
	}
	return sums
}
