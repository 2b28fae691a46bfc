package interaction

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/wording"
)

const (
	// alike is the share of the observations with either condition that must
	// have both, for the two to be compared.
	alike = 0.8
	// apart is the p at which one of two alike conditions explains more.
	apart = 0.01
	// bound is how much two conditions must have to do with each other, by the
	// correlation of the 2x2 table, for the one that explains less to be named: two
	// that nearly all requests have are alike as well.
	bound = 0.6
	// mostProxies is how many of a finding are named.
	mostProxies = 3
)

// lookalikes lists the conditions that cannot be told from those of a set: of its
// elements' classes, and near aliases whose discordant observations do not
// decide between the two; and as proxies those of which they do. Whole and with
// count the entries that have the whole set, all of them and by class.
func (m *miner) lookalikes(f *Finding, set []int32, whole sum, with []sum) {
	for _, k := range set {
		for _, id := range m.classes.list[k].others {
			f.Aliases = append(f.Aliases, AliasOf{m.ledger.catalog.conditions[id], m.condition(k), 0})
		}
	}
	type proxy struct {
		AliasOf
		parallel
	}
	var proxies []proxy
	for i, k := range set {
		rest := slices.Delete(slices.Clone(set), i, i+1)
		for _, p := range m.pairs(k, rest, whole, with) {
			a := AliasOf{m.condition(p.other), m.condition(k), int(p.first.total() + p.second.total())}
			switch {
			case p.undecided():
				f.Aliases = append(f.Aliases, a)
			case p.correlation() >= bound && m.classes.list[p.other].name != m.classes.list[k].name:
				proxies = append(proxies, proxy{a, p})
			}
		}
	}
	slices.SortStableFunc(f.Aliases, func(a, b AliasOf) int { return cmp.Compare(a.Discordant, b.Discordant) })
	slices.SortStableFunc(proxies, func(a, b proxy) int { return cmp.Compare(a.Discordant, b.Discordant) })
	for _, p := range proxies[:min(len(proxies), mostProxies)] {
		f.Proxies = append(f.Proxies, p.AliasOf)
		f.For = append(f.For, m.parted(p.AliasOf, p.parallel))
	}
}

// parted says why a condition that goes with one of a finding's is no cause: what
// happened where only one of the two was in force, with the rest of the finding.
func (m *miner) parted(a AliasOf, p parallel) string {
	text := fmt.Sprintf("Not %s, which goes with %s: ", phrase(a.Condition), phrase(a.Of))
	only := func(c condition.Condition, n sum) string {
		return fmt.Sprintf("where only %s was in force, %s of %s %s (%s)", phrase(c), wording.Count(n.failed), wording.Count(n.total()),
			m.options.words().Ended(int(n.failed)), percent(n.risk(m.ledger.typical).risk))
	}
	switch {
	case p.second.total() == 0:
		return text + only(a.Of, p.first) + "."
	case p.first.total() == 0:
		return text + only(a.Condition, p.second) + "."
	}
	return text + only(a.Of, p.first) + "; " + only(a.Condition, p.second) + "."
}

// A parallel compares an element of a set with another class, among the
// observations that have the rest of the set.
type parallel struct {
	other         int32
	both, neither sum
	first, second sum // only the element, only the other
}

// correlation is that of the two conditions (phi, of the 2x2 table).
func (p parallel) correlation() float64 {
	a, b, c, d := float64(p.both.total()), float64(p.first.total()), float64(p.second.total()), float64(p.neither.total())
	if (a+b)*(c+d)*(a+c)*(b+d) <= 0 {
		return 0
	}
	return (a*d - b*c) / math.Sqrt((a+b)*(c+d)*(a+c)*(b+d))
}

// pairs finds the classes that nearly coincide with class k among the entries
// that have all of rest. Whole and with count the entries that have k as well,
// all of them and by class.
func (m *miner) pairs(k int32, rest []int32, whole sum, with []sum) []parallel {
	x := m.exact
	x.spare = x.without(x.spare, k, rest, true)
	lacks := m.ledger.tally(x.spare)
	var out []parallel
	for c := range m.classes.list {
		if float64(with[c].total()) < alike*float64(whole.total()) || int32(c) == k || slices.Contains(rest, int32(c)) {
			continue
		}
		x.need([]int32{int32(c)})
		second := m.ledger.both(x.spare, x.class[c])
		p := parallel{int32(c), with[c], lacks.minus(second), whole.minus(with[c]), second}
		union := p.both.total() + p.first.total() + p.second.total()
		if union > 0 && float64(p.both.total()) >= alike*float64(union) {
			out = append(out, p)
		}
	}
	return out
}

// among counts the entries that have all of set, and every class among them that may
// be a lookalike or untested: of other classes, less than they count.
func (m *miner) among(set []int32) (all sum, with []sum) {
	x, n := m.exact, len(m.classes.list)
	x.spare = x.mask(x.spare, set, true)
	all = m.ledger.tally(x.spare)
	total := float64(all.total())
	least := make([]int64, n)
	for k := range least {
		// What has one condition of two or both is at least what has the other one.
		least[k] = all.total() - fewRows
		if len(set) > 1 || float64(m.classes.list[k].total) <= total/alike+1 {
			least[k] = min(least[k], int64(alike*total))
		}
	}
	with = make([]sum, n)
	x.byClass(x.spare, all, least, with)
	return all, with
}

// undecided reports whether the discordant observations leave open which of the
// two matters. Where each occurs without the other, they are compared with each
// other; where only the element does, it must do harm alone; where only the
// other does, that must do less harm than both.
func (p parallel) undecided() bool {
	switch {
	case p.first.total() > 0 && p.second.total() > 0:
		return riskier(p.first, p.second) > apart
	case p.first.total() > 0:
		return riskier(p.first, p.neither) > apart
	case p.second.total() > 0:
		return riskier(p.both, p.second) > apart
	}
	return true
}

// riskier is the p at which a fails more often than b.
func riskier(a, b sum) float64 {
	var c split
	c.add(float64(a.failed), float64(a.ok), float64(b.failed), float64(b.ok))
	return c.p()
}
