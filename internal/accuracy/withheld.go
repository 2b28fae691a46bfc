package accuracy

import (
	"context"
	"fmt"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// Withhold takes the conditions of all causes out of the table, with what is
// nested in them or goes with them: a service's version, config and instances
// are withheld together.
func (w *World) Withhold() {
	var cols []int
	for _, c := range w.Causes {
		for _, x := range c.at {
			cols = append(cols, x.col)
			if x.col < colFlag && x.col%perService != phase {
				s := x.col / perService * perService
				cols = append(cols, s+version, s+config, s+instance)
			}
			if x.col == colZone {
				cols = append(cols, colRegion)
			}
		}
	}
	for i := range w.Table.Rows {
		r := &w.Table.Rows[i]
		kept := make([]condition.ID, 0, len(r.Conditions))
		for col, id := range r.Conditions {
			if !slices.Contains(cols, col) {
				kept = append(kept, id)
			}
		}
		r.Conditions = kept
	}
}

// withheldTable is how well "no explanation" tells the worlds whose cause is not
// in the table from those whose cause is.
func withheldTable(ctx context.Context, s *Settings) error {
	n := max(2, s.Worlds)
	type outcome struct{ withheld, none, joined bool }
	out, err := grid(ctx, s, "withheld", order, 2*n, func(ctx context.Context, k, i int) (outcome, error) {
		p := Plan{Seed: s.Seed(i), Requests: s.Rows, Base: 0.001, Orders: []int{k + 1}, Risk: 0.3}
		w := p.Build()
		o := outcome{withheld: i%2 == 1}
		if o.withheld {
			w.Withhold()
		}
		r, err := interaction.Mine(ctx, w.Table, options())
		o.none = r.Verdict == interaction.NoExplanation
		if o.none != o.withheld {
			s.wrong(fmt.Sprintf("withheld %v", o.withheld), p.Seed, w.Causes[0].Set.String()+" or, if withheld, no explanation", r)
		}
		o.joined = slices.ContainsFunc(r.Findings, func(f interaction.Finding) bool { return f.Verdict == interaction.Interact })
		return o, err
	})
	if err != nil {
		return err
	}
	s.heading("Is it said when the cause is not in the table",
		fmt.Sprintf("Half of the worlds with the columns of the cause, half without. Causes make half of the failures or more "+
			"(risk inside 30 %%, base 0.1 %%); %d requests; n %d worlds a row. Precision and recall are those of the verdict \"no explanation\".", s.Rows, 2*n))
	t := &table{}
	t.add("order", "precision", "recall", "F1", "withheld, but a set with an interaction was named")
	var all [3]Share
	row := func(name string, x [3]Share) {
		p, r := x[0].Rate(), x[1].Rate()
		f1 := 0.0
		if p+r > 0 {
			f1 = 2 * p * r / (p + r)
		}
		t.add(name, x[0].brief(), x[1].brief(), fmt.Sprintf("%.3f", f1), exactly(x[2]))
	}
	for k := range out {
		var x [3]Share
		for _, o := range out[k] {
			if o.none {
				x[0].Count(o.withheld)
				all[0].Count(o.withheld)
			}
			if o.withheld {
				x[1].Count(o.none)
				all[1].Count(o.none)
				x[2].Count(o.joined)
				all[2].Count(o.joined)
			}
		}
		row(fmt.Sprint(k+1), x)
	}
	row("all", all)
	t.print(s.Out)
	return nil
}
