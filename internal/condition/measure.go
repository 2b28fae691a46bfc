package condition

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A measure is an attribute whose values are numbers, of which only ranges are
// conditions: "order payload.bytes > 65000". Where to cut is learned from all values
// that were seen, whatever became of their requests, so that no cut is chosen for
// how well it parts failures from the rest.
type measure struct {
	counts map[int]float64 // by bucket
	total  float64
	cuts   []cut
	due    float64 // the total at which cuts are looked at again
}

// A cut is a bound, with the ranges above it or up to it.
type cut struct {
	quantile float64
	at       float64
	above    bool
	text     string
}

const (
	// knownFrom is how many values must have been seen before there are cuts.
	knownFrom = 200
	// steadyTo is by what factor the share beyond a cut may differ from what it
	// was made for before it is made anew: conditions should keep their names.
	steadyTo = 1.5
	// finest is the factor between the buckets that values are counted in.
	finest = 1.05
	// mostMeasures bounds the measures that are learned; the values of others are
	// not looked at.
	mostMeasures = 1_000
)

// cutAt lists where a measure is cut, by its own quantiles.
func cutAt() []cut {
	return []cut{
		{quantile: 0.05},
		{quantile: 0.25},
		{quantile: 0.5},
		{quantile: 0.5, above: true},
		{quantile: 0.75, above: true},
		{quantile: 0.9, above: true},
		{quantile: 0.95, above: true},
		{quantile: 0.99, above: true},
	}
}

// number reads the value of a measure.
func number(text string) (float64, bool) {
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// bucketOf is the bucket of a number: 0 for zero, and further from it the larger it
// is.
func bucketOf(x float64) int {
	b := 1 + int(math.Round(math.Log(max(math.Abs(x), 1e-9)/1e-9)/math.Log(finest)))
	switch {
	case x == 0:
		return 0
	case x < 0:
		return -b
	}
	return b
}

// add counts a value.
func (m *measure) add(x float64) {
	m.put(x)
	if m.total >= max(m.due, knownFrom) {
		m.due = 2 * m.total
		m.cut()
	}
}

// put counts a value, and leaves the cuts alone.
func (m *measure) put(x float64) {
	if m.counts == nil {
		m.counts = make(map[int]float64)
	}
	m.counts[bucketOf(x)]++
	m.total++
}

// age halves all counts, and looks whether the cuts are still where they should be.
func (m *measure) age() {
	m.halve()
	m.due = 2 * m.total
	if m.total >= knownFrom {
		m.cut()
	}
}

// halve halves all counts.
func (m *measure) halve() {
	m.total = 0
	for b, n := range m.counts {
		if n /= 2; n < 0.5 {
			delete(m.counts, b)
			continue
		}
		m.counts[b] = n
		m.total += n
	}
}

// cut makes the cuts that are missing or no longer where they should be.
func (m *measure) cut() {
	old := m.cuts
	m.cuts = nil
	for _, c := range cutAt() {
		for _, o := range old {
			if o.quantile == c.quantile && o.above == c.above && m.steady(o) {
				c = o
			}
		}
		if c.text == "" {
			c.at = plain(m.valueAt(c.quantile))
			c.text = c.String()
		}
		if beyond := m.beyond(c); beyond > 0 && beyond < m.total && !m.has(c.text) {
			m.cuts = append(m.cuts, c)
		}
	}
}

// plain is a number with two digits that count.
func plain(x float64) float64 {
	if x == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(x)))-1)
	if unit < 1 { // dividing by a whole number leaves no noise
		return math.Round(x*math.Round(1/unit)) / math.Round(1/unit)
	}
	return math.Round(x/unit) * unit
}

// String writes the range of a cut: "> 65000", "<= 3".
func (c cut) String() string {
	if c.above {
		return "> " + strconv.FormatFloat(c.at, 'f', -1, 64)
	}
	return "<= " + strconv.FormatFloat(c.at, 'f', -1, 64)
}

// holds reports whether a number is in the range.
func (c cut) holds(x float64) bool { return x > c.at == c.above }

func (m *measure) has(text string) bool {
	return slices.ContainsFunc(m.cuts, func(c cut) bool { return c.text == text })
}

// steady reports whether about as many values are beyond a cut as should be.
func (m *measure) steady(c cut) bool {
	want := c.quantile
	if c.above {
		want = 1 - c.quantile
	}
	got := m.beyond(c) / m.total
	return got <= want*steadyTo && got >= want/steadyTo
}

// beyond is how many values are in the range of a cut, to the nearest bucket.
func (m *measure) beyond(c cut) (n float64) {
	at := bucketOf(c.at)
	for b, k := range m.counts {
		if b > at == c.above {
			n += k
		}
	}
	return n
}

// valueAt is a value at a quantile, to the nearest bucket.
func (m *measure) valueAt(quantile float64) float64 {
	order := slices.Sorted(maps.Keys(m.counts))
	rest := quantile * m.total
	for _, b := range order {
		if rest -= m.counts[b]; rest <= 0 {
			return valueOf(b)
		}
	}
	return valueOf(order[len(order)-1])
}

// valueOf is the middle of a bucket.
func valueOf(b int) float64 {
	switch {
	case b == 0:
		return 0
	case b < 0:
		return -valueOf(-b)
	}
	return 1e-9 * math.Pow(finest, float64(b-1))
}

// measure reads the value of a measure. It reports false for what was taken for one
// by its name, and is no number: that may be a condition.
func (s *Stamper) measure(entity string, k key, text string) bool {
	x, ok := number(text)
	switch {
	case ok:
		s.measured(entity, k.name, x)
	case k.measured:
		return false
	default:
		s.stats.NoNumbers++
	}
	return true
}

// measured adds the ranges that a number lies in, and learns the number.
func (s *Stamper) measured(entity, dim string, x float64) {
	k := name{entity, dim}
	m := s.measures[k]
	if m == nil {
		if len(s.measures) >= mostMeasures {
			s.stats.RefusedDimensions++
			return
		}
		m = &measure{}
		s.measures[name{strings.Clone(entity), strings.Clone(dim)}] = m
	}
	for _, c := range m.cuts {
		if c.holds(x) {
			s.put(entity, dim, c.text)
		}
	}
	m.add(x)
}

// ageMeasures halves what was learned of all measures and loads, and forgets measures
// of which nothing is left and services that have had no request for long.
func (s *Stamper) ageMeasures(now time.Time) {
	for k, m := range s.measures {
		if m.age(); m.total == 0 {
			delete(s.measures, k)
		}
	}
	for k, l := range s.loads {
		if l.past.total > 2*momentsKnown {
			l.past.halve()
		}
		if now.UnixNano()/int64(momentLength)-l.moment > momentsIdle {
			delete(s.loads, k)
		}
	}
}
