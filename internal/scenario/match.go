package scenario

import (
	"slices"

	"example.test/eddy/internal/condition"
)

// A Match says how what was found in telemetry compares with what was planted.
type Match string

// The matches, the best first.
const (
	// Exact: one of the sets found is a planted one, no more and no less.
	Exact Match = "exact"
	// Quiet: nothing was planted, and nothing was found.
	Quiet Match = "quiet"
	// Part: a set that was found shares conditions with a planted one.
	Part Match = "part"
	// Other: sets were found, and none shares a condition with a planted one.
	Other Match = "other"
	// Missed: something was planted, and nothing was found.
	Missed Match = "missed"
	// FalseAlarm: nothing was planted, and something was found.
	FalseAlarm Match = "false alarm"
)

// Compare holds the sets of conditions that were found in telemetry against the
// planted ones. Conditions are the same if their entity and dimension are; shows
// is as Record returns it. A planted condition that does not show can not be
// found, so a set with one can be found in part at best.
func (t Truth) Compare(found [][]condition.Condition, shows map[string]string) Match {
	switch {
	case len(t.Sets) == 0 && len(found) == 0:
		return Quiet
	case len(t.Sets) == 0:
		return FalseAlarm
	case len(found) == 0:
		return Missed
	}
	best := Other
	for _, set := range found {
		var names []string
		for _, c := range set {
			names = append(names, c.Name())
		}
		slices.Sort(names)
		for _, planted := range t.Sets {
			var want []string
			for _, id := range planted {
				want = append(want, shows[id])
			}
			slices.Sort(want)
			if slices.Equal(names, want) {
				return Exact
			}
			if slices.ContainsFunc(names, func(n string) bool { return slices.Contains(want, n) }) {
				best = Part
			}
		}
	}
	return best
}
