package interaction

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/search"
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
	// dear is what naming it costs, in deviance, for being rare.
	dear float64
}

// classes are the conditions that the search may use, and what a test needs to
// know about all of them.
type classes struct {
	list []class
	// of is the class of a condition by its number, or -1.
	of []int32
	// sizes are how many distinct conditions there are by name that could have
	// been found whichever rows had failed: the number of tests made, each with its
	// weight (see rarity). Those of larger sets are fewer, since these must cover more.
	sizes [search.Widths][]float64
	least search.Supports
	// searched is what a search knows of them.
	searched *search.Classes
}

// fewInFour is how many failures are so few that no set of four with them is told from
// chance, of as many sets as there are, unless it fails far more often than the rest.
const fewInFour = 20

// offer lists the classes for a search, in the room of to, with which of them follow from
// failures.
func (c *classes) offer(to *search.Classes, follows func(k int32) bool) {
	to.List, to.Conditions = to.List[:0], len(c.of)
	for i := range c.list {
		k := &c.list[i]
		to.List = append(to.List, search.Class{
			First: k.first, Name: k.name, Alone: k.context == varies, Follows: follows(int32(i)), Dear: k.dear,
		})
	}
	c.searched = to
}

// rarity says how Alpha is shared out among the sets of an order: each has a part in
// proportion to the product of the shares of its conditions, to this power (p weighted
// by what is known before outcomes are looked at: Genovese, Roeder and Wasserman 2006).
// At 0 all sets have as much, and most of it goes to the many that hardly any
// observation has; at 1 a set has as much as it would be met if conditions had nothing
// to do with each other, and rare ones can no longer be found.
const rarity = 0.5

// shareUnit is the precision of the weights: sums of them are exact then, and do not
// depend on their order.
const shareUnit = 1 << 20

// A margin is what the entries that have a condition count. All of it are whole numbers,
// so that sums of them are exact.
type margin struct {
	total, failed, entries int64
	key                    uint64 // a sum over the entries; equal columns have equal keys
	// among and within add up, over short times at one place, the smaller of how
	// many had the condition and how many had not: among all, and within those
	// that met its entity.
	among, within float64
}

// plus is what the entries count of two panes.
func (m margin) plus(o margin) margin {
	return margin{m.total + o.total, m.failed + o.failed, m.entries + o.entries, m.key + o.key, m.among + o.among, m.within + o.within}
}

// minus takes back what plus added.
func (m margin) minus(o margin) margin {
	return margin{m.total - o.total, m.failed - o.failed, m.entries - o.entries, m.key - o.key, m.among - o.among, m.within - o.within}
}

// classify finds the classes of conditions that as many failures have as a set must
// cover, or of all that so many could have if failures are few. Conditions of all rows,
// of locations and of too few rows are left out.
func classify(l *ledger, least search.Supports) *classes {
	margins, n := l.margins, len(l.catalog.conditions)
	conditions := l.catalog.conditions
	c := &classes{of: make([]int32, n), least: least}
	var able []condition.ID // those that have enough rows, whatever failed
	for id := range margins {
		c.of[id] = -1
		m := &margins[id]
		if m.total >= least.Least() && m.entries < l.entries && !l.catalog.place[id] {
			able = append(able, condition.ID(id))
		}
	}
	slices.SortFunc(able, func(x, y condition.ID) int {
		a, b := &margins[x], &margins[y]
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.entries, b.entries),
			prefer(conditions[x], conditions[y]), cmp.Compare(x, y))
	})
	names := make(map[int32]int)
	weight := func(total int64) float64 {
		share := math.Pow(min(1, float64(total)/float64(l.total)), rarity)
		return math.Ceil(share*shareUnit) / shareUnit
	}
	count := func(name int32, total int64) int {
		k, known := names[name]
		if !known {
			k = len(names)
			names[name] = k
			for i := range c.sizes {
				c.sizes[i] = append(c.sizes[i], 0)
			}
		}
		for i := range c.sizes {
			if total >= least[i] {
				c.sizes[i][k] += weight(total)
			}
		}
		return k
	}
	for i := 0; i < len(able); {
		m, j := &margins[able[i]], i+1
		for j < len(able) && margins[able[j]].key == m.key && margins[able[j]].entries == m.entries {
			j++
		}
		name := count(l.catalog.name[able[i]], m.total)
		// A permutation test must be able to find sets that the failures, as
		// they are, do not have.
		if m.failed >= least.Least() || l.failed < fewFailures {
			c.list = append(c.list, class{
				first: able[i], others: slices.Clone(able[i+1 : j]), name: name,
				total: m.total, failed: m.failed, dear: -2 * math.Log(weight(m.total)),
			})
		}
		i = j
	}
	for _, u := range l.catalog.unlisted {
		if int64(u.Total) >= least.Least() {
			count(number(l.catalog.names, u.Name), int64(u.Total))
		}
	}
	// The order must not depend on keys, which depend on the order of rows.
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
