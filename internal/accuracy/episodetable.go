package accuracy

import (
	"context"
	"fmt"
	"math/rand/v2"

	"example.test/eddy/internal/interaction"
)

// An episode is when a cause does harm: how much of it there is at a time from 0 to 1.
type episode struct {
	name string
	draw func(rng *rand.Rand) func(at float64) float64
}

func episodes() []episode {
	within := func(windows ...window) func(at float64) float64 {
		return func(at float64) float64 {
			for _, w := range windows {
				if w.from <= at && at < w.to {
					return 1
				}
			}
			return 0
		}
	}
	always := func(windows ...window) func(*rand.Rand) func(at float64) float64 {
		return func(*rand.Rand) func(at float64) float64 { return within(windows...) }
	}
	return []episode{
		{"all the time", always(window{0, 1})},
		{"in the last half", always(window{0.5, 1})},
		{"in the last fifth", always(window{0.8, 1})},
		{"in a tenth, once", func(rng *rand.Rand) func(at float64) float64 {
			from := 0.1 + 0.7*rng.Float64()
			return within(window{from, from + 0.1})
		}},
		{"in three times 7 %", func(rng *rand.Rand) func(at float64) float64 {
			from := 0.1 * rng.Float64()
			return within(window{from, from + 0.07}, window{from + 0.4, from + 0.47}, window{from + 0.7, from + 0.77})
		}},
		{"ever more, from none", func(*rand.Rand) func(at float64) float64 {
			return func(at float64) float64 { return at }
		}},
	}
}

// world makes a world of about so many failures with one cause that comes and goes.
func (e *episode) world(seed uint64, order, failures int, risk float64) *World {
	p := Plan{Seed: seed, Requests: 1, Base: base, Orders: []int{order}, Risk: risk}
	harm := e.draw(rand.New(rand.NewPCG(seed, 9)))
	const parts = 1000
	mean := 0.0
	for k := range parts {
		mean += harm((float64(k)+0.5)/parts) / parts
	}
	share := p.Build().Causes[0].Share
	p.Requests = int(float64(failures) / (base + share*(risk-base)*mean))
	p.Shape = func(d *Draft) {
		d.Chance = func(at, now float64) float64 {
			if !d.holds(&d.Causes[0]) {
				return now
			}
			return base + (risk-base)*harm(at)
		}
	}
	return p.Build()
}

// episodeTable is how often a planted set is found first that does harm for a part of
// the time.
func episodeTable(ctx context.Context, s *Settings) error {
	const orders = 3
	failures := []int{50, 150, 400}
	list := episodes()
	n := orders * max(1, s.Worlds/2)
	out, err := grid(ctx, s, "episodes", len(list)*len(failures), n, func(ctx context.Context, c, i int) (bool, error) {
		risk := []float64{0.05, 0.1, 0.3}[i/orders%3]
		w := list[c/len(failures)].world(s.Seed(i/orders), 1+i%orders, failures[c%len(failures)], risk)
		r, err := interaction.Mine(ctx, w.Table, options())
		return err == nil && grade(w, r).first, err
	})
	if err != nil {
		return err
	}
	s.heading("Planted sets found first that do harm for a part of the time",
		fmt.Sprintf("As many requests as give so many failures; a third of the worlds each with one, two and three conditions, and with a risk inside of 5, 10 and 30 %% "+
			"while they do harm; base risk %s. n %d worlds a cell, seeds %d on.", percent(base), n, s.Seed(0)))
	t := &table{}
	head := []string{"harm is done"}
	for _, f := range failures {
		head = append(head, fmt.Sprintf("%d failures", f))
	}
	t.add(head...)
	for k, e := range list {
		row := []string{e.name}
		for f := range failures {
			var first Share
			for _, ok := range out[k*len(failures)+f] {
				first.Count(ok)
			}
			row = append(row, first.brief())
		}
		t.add(row...)
	}
	t.print(s.Out)
	return nil
}
