package duckdb

import (
	"cmp"
	"maps"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// mostKinds bounds how many kinds of rows are told apart when what was found is
// counted on all rows: the combinations of what is counted, times the buckets.
// Some hundred bytes are needed for each.
const mostKinds = 1 << 19

// mostCounted bounds how many conditions are counted on all rows: the bits of a
// whole number in SQL.
const mostCounted = 60

// A meaning is what a condition of the table says of a column: that it has a
// state, or that its number is in a range.
type meaning struct {
	column int
	state  *valueCount // nil for a range
	within numberRange
}

// A choice is the conditions that are counted on all rows, as far as they fit.
type choice struct {
	ids     []condition.ID // ascending
	dropped int            // findings that did not fit

	meanings []meaning
	groups   int         // buckets of time, in each entry
	entry    int         // column of the entries, which are counted besides; -1 if none
	of       map[int]int // how many of them there are by column
}

// chosen picks what to count: the findings, then what cannot be told from their
// conditions, what was in force at the time, and what nearly all rows of a
// finding have, so that what is said about these is about all rows too.
func (r *tableReader) chosen(reading *TableReading, found interaction.Result) choice {
	ids := make(map[condition.Condition]condition.ID, len(reading.Table.Conditions))
	for i, c := range reading.Table.Conditions {
		ids[c] = condition.ID(i)
	}
	c := choice{meanings: r.meanings, groups: r.buckets(reading.Bucket), entry: -1, of: make(map[int]int)}
	if e := r.entry(); e != nil {
		c.groups, c.entry = c.groups*e.codes(), r.entryColumn
	}
	sets := make([][]condition.ID, len(found.Findings))
	for i, f := range found.Findings {
		for _, x := range f.Conditions {
			sets[i] = append(sets[i], ids[x])
		}
		if !c.add(sets[i]...) {
			c.dropped++
		}
	}
	for i, f := range found.Findings {
		for _, a := range slices.Concat(f.Aliases, f.Proxies) {
			c.add(ids[a.Condition])
		}
		for _, id := range companions(reading.Table, sets[i]) {
			c.add(id)
		}
	}
	for _, x := range found.Coincident {
		c.add(ids[x])
	}
	slices.Sort(c.ids)
	return c
}

// add adds conditions, if all of them fit.
func (c *choice) add(set ...condition.ID) bool {
	of, had := maps.Clone(c.of), len(c.ids)
	for _, id := range set {
		if c.meanings[id].column != c.entry && !slices.Contains(c.ids, id) {
			c.ids = append(c.ids, id)
			c.of[c.meanings[id].column]++
		}
	}
	kinds := float64(c.groups)
	for _, n := range c.of {
		kinds *= float64(n + 1)
	}
	if kinds <= mostKinds && len(c.ids) <= mostCounted {
		return true
	}
	c.of, c.ids = of, c.ids[:had]
	return false
}

// means are the meanings of what is counted.
func (c *choice) means() []meaning {
	list := make([]meaning, len(c.ids))
	for i, id := range c.ids {
		list[i] = c.meanings[id]
	}
	return list
}

// companions are conditions that nearly all rows with the set have, although
// many others do not: whether they are needed too is not known.
func companions(t interaction.Table, set []condition.ID) []condition.ID {
	const most, nearly, common = 3, 0.99, 0.8
	var all, with float64
	total, inside := make([]float64, len(t.Conditions)), make([]float64, len(t.Conditions))
	for i := range t.Rows {
		row := &t.Rows[i]
		n := float64(row.Total)
		if row.Weight > 0 {
			n = float64(row.Failed) + float64(row.Total-row.Failed)*row.Weight
		}
		all += n
		has := holdsAll(row, set)
		if has {
			with += n
		}
		for _, id := range row.Conditions {
			total[id] += n
			if has {
				inside[id] += n
			}
		}
	}
	names := make(map[string]bool)
	for _, id := range set {
		names[t.Conditions[id].Name()] = true
	}
	var list []condition.ID
	for id := range t.Conditions {
		if !names[t.Conditions[id].Name()] && inside[id] >= nearly*with && total[id] <= common*all {
			list = append(list, condition.ID(id))
		}
	}
	slices.SortStableFunc(list, func(a, b condition.ID) int { return cmp.Compare(total[a], total[b]) })
	return list[:min(most, len(list))]
}

// holdsAll reports whether the row has all of the set.
func holdsAll(row *interaction.Row, set []condition.ID) bool {
	for _, id := range set {
		if _, ok := slices.BinarySearch(row.Conditions, id); !ok {
			return false
		}
	}
	return true
}
