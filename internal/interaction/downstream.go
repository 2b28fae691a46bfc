package interaction

import (
	"slices"

	"example.test/eddy/internal/search"
)

// late is 1 for what comes after all other findings.
func (m *miner) late(j judgement) int {
	if m.downstream(j.set) {
		return 1
	}
	return 0
}

// upstream reports whether a set names something that does not follow from a
// failure. If it names something that does as well, the rest must do no harm without
// that, or it would be the cause; and the set must be more than the part of what
// follows that happened to be in it: of all the ways to add as many conditions, none
// would be expected to differ as much.
func (m *miner) upstream(j judgement) bool {
	var follows []int32
	mask := 0
	for i, k := range j.set {
		if m.follows(k) {
			follows = append(follows, k)
			mask |= 1 << i
		}
	}
	switch len(follows) {
	case 0:
		return true
	case len(j.set):
		return false
	}
	t := m.exact.cross(j.set, false)
	whole := t.whole()
	alone := m.exact.compare(t, func(c int) bool { return c == whole&^mask }, func(c int) bool { return c&mask == 0 })
	if alone.p() <= necessity {
		return false
	}
	c := m.exact.compare(t, func(c int) bool { return c == whole }, func(c int) bool { return c&mask == mask })
	rest := slices.DeleteFunc(slices.Clone(j.set), func(k int32) bool { return slices.Contains(follows, k) })
	return c.p()*m.multiplicity(rest) <= m.options.Alpha
}

// downstream reports whether a set names only what follows from a failure.
func (m *miner) downstream(set []int32) bool {
	return !slices.ContainsFunc(set, func(k int32) bool { return !m.follows(k) })
}

// follows reports whether a class follows from a failure.
func (m *miner) follows(k int32) bool { return m.classes.searched.List[k].Follows }

// withFollowing puts before sets that name nothing that follows from a failure each
// condition that does, by itself.
func (m *miner) withFollowing(sets []search.Candidate) (all []search.Candidate) {
	for k := range m.classes.searched.List {
		if c := &m.classes.searched.List[k]; c.Alone && c.Follows {
			all = append(all, search.Candidate{Set: []int32{int32(k)}})
		}
	}
	return append(all, sets...)
}
