package accuracy

import (
	"context"
	"fmt"
	"math/rand/v2"

	"example.test/eddy/internal/interaction"
)

// amongBursts makes a world of about so many failures, of which the cause makes a part
// and all others come in bursts.
func amongBursts(p Plan, failures int, part float64) *World {
	p.Shape = func(d *Draft) { d.retried = 1 }
	p.Requests = 1
	share := p.Build().Causes[0].Share
	p.Base = p.Risk * share * (1 - part) / part
	p.Failures = failures
	w := p.Build()
	w.BurstOthers(rand.New(rand.NewPCG(p.Seed, 1)))
	return w
}

// A rescue is whether a planted set is found first by the bound over all sets alone,
// and with the tests for what misses it.
type rescue struct{ bound, tested bool }

// rescues counts them.
type rescues struct{ bound, tested, gained, lost Share }

func (t *rescues) count(r rescue) {
	t.bound.Count(r.bound)
	t.tested.Count(r.tested)
	t.gained.Count(r.tested && !r.bound)
	t.lost.Count(r.bound && !r.tested)
}

// burstTable is how often a planted set is found where all other failures come in
// bursts.
func burstTable(ctx context.Context, s *Settings) error {
	type cell struct {
		order    int
		part     float64
		failures int
	}
	var cells []cell
	for k := 1; k <= 2; k++ { // larger sets have the bound alone
		for _, part := range []float64{0.1, 0.15, 0.2} {
			for _, failures := range []int{50, 100, 150} {
				cells = append(cells, cell{k, part, failures})
			}
		}
	}
	risks := []float64{0.05, 0.1, 0.3}
	n := len(risks) * max(1, 4*s.Worlds/len(risks))
	out, err := grid(ctx, s, "bursts", len(cells), n, func(ctx context.Context, c, i int) (rescue, error) {
		p := Plan{Seed: s.Seed(i), Orders: []int{cells[c].order}, Risk: risks[i%len(risks)]}
		return s.rescue(ctx, amongBursts(p, cells[c].failures, cells[c].part))
	})
	if err != nil {
		return err
	}
	s.heading("Planted sets found first, where all other failures come in bursts",
		fmt.Sprintf("As many requests as give so many failures; a third of the worlds each with a risk inside of 5, 10 and 30 %%. "+
			"The bound over all sets is what a set must reach that has no permutation test (Options.Permutations 1). n %d worlds a row, seeds %d on.",
			n, s.Seed(0)))
	t := &table{}
	t.add("order", "of the cause", "failures", "by the bound alone", "as it is", "gained", "lost")
	row := func(r rescues, head ...string) {
		t.add(append(head, r.bound.brief(), r.tested.brief(), fmt.Sprint(r.gained.K), fmt.Sprint(r.lost.K))...)
	}
	var all rescues
	byRisk := make([]rescues, len(risks))
	for c, x := range cells {
		var sum rescues
		for i, r := range out[c] {
			sum.count(r)
			all.count(r)
			byRisk[i%len(risks)].count(r)
		}
		row(sum, fmt.Sprint(x.order), percent(x.part), fmt.Sprint(x.failures))
	}
	for i, risk := range risks {
		row(byRisk[i], "risk inside "+percent(risk), "", fmt.Sprintf("n %d", byRisk[i].bound.N))
	}
	row(all, "all", "", fmt.Sprintf("n %d", all.bound.N))
	t.print(s.Out)
	return nil
}

// rescue mines a world with permutations and without.
func (s *Settings) rescue(ctx context.Context, w *World) (f rescue, err error) {
	o := options()
	r, err := interaction.Mine(ctx, w.Table, o)
	if err != nil {
		return f, err
	}
	f.tested = grade(w, r).first
	o.Permutations = 1 // no p is then small enough
	r, err = interaction.Mine(ctx, w.Table, o)
	f.bound = err == nil && grade(w, r).first
	return f, err
}
