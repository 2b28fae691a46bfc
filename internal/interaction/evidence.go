package interaction

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/wording"
)

// argue writes the evidence of a finding, which by shows to be an interaction if it
// is one.
func (m *miner) argue(f *Finding, j judgement, t *cross, by contrast) {
	whole := t.cells[t.whole()]
	p := whole.risk(m.ledger.typical)
	low, high := p.interval()
	words := m.options.words()
	f.For = append(f.For, fmt.Sprintf("%s of %s with %s %s: %s (%s to %s).",
		wording.Count(int(whole.failed)), m.options.things(whole.total()), list(f.Conditions, phrase), words.Ended(int(whole.failed)),
		percent(p.risk), percent(low), percent(high)))
	f.For = append(f.For, fmt.Sprintf("%s more than at the risk of %s; a set as striking by chance: %s.",
		wording.Plural(int(math.Round(j.excess)), words.Noun), m.others()+j.beside(), probability(j.p)))
	if m.change != nil {
		m.change.argue(f, j.set, whole, words)
	}
	if len(j.set) > 1 {
		for i := range t.order {
			c := t.cells[t.whole()&^(1<<i)]
			r := c.risk(m.ledger.typical)
			f.For = append(f.For, fmt.Sprintf("Without %s, %s of %s %s (%s).", phrase(f.Conditions[i]),
				wording.Count(int(c.failed)), wording.Count(int(c.total())), words.Ended(int(c.failed)), percent(r.risk)))
		}
	}
	if by != nil {
		low, high := by.interval(normal95)
		much := fmt.Sprintf("%s (%s to %s)", percent(by.estimate()), percent(low), percent(high))
		f.For = append(f.For, f.beyond(much)+"; by chance: "+probability(by.p())+".")
	}
	for _, w := range j.worse {
		f.For = append(f.For, fmt.Sprintf("With %s as well it is worse: %s; without, the harm stays.",
			phrase(m.condition(w.k)), percent(w.risk.risk)))
	}
	for i := range t.order {
		if c := t.cells[t.whole()&^(1<<i)]; t.order > 1 && c.total() < fewRows {
			f.Missing = append(f.Missing, fmt.Sprintf(
				"Whether %s is needed is not testable: only %s had the rest without it.",
				phrase(f.Conditions[i]), m.options.things(c.total())))
		}
	}
	if j.phi >= bursty {
		f.Against = append(f.Against, fmt.Sprintf(
			"Its %s came in bursts: from one time to the next they vary %.1f times as much as by chance, which its p allows for.",
			words.Nouns, j.phi))
	}
	if j.aside > 0 {
		f.Against = append(f.Against, fmt.Sprintf(
			"Only with each burst of %s counted once is it shown: %d of all %d, which repeat another of their burst, were put aside for that.",
			words.Nouns, j.aside, m.ledger.failed))
	}
	if m.downstream(j.set) {
		f.Against = append(f.Against, fmt.Sprintf(
			"A %s brings about %s, and not the other way round: what was behind the earlier one may be at work here too.",
			words.Noun, list(f.Conditions, phrase)))
	}
	m.doubt(f, t)
	m.halves(f, j.set) // the table is no longer good
}

// beside says that a finding is about what those before it leave.
func (j *judgement) beside() string {
	switch j.after {
	case 0:
		return ""
	case 1:
		return ", with what has the first finding put aside"
	}
	return fmt.Sprintf(", with what has the first %s findings put aside", wording.Few(j.after))
}

// beyond says what the risk of an interaction exceeds by so much.
func (f *Finding) beyond(much string) string {
	switch f.Grade {
	case onlyTogether:
		return "Only together: " + much + " above the risks of the parts and of the rest"
	case superAdditive:
		return "More than they add one by one: " + much + " above the sum of that"
	}
	return "More together: " + much + " above the risks of the parts"
}

// others names what a set is compared with.
func (m *miner) others() string {
	if m.change != nil {
		return "before, and what the rest has risen by"
	}
	text := "other " + m.options.Noun
	timed := m.ledger.timed
	placed := slices.ContainsFunc(m.ledger.places, func(ids []condition.ID) bool { return len(ids) > 0 })
	switch {
	case timed && placed:
		return text + " of the same time and place"
	case timed:
		return text + " of the same time"
	case placed:
		return text + " of the same place"
	}
	return text
}

// halves tests the set on two halves of the rows, split by a hash of what they
// are, if each has enough failures: an effect of few odd rows holds in one.
func (m *miner) halves(f *Finding, set []int32) {
	const manyRows = 1000 // distinct ones, with failures
	if len(m.ledger.failing) < 2*manyRows {
		return
	}
	var p [2]float64
	m.exact.halves(set, func(h int, t *cross) {
		c := m.exact.compare(t, func(c int) bool { return c == 1 }, func(int) bool { return true })
		p[h] = c.p()
	})
	text := fmt.Sprintf("of the data, split at random: %s and %s.", probability(p[0]), probability(p[1]))
	if max(p[0], p[1]) <= 0.01 {
		f.For = append(f.For, "It holds in both halves "+text)
	} else {
		f.Against = append(f.Against, "It does not hold in both halves "+text)
	}
}

// doubt writes what speaks against a finding: that its failures came in one
// burst, or that the mix of places and times exaggerates or hides it.
func (m *miner) doubt(f *Finding, t *cross) {
	if b, n := m.burst(t); n > 1 && b >= mostBurst {
		f.Against = append(f.Against, fmt.Sprintf(
			"%s of its %s fell into one stretch of %s, although the conditions were in force in %d: one burst could do the same.",
			percent(b), m.options.words().Nouns, m.options.Bucket, n))
	}
	crude, within := m.ratios(t)
	if crude <= 0 || within <= 0 {
		return // nothing else fails
	}
	if d := math.Log(crude) - math.Log(within); math.Abs(d) > mixShift {
		how := "exaggerates"
		if d < 0 {
			how = "hides"
		}
		f.Against = append(f.Against, fmt.Sprintf(
			"Mix shift: the risk is %.1f times that of all other %s, and %.1f times that of %s; the mix %s the effect.",
			crude, m.options.Noun, within, m.others(), how))
	}
}

// ratios returns the risk of the whole set over that of the rest, crude and
// within strata (Mantel and Haenszel 1959); 0 where there is none.
func (m *miner) ratios(t *cross) (crude, within float64) {
	var in, out sum
	var up, down float64
	for s := range t.strata() {
		cells := t.stratum(s)
		var rest sum
		for i, c := range cells {
			if i != t.whole() {
				rest = rest.plus(c)
			}
		}
		c := cells[t.whole()]
		in, out = in.plus(c), out.plus(rest)
		n1, n2 := float64(c.failed)+c.w/weightUnit, float64(rest.failed)+rest.w/weightUnit
		if n1 > 0 && n2 > 0 {
			up += float64(c.failed) * n2 / (n1 + n2)
			down += float64(rest.failed) * n1 / (n1 + n2)
		}
	}
	if out.failed == 0 || down <= 0 {
		return 0, 0
	}
	return in.risk(m.ledger.typical).risk / out.risk(m.ledger.typical).risk, up / down
}

const (
	// mostBurst is the share of a finding's failures in one stretch of time
	// from which it may be a burst.
	mostBurst = 0.9
	// bursty is the dispersion from which it is said.
	bursty = 2
	// mixShift is by how much the logarithms of the crude and the stratified
	// risk ratio may differ before it is said.
	mixShift = 0.7
)

// burst returns the largest share of the failures of the whole set in one
// stretch of time, and in how many such stretches the set was in force.
func (m *miner) burst(t *cross) (share float64, stretches int) {
	failed := make(map[int64]int64)
	var all, most int64
	for s := range t.strata() {
		c := t.stratum(s)[t.whole()]
		if c.total() == 0 {
			continue
		}
		b := m.ledger.buckets[s]
		failed[b] += c.failed
		all, most = all+c.failed, max(most, failed[b])
	}
	return ratio(most, all), len(failed)
}

// untested names conditions that nearly all observations of the finding had
// besides, so that whether they are needed too cannot be told. It leaves out
// what goes without saying: other values of an element's name, and what an
// element, or a condition already named, never comes without.
// Has and with count the entries that have the whole set, all of them and by class.
func (m *miner) untested(f *Finding, set []int32, has sum, with []sum) {
	all := list(f.Conditions, phrase)
	var found []int32
	for c, k := range m.classes.list {
		if k.context == varies && has.total()-with[c].total() < fewRows &&
			float64(k.total) <= 0.8*float64(m.ledger.total) && !m.listed(f, int32(c)) {
			found = append(found, int32(c))
		}
	}
	slices.SortFunc(found, func(a, b int32) int {
		return cmp.Or(cmp.Compare(m.classes.list[a].total, m.classes.list[b].total), cmp.Compare(a, b))
	})
	said := slices.Clone(set)
	for _, k := range found {
		if len(said)-len(set) == mostUntested {
			break
		}
		if slices.ContainsFunc(said, func(s int32) bool {
			return m.classes.list[s].name == m.classes.list[k].name || m.exact.implies(s, k)
		}) {
			continue
		}
		said = append(said, k)
		seen := "no " + strings.TrimSuffix(m.options.Noun, "s") + " had"
		if lack := has.total() - with[k].total(); lack > 0 {
			seen = "only " + m.options.things(lack) + " had"
		}
		f.Missing = append(f.Missing, fmt.Sprintf("Whether %s is needed too is not testable: %s %s without it.",
			phrase(m.condition(k)), seen, all))
	}
}

// mostUntested is how many such conditions a finding names.
const mostUntested = 3

// listed reports whether class k is among the finding's aliases.
func (m *miner) listed(f *Finding, k int32) bool {
	return slices.ContainsFunc(f.Aliases, func(a AliasOf) bool { return a.Condition == m.condition(k) })
}
