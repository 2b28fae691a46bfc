package interaction

import (
	"cmp"
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
)

// A class is a set of conditions that hold in exactly the same rows, and so
// cannot be told apart.
type class struct {
	first   condition.ID   // the one that findings name
	others  []condition.ID // the rest
	name    int            // number of the first one's Name
	total   int64          // observations that have it
	failed  int64
	context setting
}

// A setting is why a condition cannot vary while all else stays equal.
type setting uint8

const (
	// varies: the condition comes and goes among requests of one place and time.
	varies setting = iota
	// environment: it is in force for all or none at a time.
	environment
	// place: it is the same for all requests of a location.
	place
)

// classes are the conditions that the search may use, and what a test needs to
// know about all of them.
type classes struct {
	list []class
	// of is the class of a condition by its number, or -1.
	of []int32
	// sizes are how many distinct conditions there are by name that could have
	// been found whichever rows had failed: the number of tests made.
	sizes []int
	least int64 // failures that a set must cover
	// entity is the number of the entity that a condition is of, by its own
	// number, or -1; there are so many entities.
	entity   []int32
	entities int
}

// A margin is what the entries that have a condition count.
type margin struct {
	total, failed, entries int64
	a, b                   uint64 // two independent sums of entry hashes
}

// margins counts each of n conditions.
func (l *ledger) margins(n int) []margin {
	var half [2][]margin
	inTwo(len(l.entries), func(h, from, to int) {
		sums := make([]margin, n)
		for i := from; i < to; i++ {
			e := &l.entries[i]
			a := mix(uint64(i))
			b := mix(a ^ 0x5851f42d4c957f2d)
			total := e.failed + e.ok
			for _, id := range e.conditions {
				m := &sums[id]
				m.total += total
				m.failed += e.failed
				m.entries++
				m.a += a
				m.b += b
			}
		}
		half[h] = sums
	})
	sums := half[0]
	for id, o := range half[1] {
		m := &sums[id]
		*m = margin{m.total + o.total, m.failed + o.failed, m.entries + o.entries, m.a + o.a, m.b + o.b}
	}
	return sums
}

// classify finds the classes of conditions that at least least failures have,
// or of all that so many could have if failures are few. Conditions of all rows,
// of locations and of too few rows are left out.
func classify(t Table, l *ledger, g grouping, least int64) *classes {
	n := len(t.Conditions)
	margins := l.margins(n)

	c := &classes{of: make([]int32, n), least: least}
	c.enter(t.Conditions)
	var able []condition.ID // those that have enough rows, whatever failed
	for id := range margins {
		c.of[id] = -1
		m := margins[id]
		if m.total >= least && m.entries < int64(len(l.entries)) && !g.isPlace[id] {
			able = append(able, condition.ID(id))
		}
	}
	slices.SortFunc(able, func(x, y condition.ID) int {
		a, b := margins[x], margins[y]
		return cmp.Or(cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b), cmp.Compare(a.entries, b.entries),
			prefer(t.Conditions[x], t.Conditions[y]), cmp.Compare(x, y))
	})
	names := make(map[string]int)
	for i := 0; i < len(able); {
		m, j := margins[able[i]], i+1
		for j < len(able) && margins[able[j]] == m {
			j++
		}
		name := t.Conditions[able[i]].Name()
		if _, ok := names[name]; !ok {
			names[name] = len(c.sizes)
			c.sizes = append(c.sizes, 0)
		}
		c.sizes[names[name]]++
		// A permutation test must be able to find sets that the failures, as
		// they are, do not have.
		if m.failed >= least || l.failed < fewFailures {
			c.list = append(c.list, class{
				first: able[i], others: slices.Clone(able[i+1 : j]), name: names[name],
				total: m.total, failed: m.failed,
			})
		}
		i = j
	}
	// The order must not depend on hashes, which depend on the order of rows.
	slices.SortFunc(c.list, func(x, y class) int { return cmp.Compare(x.first, y.first) })
	for i, k := range c.list {
		c.of[k.first] = int32(i)
		for _, id := range k.others {
			c.of[id] = int32(i)
		}
	}
	return c
}

// prefer orders conditions that cannot be told apart by how well they name a
// cause: what people put in force before what follows from it, and before the
// instance that happens to carry it. Conditions of one kind are left as they are.
func prefer(a, b condition.Condition) int { return cmp.Compare(kind(a), kind(b)) }

func kind(c condition.Condition) int {
	if c.Entity == "" && !strings.HasPrefix(c.Dimension, "flag ") {
		return 3 // of the request itself, or a column
	}
	d := c.Dimension
	switch {
	case d == "service.version":
		return 0
	case strings.HasPrefix(d, "flag "):
		return 1
	case strings.Contains(d, "instance") || strings.Contains(d, "pod") ||
		strings.Contains(d, "host") || strings.Contains(d, "container") || strings.Contains(d, "node"):
		return 5
	case strings.HasPrefix(d, "rollout") || strings.Contains(d, "connection"):
		return derived
	}
	return 2
}

// derived is the kind of states that follow from other changes.
const derived = 4
