package incident

import (
	"cmp"
	"fmt"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
)

// ended returns the kept observations with an outcome, the oldest first.
func (s Step) ended(outcome request.Outcome) []*condition.Observation {
	var list []*condition.Observation
	for i := range s.Kept {
		if s.Kept[i].Outcome == outcome {
			list = append(list, &s.Kept[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *condition.Observation) int { return a.Time.Compare(b.Time) })
	return list
}

// ids returns the numbers of conditions, in their order.
func (s Step) ids(conditions []condition.Condition) []condition.ID {
	ids := make([]condition.ID, 0, len(conditions))
	for _, c := range conditions {
		if id, ok := s.Dictionary.ID(c); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// holding returns those of list in which all conditions were in force.
func (s Step) holding(list []*condition.Observation, conditions []condition.Condition) []*condition.Observation {
	ids := s.ids(conditions)
	if len(ids) < len(conditions) {
		return nil
	}
	var held []*condition.Observation
	for _, o := range list {
		if holds(o, ids) {
			held = append(held, o)
		}
	}
	return held
}

// holds reports whether all of ids are among the observation's conditions.
func holds(o *condition.Observation, ids []condition.ID) bool {
	for _, id := range ids {
		if _, ok := slices.BinarySearch(o.Conditions, id); !ok {
			return false
		}
	}
	return true
}

// jaccard is the size of the intersection over that of the union.
func jaccard(a, b []*condition.Observation) float64 {
	in := make(map[*condition.Observation]bool, len(a))
	for _, o := range a {
		in[o] = true
	}
	both := 0
	for _, o := range b {
		if in[o] {
			both++
		}
	}
	if union := len(a) + len(b) - both; union > 0 {
		return float64(both) / float64(union)
	}
	return 0
}

// without returns list less the observations in drop.
func without(list, drop []*condition.Observation) []*condition.Observation {
	out := make(map[*condition.Observation]bool, len(drop))
	for _, o := range drop {
		out[o] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(o *condition.Observation) bool { return out[o] })
}

// share is the part of list for which in holds.
func share(list []*condition.Observation, in func(*condition.Observation) bool) float64 {
	n := 0
	for _, o := range list {
		if in(o) {
			n++
		}
	}
	return float64(n) / float64(max(1, len(list)))
}

// entriesOf returns the entries of list, the one with most first.
func entriesOf(list []*condition.Observation) []request.Entry {
	n := map[request.Entry]int{}
	for _, o := range list {
		n[o.Entry]++
	}
	entries := make([]request.Entry, 0, len(n))
	for e := range n {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b request.Entry) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation))
	})
	return entries
}

// union adds to a what is only in b.
func union(a, b []request.Entry) []request.Entry {
	a = slices.Clone(a)
	for _, e := range b {
		if !slices.Contains(a, e) {
			a = append(a, e)
		}
	}
	return a
}

// merge joins lists of sentences, each sentence once, at most ten.
func merge(lists ...[]string) []string {
	const most = 10
	merged := []string{}
	for _, l := range lists {
		for _, s := range l {
			if len(merged) < most && !slices.Contains(merged, s) {
				merged = append(merged, s)
			}
		}
	}
	return merged
}

// subject names what fails, for a sentence.
func subject(entries []request.Entry) string {
	switch len(entries) {
	case 0:
		return "Traffic"
	case 1:
		return entries[0].Operation
	case 2:
		return entries[0].Operation + " and " + entries[1].Operation
	}
	return fmt.Sprintf("%s and %d other operations", entries[0].Operation, len(entries)-1)
}

// words are how sentences speak of the requests that an incident is about.
func (i *Incident) words() request.Words { return i.Outcome.Words("request") }

// plainly chooses between one and many.
func plainly(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// wilsonLow is the lower end of the interval.
func wilsonLow(k, n float64) float64 {
	low, _ := interaction.Wilson(k, n)
	return low
}

// wilsonHigh is the upper end of the interval.
func wilsonHigh(k, n float64) float64 {
	_, high := interaction.Wilson(k, n)
	return high
}
