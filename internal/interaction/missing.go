package interaction

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/search"
	"example.test/eddy/internal/wording"
)

// missing says what would be needed to say more, the most useful first.
func (m *miner) missing(r *Result) {
	if r.Verdict == NoExplanation {
		m.concentrated(r)
	}
	if len(m.classes.list) == 0 && len(m.ledger.catalog.unlisted) == 0 && len(r.Findings) == 0 {
		r.Missing = append(r.Missing, fmt.Sprintf(
			"No condition differs among the %s on record: versions, flags and states were not recorded, or were the same for all.", m.options.words().Nouns))
	}
	explains := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict != Proxy })
	if explains && r.Explained < enough {
		r.Missing = append(r.Missing, fmt.Sprintf(
			"What was found accounts for %s of the %s; for the rest nothing on record does.", percent(r.Explained), m.options.words().Nouns))
	}
	if r.Cut = m.cut; r.Cut {
		r.Missing = append(r.Missing, fmt.Sprintf(
			"The search was cut short after %s sets: a smaller order or fewer columns would let it finish.", wording.Count(search.Most)))
	}
	switch {
	case r.Verdict != NoExplanation:
	case m.change != nil:
		r.Missing = append(r.Missing, m.change.power(m))
	default:
		r.Missing = append(r.Missing, m.power())
	}
}

// carried is the share of the observations that the condition of power has.
const carried = 0.1

// power says how small an effect this table could have shown: by how much a
// single condition carried by a tenth of the observations would have had to add
// to the risk of the others to be significant.
func (m *miner) power() string {
	failed, ok := float64(m.ledger.failed), float64(m.ledger.total-m.ledger.failed)
	has := math.Round(carried * (failed + ok))
	limit := m.options.Alpha / m.tests[1] * math.Pow(carried, rarity)
	most := int(min(has, failed))
	// least is how many failures the condition must have to be told from chance.
	least := sort.Search(most+1, func(n int) bool {
		o := float64(n)
		var c split
		c.add(o, has-o, failed-o, ok-(has-o))
		return o > has*failed/(failed+ok) && c.p() <= limit
	})
	what := wording.Plural(int(m.ledger.failed), m.options.words().Noun)
	if least > most {
		are := "are"
		if m.ledger.failed == 1 {
			are = "is"
		}
		return fmt.Sprintf("%s %s too few: not even a condition carried by 10%% of %s that caused all of them would have been told from chance.",
			what, are, m.options.Noun)
	}
	o, w := float64(least), m.ledger.typical
	base := (failed - o) / (failed - o + (ok-(has-o))*w)
	adds := o/(o+(has-o)*w) - base
	return fmt.Sprintf("With %s, any condition carried by 10%% of %s that adds %s or more to the risk of the others, %s, would be seen.",
		what, m.options.Noun, percent(ceil(adds)), percent(base))
}

// ceil rounds a share up to two digits, and to a hundredth of a percent at least.
func ceil(x float64) float64 {
	unit := max(1e-4, math.Pow(10, math.Floor(math.Log10(x))-1))
	return math.Ceil(x/unit-1e-9) * unit
}

// concentrated says where the failures that nothing explains were, if they
// keep to a part of the locations.
func (m *miner) concentrated(r *Result) {
	type at struct {
		location      int32
		failed, total int64
	}
	per := make([]at, len(m.ledger.places))
	var all at
	for s, n := range m.exact.strata() {
		a := &per[m.ledger.locations[s]]
		a.failed, a.total = a.failed+n.failed, a.total+n.total()
		all.failed, all.total = all.failed+n.failed, all.total+n.total()
	}
	for i := range per {
		per[i].location = int32(i)
	}
	slices.SortFunc(per, func(a, b at) int {
		return cmp.Or(cmp.Compare(b.failed, a.failed), cmp.Compare(a.location, b.location))
	})
	var some at
	var places []condition.Condition
	for _, a := range per {
		if float64(some.failed) >= 0.8*float64(all.failed) {
			break
		}
		for _, id := range m.ledger.places[a.location] {
			places = append(places, m.ledger.catalog.conditions[id])
		}
		some.failed, some.total = some.failed+a.failed, some.total+a.total
	}
	f, n := ratio(some.failed, all.failed), ratio(some.total, all.total)
	if all.failed == 0 || len(places) == 0 || f < 1.5*n {
		return
	}
	r.Missing = append(r.Missing, fmt.Sprintf(
		"The %s are concentrated at %s: %s of them, with %s of the %s. No condition on record tells the %[5]s there that %[6]s from the others.",
		m.options.words().Nouns, list(places, phrase), percent(f), percent(n), m.options.Noun, m.options.words().Did))
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
