package accuracy

import (
	"context"
	"fmt"

	"example.test/eddy/internal/interaction"
)

// order is how many conditions a set may have in these measurements, as in
// eddy explain --max-order 4.
const order = 4

// options are those that worlds are mined with.
func options() interaction.Options { return interaction.Options{MaxOrder: order} }

// A verdict is how right the answer about one planted set was.
type answer struct {
	failed      int
	first, top3 bool // exact, modulo exact aliases
	typed       bool // of those found first, the type is right
	tellable    bool // an oracle could tell the set
	overlap     float64
}

// grade compares a result with the first cause of a world.
func grade(w *World, r interaction.Result) answer {
	c := &w.Causes[0]
	a := answer{failed: r.Failed}
	for i := range r.Findings {
		f := &r.Findings[i]
		if i < 3 && w.Found(f, c) {
			a.top3 = true
			if i == 0 {
				a.first = true
				a.typed = f.Verdict == typeOf(len(c.Set))
			}
		}
	}
	if len(r.Findings) > 0 {
		a.overlap = overlap(w.Canonical(r.Findings[0].Conditions), w.Canonical(c.Set))
	}
	return a
}

// typeOf is the verdict that a planted set of so many conditions must get.
func typeOf(order int) interaction.Verdict {
	if order == 1 {
		return interaction.SingleCause
	}
	return interaction.Interact
}

// overlap is the F1 of the conditions of one set against those of another.
func overlap(got, want Set) float64 {
	both := 0
	for _, c := range got {
		if want.Contains(Set{c}) {
			both++
		}
	}
	return 2 * float64(both) / float64(len(got)+len(want))
}

// A trial is a plan and how its worlds are mined.
type trial struct {
	plan    Plan
	options interaction.Options
}

// planted mines n worlds of each plan.
func planted(ctx context.Context, s *Settings, what string, n int, cells []trial) ([]tally, error) {
	answers, err := grid(ctx, s, what, len(cells), n, func(ctx context.Context, c, i int) (answer, error) {
		p := cells[c].plan
		p.Seed = s.Seed(i)
		w := p.Build()
		r, err := interaction.Mine(ctx, w.Table, cells[c].options)
		a := grade(w, r)
		a.tellable = w.tellable(cells[c].options.MaxOrder)
		if err == nil && !a.typed {
			s.wrong(fmt.Sprintf("%s, order %d, risk %v", what, len(w.Causes[0].Set), p.Risk), p.Seed, w.Causes[0].Set.String()+" first", r)
		}
		return a, err
	})
	var out []tally
	for _, as := range answers {
		out = append(out, sum(as))
	}
	return out, err
}

// A tally sums up answers.
type tally struct {
	first, top3, typed Share
	tellable           Share
	failed             int
	overlap            float64
}

func sum(as []answer) tally {
	var t tally
	for _, a := range as {
		t.first.Count(a.first)
		t.top3.Count(a.top3)
		t.tellable.Count(a.tellable)
		if a.first {
			t.typed.Count(a.typed)
		}
		t.failed += a.failed
		t.overlap += a.overlap
	}
	t.failed /= max(1, len(as))
	t.overlap /= float64(max(1, len(as)))
	return t
}

const base = 0.003

// powerTable is how often a planted set is found, by order and risk, and at
// other base risks.
func powerTable(ctx context.Context, s *Settings) error {
	var cells []trial
	add := func(k int, base, risk float64) {
		o := options()
		o.MaxOrder = max(order, k)
		cells = append(cells, trial{Plan{Requests: s.Rows, Base: base, Orders: []int{k}, Risk: risk}, o})
	}
	for k := 1; k <= order; k++ {
		for _, risk := range s.Risks {
			add(k, base, risk)
		}
	}
	for k := 1; k <= order; k++ {
		add(k, 0.0001, 0.02)
	}
	for k := 1; k <= order; k++ {
		add(k, 0.03, 0.3)
	}
	add(order+1, base, 0.3) // as many conditions as the option may ask for
	out, err := planted(ctx, s, "power", s.Worlds, cells)
	if err != nil {
		return err
	}
	s.heading("Planted sets, by order and risk inside",
		fmt.Sprintf("%d requests of 52 attributes, sets of up to %d conditions, for those of %d up to that; n %d worlds a row, seeds %d on. "+
			"A set counts as found if it is exactly the planted one, conditions that never part being one. "+
			"Type is the share of those found first whose verdict is right. "+
			"Could be told is the share of worlds in which the planted set is more probable than all that differ from it by one condition, "+
			"to an oracle that knows the risk of every request with and without a cause: in the long run, over all orders, no method is right more often. "+
			"F1 is that of the conditions of the first finding against the planted ones.",
			s.Rows, order, order+1, s.Worlds, s.Seed(0)))
	t := &table{}
	t.add("order", "base", "risk inside", "failures", "first", "first three", "could be told", "type", "F1 of conditions")
	for i, x := range out {
		p := cells[i].plan
		t.add(fmt.Sprint(p.Orders[0]), percent(p.Base), percent(p.Risk), fmt.Sprint(x.failed), x.first.brief(), x.top3.brief(),
			x.tellable.brief(), x.typed.String(), fmt.Sprintf("%.2f", x.overlap))
	}
	t.print(s.Out)
	return nil
}

func percent(p float64) string { return fmt.Sprintf("%g %%", p*100) }

// mostRows bounds the rows of worlds with many requests: fewer successes are
// kept, with their weights, as collectors do that sample at the tail.
const mostRows = 200_000

// failureTables is how often a planted set is found, by the number of failures.
func failureTables(ctx context.Context, s *Settings) error {
	n := max(1, s.Worlds/4)
	var cells []trial
	for k := 1; k <= order; k++ {
		for _, risk := range s.Risks {
			for _, failures := range s.Failures {
				cells = append(cells, trial{Plan{Failures: failures, Base: base, Orders: []int{k}, Risk: risk, MostRows: mostRows}, options()})
			}
		}
	}
	out, err := planted(ctx, s, "failures", n, cells)
	if err != nil {
		return err
	}
	s.heading("Planted sets found first, by order, risk inside and number of failures",
		fmt.Sprintf("As many requests as give so many failures at a base risk of %s; above %d rows one success in several is kept, with its weight. n %d worlds a cell.",
			percent(base), mostRows, n))
	t := &table{}
	head := []string{"order", "risk inside"}
	for _, f := range s.Failures {
		head = append(head, fmt.Sprintf("%d failures", f))
	}
	t.add(head...)
	for i := 0; i < len(out); i += len(s.Failures) {
		p := cells[i].plan
		row := []string{fmt.Sprint(p.Orders[0]), percent(p.Risk)}
		for _, x := range out[i : i+len(s.Failures)] {
			row = append(row, x.first.brief())
		}
		t.add(row...)
	}
	t.print(s.Out)
	return nil
}
