package accuracy

import (
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
)

// A Set is a conjunction of conditions, ordered by condition.Compare.
type Set []condition.Condition

// NewSet returns the conditions in their order.
func NewSet(conditions ...condition.Condition) Set {
	s := slices.Clone(conditions)
	slices.SortFunc(s, condition.Compare)
	return s
}

// String writes the conditions with a sign between them.
func (s Set) String() string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = c.String()
	}
	return strings.Join(parts, " ∧ ")
}

// Equal reports whether both hold the same conditions.
func (s Set) Equal(o Set) bool { return slices.Equal(s, o) }

// Contains reports whether all conditions of o are in s.
func (s Set) Contains(o Set) bool {
	for _, c := range o {
		if !slices.Contains(s, c) {
			return false
		}
	}
	return true
}

// index returns where o is in a list of sets, or -1.
func index(sets []Set, o Set) int {
	return slices.IndexFunc(sets, o.Equal)
}
