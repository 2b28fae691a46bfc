package conformance

import (
	"fmt"
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
	seen       time.Time // the last event about it
	from, to   string
	registered int
	acks       map[ackKey]time.Time // the first of each
}

// ackKey is who acknowledged.
type ackKey struct{ role, consumer string }

// announced notes a commit.
func (m *Monitor) announced(key subjectKey, e uint64, l *telemetry.Log) {
	id := epochKey{key, e}
	t := m.timeline(key, l.Time)
	if t == nil || m.epochs[id] != nil && !m.epochs[id].committed.IsZero() {
		return
	}
	k := m.epoch(id, l.Time)
	k.committed, k.from, k.to = l.Time, l.Attributes.First(attr.PhaseFrom), l.Attributes.First(attr.PhaseTo)
	k.registered, _ = strconv.Atoi(l.Attributes.First(attr.PhaseRegistered)) // none if it does not say
	for who, at := range k.acks {                                            // that came before
		m.hear(key.contract, who.role, at.Sub(k.committed))
	}
	t.announce(e, k.from, k.to, l.Time)
	m.step(m.lineage(key), step{k.from, k.to, l.Time, id})
}

func (m *Monitor) epoch(id epochKey, at time.Time) *epoch {
	if m.epochs[id] == nil {
		m.epochs[id] = &epoch{acks: make(map[ackKey]time.Time)}
	}
	m.epochs[id].seen = later(m.epochs[id].seen, at)
	return m.epochs[id]
}

// acked notes an acknowledgement.
func (m *Monitor) acked(key subjectKey, e uint64, l *telemetry.Log) {
	if m.timeline(key, l.Time) == nil {
		return
	}
	who := ackKey{l.Attributes.First(attr.PhaseRole), l.Attributes.First(attr.ConsumerID)}
	k := m.epoch(epochKey{key, e}, l.Time)
	t, known := k.acks[who]
	if !known && !k.committed.IsZero() {
		m.hear(key.contract, who.role, l.Time.Sub(k.committed))
	}
	if !known || l.Time.Before(t) {
		k.acks[who] = l.Time
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
// p95 the M5(e) that 95 % of epochs do not exceed, and worst the largest of all x. Of
// an even number the median is the mean of the two in the middle. Epochs count once all have acknowledged, or after ten times
// the bound.
func (m *Monitor) latency(id string, w telemetry.Window, now time.Time) (m5, p95, worst Delay) {
	bound := m.bound(id)
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
		return Delay{}, Delay{}, Delay{}
	}
	n := len(medians)
	m5 = delay(median(medians), n)
	slices.Sort(medians)
	return m5, delay(medians[(95*n+99)/100-1], n), delay(slices.Max(longest), n)
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

// String is for people: "130 ms, n=12", "n/a" of no epochs.
func (d Delay) String() string {
	switch {
	case d.N == 0:
		return "n/a"
	case d.Beyond:
		return fmt.Sprintf("not acknowledged, n=%d", d.N)
	}
	return fmt.Sprintf("%.0f ms, n=%d", 1000*d.Seconds, d.N)
}

func delay(x float64, n int) Delay {
	if math.IsInf(x, 1) {
		return Delay{Beyond: true, N: n}
	}
	return Delay{Seconds: x, N: n}
}
