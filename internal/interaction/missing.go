package interaction

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"example.test/eddy/internal/condition"
)

// missing says what would be needed to say more.
func (m *miner) missing(r *Result) {
	if r.Verdict == NoExplanation {
		m.concentrated(r)
		r.Missing = append(r.Missing, m.power(r.Failed))
	}
	if len(r.Findings) > 0 && r.Explained < enough {
		r.Missing = append(r.Missing, fmt.Sprintf(
			"What was found accounts for %s of the failures; for the rest nothing on record does.", percent(r.Explained)))
	}
	if m.cut {
		r.Missing = append(r.Missing, fmt.Sprintf(
			"The search was cut short after %s sets: a smaller order or fewer columns would let it finish.", count(mostNodes)))
	}
	if len(m.classes.list) == 0 && len(r.Findings) == 0 {
		r.Missing = append(r.Missing, "No condition differs among the failures on record: versions, flags and states were not recorded, or were the same for all.")
	}
}

// power says how small an effect this many failures could have shown: the risk
// ratio at which a single condition carried by a tenth of the traffic would
// have been significant.
func (m *miner) power(failed int) string {
	const carried = 0.1
	f := float64(failed)
	limit := m.options.Alpha / m.tests[1]
	o := math.Ceil(f * carried)
	for o <= f && tail(f, o, f*carried) > limit {
		o++
	}
	if o >= f {
		are := "are"
		if failed == 1 {
			are = "is"
		}
		return fmt.Sprintf("%s %s too few: not even a condition carried by 10%% of traffic that caused all of them would have been told from chance.",
			plural(failed, "failure"), are)
	}
	ratio := o / (f - o) * (1 - carried) / carried
	return fmt.Sprintf("With %s, a condition carried by 10%% of traffic would be seen from %.1f times the base risk.",
		plural(failed, "failure"), ratio)
}

// concentrated says where the failures that nothing explains were, if they
// keep to a part of the locations.
func (m *miner) concentrated(r *Result) {
	type at struct {
		location      int32
		failed, total int64
	}
	per := make([]at, len(m.groups.places))
	var all at
	for i := range m.ledger.entries {
		if !m.exact.lives(i) {
			continue
		}
		e := &m.ledger.entries[i]
		a := &per[m.groups.at[e.stratum]]
		a.failed, a.total = a.failed+e.failed, a.total+e.failed+e.ok
		all.failed, all.total = all.failed+e.failed, all.total+e.failed+e.ok
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
		for _, id := range m.groups.places[a.location] {
			places = append(places, m.table.Conditions[id])
		}
		some.failed, some.total = some.failed+a.failed, some.total+a.total
	}
	f, n := ratio(some.failed, all.failed), ratio(some.total, all.total)
	if all.failed == 0 || len(places) == 0 || f < 1.5*n {
		return
	}
	r.Missing = append(r.Missing, fmt.Sprintf(
		"The failures are concentrated at %s: %s of them, with %s of the requests. No condition on record tells the requests there that failed from those that did not.",
		list(places, phrase), percent(f), percent(n)))
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
