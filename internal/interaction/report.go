package interaction

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/search"
)

// enough is the share of the failures that findings must account for, for them
// to be the explanation.
const enough = 0.2

// report writes the result: the findings, what was merely there, and what is
// missing.
func (m *miner) report(r *Result, found []judgement) {
	var explained float64
	for i, j := range found {
		f := m.finding(j)
		f.Rank = i + 1
		r.Findings = append(r.Findings, f)
		if f.Verdict != Proxy { // which leads to an explanation, and is none
			explained += j.excess
		}
	}
	r.Explained = min(1, max(0, explained/float64(r.Failed)))
	r.Verdict = NoExplanation
	if r.Explained >= enough && len(r.Findings) > 0 {
		r.Verdict = r.Findings[0].Verdict
	}
	m.missing(r)
	m.coincidences(r, found)
}

// condition is the one that findings name for class k.
func (m *miner) condition(k int32) condition.Condition {
	return m.ledger.catalog.conditions[m.classes.list[k].first]
}

// finding says in full what was found about a set, counted on all rows.
func (m *miner) finding(j judgement) Finding {
	set := slices.Clone(j.set)
	slices.SortFunc(set, func(a, b int32) int { return condition.Compare(m.condition(a), m.condition(b)) })
	f := Finding{
		Excess: round(j.excess), P: j.p,
		Aliases: []AliasOf{}, For: []string{}, Against: []string{}, Missing: []string{},
	}
	for _, k := range set {
		f.Conditions = append(f.Conditions, m.condition(k))
	}
	t := m.exact.cross(set, true)
	f.Coverage = round(float64(t.cells[t.whole()].failed) / float64(m.ledger.failed))
	at := m.where(t)
	if at != nil {
		t.restrict(func(s int) bool { return slices.Contains(at, m.ledger.locations[s]) })
		for _, loc := range at {
			for _, id := range m.ledger.places[loc] {
				f.Where = append(f.Where, m.ledger.catalog.conditions[id])
			}
		}
		slices.SortFunc(f.Where, condition.Compare)
		f.Where = slices.Compact(f.Where)
	}
	f.Cells = m.cells(set, t)
	m.exemplify(&f, set, at)
	f.Difference = round(m.difference(t))
	var by contrast
	f.Verdict, f.Grade, by = m.verdict(j, t)
	whole, with := m.among(set)
	m.argue(&f, j, t, by)
	m.lookalikes(&f, set, whole, with)
	m.untested(&f, set, whole, with)
	f.Missing = append(f.Missing, m.inForce(j.during)...)
	return f
}

// elsewhere is the p at which the failures of a set keep to some locations.
const elsewhere = 0.01

// where returns the locations that hold nearly all failures of the whole set,
// when much of the traffic that had the set was elsewhere; else nil.
//
// A dozen failures among many locations leave some without any by chance, and the
// risk of the others would seem higher than it is. So they must keep to the locations
// more than the best choice of some would by chance, of all choices that there are.
func (m *miner) where(t *cross) []int32 {
	type at struct {
		location int32
		failed   int64
		total    int64
	}
	per := make([]at, len(m.ledger.places))
	var all at
	for s := range t.strata() {
		c := t.stratum(s)[t.whole()]
		a := &per[m.ledger.locations[s]]
		a.failed, a.total = a.failed+c.failed, a.total+c.total()
		all.failed, all.total = all.failed+c.failed, all.total+c.total()
	}
	for i := range per {
		per[i].location = int32(i)
	}
	slices.SortFunc(per, func(a, b at) int {
		return cmp.Or(cmp.Compare(b.failed, a.failed), cmp.Compare(a.location, b.location))
	})
	var out []int32
	var some at
	for _, a := range per {
		if float64(some.failed) >= 0.95*float64(all.failed) {
			break
		}
		some.failed, some.total = some.failed+a.failed, some.total+a.total
		out = append(out, a.location)
	}
	if float64(some.total) > 0.9*float64(all.total) {
		return nil
	}
	met := 0 // locations with the whole set, each of which may be chosen or not
	for _, a := range per {
		if a.total > 0 {
			met++
		}
	}
	f, n, traffic := float64(all.failed), float64(some.total), float64(all.total)
	if search.Deviance(float64(some.failed), f*n/traffic, n, f, traffic) < 2*(float64(met)*math.Ln2-math.Log(elsewhere)) {
		return nil
	}
	for _, loc := range out {
		if len(m.ledger.places[loc]) == 0 {
			return nil // the pool of small locations has no name
		}
	}
	slices.Sort(out)
	return out
}

// cells lists the cells of a set: element i is bit i.
func (m *miner) cells(set []int32, t *cross) []Cell {
	var out []Cell
	for _, i := range cellOrder(len(set)) {
		c := Cell{Holds: []string{}, Total: int(t.cells[i].total()), Failed: int(t.cells[i].failed)}
		for e, k := range set {
			if i>>e&1 == 1 {
				c.Holds = append(c.Holds, m.condition(k).String())
			}
		}
		p := t.cells[i].risk(m.ledger.typical)
		low, high := p.interval()
		c.Risk, c.Low, c.High = round(p.risk), round(low), round(high)
		out = append(out, c)
	}
	return out
}

// cellOrder lists the cells of a set of k elements by how many hold, most
// first; between all but one and none, only for sets of up to three.
func cellOrder(k int) []int {
	var out []int
	for i := range 1 << k {
		if n := bits.OnesCount(uint(i)); k <= 3 || n >= k-1 || n == 0 {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		// Among equals, those with the first elements come first.
		return cmp.Or(cmp.Compare(bits.OnesCount(uint(b)), bits.OnesCount(uint(a))),
			cmp.Compare(bits.Reverse(uint(b)), bits.Reverse(uint(a))))
	})
	return out
}

// round keeps six digits after the point, so that results do not show noise of
// floating point.
func round(x float64) float64 { return float64(int64(x*1e6+copysign(0.5, x))) / 1e6 }

func copysign(a, b float64) float64 {
	if b < 0 {
		return -a
	}
	return a
}
