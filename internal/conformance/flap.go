package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// step is one transition of a lineage.
type step struct {
	from, to string
	at       time.Time
	epoch    epochKey
}

// step notes a transition.
func (m *Monitor) step(lineage subjectKey, s step) {
	steps := m.lineages[lineage]
	at, _ := slices.BinarySearchFunc(steps, s, func(a, b step) int { return a.at.Compare(b.at) })
	steps = slices.Insert(steps, at, s)
	if len(steps) > maxSteps {
		steps = steps[1:]
		m.dropped++
	}
	m.lineages[lineage] = steps
}

// flips are the times at which one lineage went back: of a transition a to b that
// came within an hour after b to a.
func flips(steps []step) []time.Time {
	var at []time.Time
	for i, s := range steps {
		if slices.ContainsFunc(steps[:i], func(b step) bool { return b.from == s.to && b.to == s.from && s.at.Sub(b.at) <= time.Hour }) {
			at = append(at, s.at)
		}
	}
	return at
}

// flipsOfHour is, of one lineage,
//
//	M6(t) = #{flips in (t-1h, t]}
func flipsOfHour(steps []step, now time.Time) int {
	n := 0
	for _, at := range flips(steps) {
		if at.After(now.Add(-time.Hour)) && !at.After(now) {
			n++
		}
	}
	return n
}

// flaps is M6 of a contract: the largest over lineages, and whose that is.
func (m *Monitor) flaps(id string, now time.Time) (most int, of string) {
	for key, steps := range m.lineages {
		if key.contract != id {
			continue
		}
		n := flipsOfHour(steps, now)
		if n > most || n == most && n > 0 && key.subject < of {
			most, of = n, key.subject
		}
	}
	return most, of
}

// flapping reports since when a lineage flaps: from the flip at which M6 rises
// above the target, until M6 has fallen to half of it. Between the two it neither
// begins nor ends, so that a lineage at the target is not found again and again.
// most is the highest M6 of that time.
func flapping(steps []step, target float64, now time.Time) (since time.Time, most int, yes bool) {
	type edge struct {
		at   time.Time
		rise int
	}
	var edges []edge
	for _, at := range flips(steps) {
		edges = append(edges, edge{at, 1}, edge{at.Add(time.Hour), -1})
	}
	// (t-1h, t]: one that leaves at t is out by then, so it goes first.
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.rise, b.rise)) })
	n := 0
	for _, e := range edges {
		if e.at.After(now) {
			break
		}
		n += e.rise
		switch {
		case !yes && float64(n) > target:
			since, most, yes = e.at, n, true
		case yes && float64(n) <= target/2:
			yes = false
		case yes:
			most = max(most, n)
		}
	}
	return since, most, yes
}

// flappers finds F4, flapping: a lineage whose M6 is above the target of its
// contract, with the hysteresis of flapping.
func (m *Monitor) flappers(now time.Time) []Finding {
	var found []Finding
	for key, steps := range m.lineages {
		c := m.lookup(key.contract)
		if c == nil || c.SLO.M6 <= 0 {
			continue
		}
		if since, most, yes := flapping(steps, c.SLO.M6, now); yes {
			found = append(found, Finding{
				Code: Flapping, Contract: key.contract, Subject: key.subject, Since: since, Until: now, Origin: Announced,
				Text: fmt.Sprintf("flapping: it went back and forth %d times within an hour, and %g is the most", most, c.SLO.M6),
				For:  flapEvidence(steps, since),
			})
		}
	}
	return found
}

// flapEvidence lists the last steps of a lineage that flaps, a line each.
func flapEvidence(steps []step, since time.Time) []string {
	const most = 6
	var lines []string
	for _, s := range slices.Backward(steps) {
		if len(lines) == most {
			break
		}
		lines = append(lines, fmt.Sprintf("%s: %s to %s", clock(s.at), s.from, s.to))
	}
	slices.Reverse(lines)
	return append(lines, "above the target since "+clock(since))
}

// clock writes a time of day, in UTC.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000Z") }
