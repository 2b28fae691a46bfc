package conformance

import (
	"math"
	"slices"
	"strconv"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

type epochKey struct {
	subjectKey
	epoch uint64
}

// epoch is one announcement and who acknowledged it, by the mediator's clock.
type epoch struct {
	committed  time.Time
	registered int
	acks       map[string]time.Time // by role and consumer, the first of each
}

// step is one transition of a lineage.
type step struct {
	from, to string
	at       time.Time
	epoch    epochKey
}

// announced notes a commit.
func (m *Monitor) announced(key subjectKey, e uint64, l *telemetry.Log) {
	id := epochKey{key, e}
	t := m.timeline(key, l.Time)
	if t == nil || m.epochs[id] != nil && !m.epochs[id].committed.IsZero() {
		return
	}
	t.announced[e] = true
	k := m.epoch(id)
	k.committed = l.Time
	k.registered, _ = strconv.Atoi(l.Attributes.First(attr.PhaseRegistered)) // none if it does not say
	lineage := m.lineage(key)
	steps := append(m.lineages[lineage], step{l.Attributes.First(attr.PhaseFrom), l.Attributes.First(attr.PhaseTo), l.Time, id})
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	if len(steps) > maxSteps {
		steps = steps[1:]
		m.dropped++
	}
	m.lineages[lineage] = steps
}

func (m *Monitor) epoch(id epochKey) *epoch {
	if m.epochs[id] == nil {
		m.epochs[id] = &epoch{acks: make(map[string]time.Time)}
	}
	return m.epochs[id]
}

// acked notes an acknowledgement.
func (m *Monitor) acked(key subjectKey, e uint64, l *telemetry.Log) {
	if m.timeline(key, l.Time) == nil {
		return
	}
	who := l.Attributes.First(attr.PhaseRole) + " " + l.Attributes.First(attr.ConsumerID)
	acks := m.epoch(epochKey{key, e}).acks
	if t, ok := acks[who]; !ok || l.Time.Before(t) {
		acks[who] = l.Time
	}
}

// A Delay is a latency. It is infinite where acknowledgements are missing.
type Delay struct {
	Seconds float64 `json:"seconds"`
	// Beyond says that it is longer than can be told: too many never acknowledged.
	Beyond bool `json:"beyond,omitempty"`
	N      int  `json:"n"` // epochs
}

// latency is, with x(c,e) the time from the commit of epoch e to the
// acknowledgement of the registered consumer c, infinite without one,
//
//	M5(e) = median over c of x(c,e)
//	M5    = median over e of M5(e)
//
// and worst the largest of all x. Of an even number the median is the mean of the
// two in the middle. Epochs count once all have acknowledged, or after ten times
// the bound.
func (m *Monitor) latency(id string, w telemetry.Window, now time.Time) (m5, worst Delay) {
	bound := 2 * time.Second
	if c := m.lookup(id); c != nil {
		bound = c.Propagation.Bound
	}
	var medians, longest []float64
	for key, e := range m.epochs {
		if key.contract != id || e.registered == 0 || e.committed.Before(w.Start) || !e.committed.Before(w.End) {
			continue
		}
		if len(e.acks) < e.registered && now.Sub(e.committed) <= 10*bound {
			continue
		}
		x := e.delays(10 * bound)
		medians = append(medians, median(x))
		longest = append(longest, slices.Max(x))
	}
	if len(medians) == 0 {
		return Delay{}, Delay{}
	}
	return delay(median(medians), len(medians)), delay(slices.Max(longest), len(medians))
}

// delays are x(c,e) of all registered consumers. One that came after the limit did
// not come.
func (e *epoch) delays(limit time.Duration) []float64 {
	var x []float64
	for _, at := range e.acks {
		d := at.Sub(e.committed)
		if d > limit {
			continue
		}
		x = append(x, max(d, 0).Seconds())
	}
	slices.Sort(x)
	x = x[:min(len(x), e.registered)]
	for len(x) < e.registered {
		x = append(x, math.Inf(1))
	}
	return x
}

// median is that of a list that is not empty.
func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}

func delay(x float64, n int) Delay {
	if math.IsInf(x, 1) {
		return Delay{Beyond: true, N: n}
	}
	return Delay{Seconds: x, N: n}
}

// flaps is M6: of one lineage, how many transitions a to b within the hour before
// now came within an hour after b to a. It is the largest over lineages.
func (m *Monitor) flaps(id string, now time.Time) (most int, of string) {
	for key, steps := range m.lineages {
		if key.contract != id {
			continue
		}
		n := 0
		for i, s := range steps {
			if !s.at.After(now.Add(-time.Hour)) || s.at.After(now) {
				continue
			}
			if slices.ContainsFunc(steps[:i], func(b step) bool { return b.from == s.to && b.to == s.from && s.at.Sub(b.at) <= time.Hour }) {
				n++
			}
		}
		if n > most || n == most && n > 0 && key.subject < of {
			most, of = n, key.subject
		}
	}
	return most, of
}
