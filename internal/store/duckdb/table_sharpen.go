package duckdb

import (
	"cmp"
	"math"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// sharpen moves the bounds of the ranges found to where they part the failures
// from the rest best, among those that the columns were cut at by their numbers
// alone, and adds the ranges to those that the columns offer. What an earlier
// finding explains is set aside, as when it was found. It reports whether a range
// is new.
func (r *tableReader) sharpen(t interaction.Table, found interaction.Result) bool {
	ids := make(map[condition.Condition]condition.ID, len(t.Conditions))
	for i, c := range t.Conditions {
		ids[c] = condition.ID(i)
	}
	gone := make([]bool, len(t.Rows))
	moved := false
	for _, f := range found.Findings {
		set := make([]condition.ID, len(f.Conditions))
		for i, c := range f.Conditions {
			set[i] = ids[c]
		}
		for i, id := range set {
			m := r.meanings[id]
			if m.state != nil {
				continue
			}
			within := r.sharpest(t, slices.Delete(slices.Clone(set), i, i+1), m, gone)
			if c := &r.columns[m.column]; !slices.Contains(c.ranges, within) {
				c.ranges = append(c.ranges, within)
				moved = true
			}
		}
		for i := range t.Rows {
			gone[i] = gone[i] || holdsAll(&t.Rows[i], set)
		}
	}
	return moved
}

// sharpest returns the best range of a column's numbers among the rows that have
// the rest of the finding, or that of m if there is none.
func (r *tableReader) sharpest(t interaction.Table, rest []condition.ID, m meaning, gone []bool) numberRange {
	c := &r.columns[m.column]
	s := newScan(len(c.cuts) + 1)
	for i := range t.Rows {
		if row := &t.Rows[i]; !gone[i] && holdsAll(row, rest) {
			s.add(row.Time.UnixNano(), r.part(i, m.column), int64(row.Total), int64(row.Failed))
		}
	}
	bounds := 0
	for i := range r.columns {
		bounds += 2 * len(r.columns[i].cuts)
	}
	price := 2 * math.Log(float64(bounds+1))
	low, high, ok := s.best(price)
	if !ok {
		return m.within
	}
	within := numberRange{math.Inf(-1), math.Inf(1)}
	if low > 0 {
		within.low = c.cuts[low-1]
	}
	if high < len(c.cuts) {
		within.high = c.cuts[high]
	}
	return within
}

// possible calls f with each condition of the column that could be found, and
// how many observations have it: its states, the ranges that it offers, and those
// that these could have been sharpened to.
func (c *candidate) possible(f func(m meaning, total int64)) {
	for i := range c.states {
		f(meaning{state: &c.states[i]}, c.states[i].total)
	}
	up := c.cumulative()
	ranges := slices.Clone(c.ranges)
	for i, x := range c.cuts {
		ranges = append(ranges, numberRange{math.Inf(-1), x}, numberRange{x, math.Inf(1)})
		for _, high := range c.cuts[i+1:] {
			ranges = append(ranges, numberRange{x, high})
		}
	}
	slices.SortFunc(ranges, func(a, b numberRange) int {
		return cmp.Or(cmp.Compare(a.low, b.low), cmp.Compare(a.high, b.high))
	})
	for _, s := range slices.Compact(ranges) {
		f(meaning{within: s}, up(s.high)-up(s.low))
	}
}

// cumulative returns a function that says how many observations of the column
// have a number up to x.
func (c *candidate) cumulative() func(x float64) int64 {
	sums := make([]int64, len(c.numbers)+1)
	for i, v := range c.numbers {
		sums[i+1] = sums[i] + v.n
	}
	return func(x float64) int64 {
		i, found := slices.BinarySearchFunc(c.numbers, x, func(v numberCount, x float64) int {
			switch {
			case v.x < x:
				return -1
			case v.x > x:
				return 1
			}
			return 0
		})
		if found {
			i++
		}
		return sums[i]
	}
}
