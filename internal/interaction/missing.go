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

// coincidences lists the environment conditions that were in force when
// failures were, more than chance gives. One that came and went with the
// failures cannot be told from all else that changed at the time.
func (m *miner) coincidences(r *Result) {
	type coincidence struct {
		k        int32
		deviance float64
		share    float64
		episodes int
	}
	var list []coincidence
	for k := range m.classes.list {
		if m.classes.list[k].context != environment {
			continue
		}
		c := m.overTime(int32(k))
		if d := c.deviance(); d > 2*m.price && c.p() < m.options.Alpha/float64(len(m.classes.list)) {
			list = append(list, coincidence{int32(k), d, c.observed / c.failed, m.episodes(int32(k))})
		}
	}
	slices.SortFunc(list, func(a, b coincidence) int {
		return cmp.Or(cmp.Compare(b.deviance, a.deviance), cmp.Compare(a.k, b.k))
	})
	for i, c := range list {
		if i == 5 {
			break
		}
		at := m.condition(c.k)
		r.Coincident = append(r.Coincident, at)
		text := fmt.Sprintf("%s was in force for %s of the failures", phrase(at), percent(c.share))
		if c.episodes < 3 {
			text += fmt.Sprintf(", but in only %s: it cannot be separated from time.", plural(c.episodes, "episode"))
		} else {
			text += fmt.Sprintf(", over %s, for all requests or none at a time: nothing shows that it did more than be there.",
				plural(c.episodes, "episode"))
		}
		r.Missing = append(r.Missing, text)
	}
}

// overTime compares failures with and without an environment condition within
// locations but across time: it describes, and proves nothing.
func (m *miner) overTime(k int32) split {
	on, off := make([]sum, len(m.groups.places)), make([]sum, len(m.groups.places))
	for i := range m.ledger.entries {
		e := &m.ledger.entries[i]
		loc := m.groups.at[e.stratum]
		if m.has(e, k) {
			on[loc].add(e)
		} else {
			off[loc].add(e)
		}
	}
	t := &cross{order: 1, strata: make([][]sum, len(on))}
	for i := range on {
		t.strata[i] = []sum{off[i], on[i]}
	}
	return m.exact.compare(t, func(c int) bool { return c == 1 }, func(int) bool { return true })
}

// has reports whether an entry has class k.
func (m *miner) has(e *entry, k int32) bool {
	_, ok := slices.BinarySearch(e.conditions, m.classes.list[k].first)
	return ok
}

// episodes counts how many times an environment condition came into force,
// among the rows that could have it.
func (m *miner) episodes(k int32) int {
	first := m.classes.list[k].first
	entity := m.table.Conditions[first].Entity
	var rows []int32
	for i, r := range m.table.Rows {
		could := entity == "" || slices.ContainsFunc(r.Conditions, func(id condition.ID) bool {
			return m.table.Conditions[id].Entity == entity
		})
		if could && r.Total > 0 {
			rows = append(rows, int32(i))
		}
	}
	slices.SortFunc(rows, func(a, b int32) int { return m.table.Rows[a].Time.Compare(m.table.Rows[b].Time) })
	// The state is what most rows of a moment say, so that a row out of order
	// does not count as an episode.
	size := max(momentRows, len(rows)/mostMoments)
	n, on := 0, false
	for ; len(rows) > 0; rows = rows[min(size, len(rows)):] {
		has := 0
		part := rows[:min(size, len(rows))]
		for _, i := range part {
			if _, ok := slices.BinarySearch(m.table.Rows[i].Conditions, first); ok {
				has++
			}
		}
		now := 2*has > len(part)
		if now && !on {
			n++
		}
		on = now
	}
	return max(n, 1)
}
