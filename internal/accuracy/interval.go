package accuracy

import (
	"context"
	"fmt"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// A covered is how often intervals held the true risk.
type covered struct{ whole, others Share }

func (c *covered) plus(o covered) {
	c.whole.plus(o.whole)
	c.others.plus(o.others)
}

// coverage counts, for the finding that names the planted set, whether the
// interval of each cell holds the mean chance of the requests in it.
func coverage(w *World, r interaction.Result) covered {
	var out covered
	for i := range r.Findings {
		f := &r.Findings[i]
		if len(w.Causes) == 0 || !w.Found(f, &w.Causes[0]) {
			continue
		}
		for k, c := range f.Cells {
			if k > 0 && w.Table.Rows[0].Weight > 1 {
				break // the mean chance of requests that were not kept is not known
			}
			truth, ok := w.chanceOf(f, c)
			if !ok {
				continue
			}
			in := c.Low <= truth && truth <= c.High
			if k == 0 {
				out.whole.Count(in)
			} else {
				out.others.Count(in)
			}
		}
	}
	return out
}

// chanceOf is the mean chance of the requests in a cell; not of few, which say
// nothing.
func (w *World) chanceOf(f *interaction.Finding, c interaction.Cell) (float64, bool) {
	number := make(map[condition.Condition]condition.ID)
	for id, x := range w.Table.Conditions {
		number[x] = condition.ID(id)
	}
	holds := func(r *interaction.Row, x condition.Condition) bool {
		_, ok := slices.BinarySearch(r.Conditions, number[x])
		return ok
	}
	wanted := make([]bool, len(f.Conditions))
	for i, x := range f.Conditions {
		wanted[i] = slices.Contains(c.Holds, x.String())
	}
	var chance, all float64
	for i := range w.Table.Rows {
		r := &w.Table.Rows[i]
		in := len(f.Where) == 0 || slices.ContainsFunc(f.Where, func(x condition.Condition) bool { return holds(r, x) })
		for k, x := range f.Conditions {
			in = in && holds(r, x) == wanted[k]
		}
		if in {
			chance += float64(w.Chance[i])
			all++
		}
	}
	if all < 20 {
		return 0, false
	}
	return chance / all, true
}

// intervalTable is how often intervals hold the true risk.
func intervalTable(ctx context.Context, s *Settings) error {
	cells := []Plan{
		{Orders: []int{1}, Risk: 0.05},
		{Orders: []int{2}, Risk: 0.05},
		{Orders: []int{2}, Risk: 0.3},
		{Orders: []int{3}, Risk: 0.1},
		{Orders: []int{2}, Risk: 0.1, KeepOne: 10},
		{Orders: []int{2}, Risk: 0.1, KeepOne: 100},
		{Orders: []int{1}, Risk: 0.1, KeepOne: 1000},
	}
	out, err := grid(ctx, s, "intervals", len(cells), 2*s.Worlds, func(ctx context.Context, c, i int) (covered, error) {
		p := cells[c]
		p.Seed, p.Requests, p.Base = s.Seed(i), s.Rows, base
		w := p.Build()
		r, err := interaction.Mine(ctx, w.Table, options())
		return coverage(w, r), err
	})
	if err != nil {
		return err
	}
	s.heading("Intervals of risks",
		"Share of the 95 % intervals, of cells of findings that name the planted set, that hold the true risk: of the whole set, "+
			"and of the cells with conditions missing, where risks differ by entry and hour and the mean is meant. "+
			"Where successes are sampled, the mean risk of what was not kept is not known.")
	t := &table{}
	t.add("order", "risk inside", "successes kept", "whole set", "other cells")
	var all covered
	row := func(order, risk, keep string, c covered) {
		t.add(order, risk, keep, c.whole.String(), c.others.String())
	}
	for k, p := range cells {
		var c covered
		for _, o := range out[k] {
			c.plus(o)
		}
		all.plus(c)
		row(fmt.Sprint(p.Orders[0]), percent(p.Risk), fmt.Sprintf("1 in %d", max(1, p.KeepOne)), c)
	}
	row("all", "", "", all)
	t.print(s.Out)
	return nil
}
