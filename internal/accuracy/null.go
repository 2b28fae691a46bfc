package accuracy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// A nullKind is a way in which a table has failures and no cause.
type nullKind struct {
	name string
	plan func(p Plan) Plan
	make func(w *World, rng *rand.Rand) // after the world is built
	// changed says that it is asked what changed in the middle of the time, and not
	// what tells those that failed from the others.
	changed bool
}

func nullKinds() []nullKind {
	alone := func(p Plan) Plan {
		p.Shape = func(d *Draft) { d.retried = 1 }
		return p
	}
	return []nullKind{
		{name: "permuted within ten seconds and entry", plan: func(p Plan) Plan {
			p.Orders, p.Risk = []int{2}, 10*p.Base
			return p
		}, make: func(w *World, rng *rand.Rand) { w.Permute(rng) }},
		{name: "in bursts of one tenant or instance", plan: alone, make: func(w *World, rng *rand.Rand) { w.Burst(rng) }},
		{name: "entries and hours differ, nothing else", plan: alone, make: func(*World, *rand.Rand) {}},
		{name: "entries differ; what changed at half-time", plan: func(p Plan) Plan {
			p.Shape = func(d *Draft) {
				d.retried = 1
				d.Chance = func(at, risk float64) float64 { return risk / hourly(at) }
			}
			return p
		}, make: func(*World, *rand.Rand) {}, changed: true},
	}
}

// A burst reaches as many requests as mostBurst at most, half of which fail, and
// lasts no longer than burstLasts.
const (
	mostBurst  = 8
	burstLasts = 10 * time.Second
)

// Burst deals as many failures as there are out again, in bursts.
func (w *World) Burst(rng *rand.Rand) {
	failures := 0
	for i := range w.Table.Rows {
		failures += w.Table.Rows[i].Failed
		w.Table.Rows[i].Failed = 0
	}
	w.Disturb(rng, failures)
}

// BurstOthers deals the failures that no cause makes out again, in bursts.
func (w *World) BurstOthers(rng *rand.Rand) {
	failures := 0
	for i := range w.Table.Rows {
		if w.Chance[i] <= w.background[i] {
			failures += w.Table.Rows[i].Failed
			w.Table.Rows[i].Failed = 0
		}
	}
	w.Disturb(rng, failures)
}

// Disturb adds failures in bursts: of requests of one tenant, or through one
// instance, that come shortly after each other. Which ones is left to chance,
// so that nothing has to do with these failures beyond its burst: a request is in
// one possible burst of its tenant and in one of each instance, and each of them
// is as likely. Bursts from a request on would be longer where there are more
// requests, and large tenants would fail more often than small ones.
func (w *World) Disturb(rng *rand.Rand, failures int) {
	var possible [columns][][]int
	for failures > 0 {
		col := colTenant
		if s := rng.IntN(2 * services); s < services {
			col = s*perService + instance
		}
		if possible[col] == nil {
			possible[col] = w.bursts(col)
		}
		for _, i := range possible[col][rng.IntN(len(possible[col]))] {
			if r := &w.Table.Rows[i]; failures > 0 && r.Failed == 0 && rng.IntN(2) == 0 {
				r.Failed = 1
				failures--
			}
		}
	}
}

// bursts parts the requests into those that a burst of a column's value reaches
// together.
func (w *World) bursts(col int) (all [][]int) {
	last := make(map[condition.ID]int) // the latest burst of each value
	for i := range w.Table.Rows {
		r := &w.Table.Rows[i]
		k, begun := last[r.Conditions[col]]
		if !begun || len(all[k]) == mostBurst || r.Time.Sub(w.Table.Rows[all[k][0]].Time) >= burstLasts {
			k = len(all)
			last[r.Conditions[col]] = k
			all = append(all, nil)
		}
		all[k] = append(all[k], i)
	}
	return all
}

// nullTable is the share of tables without a cause that have a finding.
func nullTable(ctx context.Context, s *Settings) error {
	type outcome struct {
		failed      int
		any, joined bool
	}
	t := &table{}
	t.add("failures are", "requests", "failures", "any finding", "an interaction")
	kinds := nullKinds()
	for _, size := range []struct {
		requests, part int
		base           float64
	}{{30_000, 1, 0.003}, {30_000, 1, 0.03}, {100_000, 10, 0.1}} {
		n := max(1, s.Nulls/size.part)
		out, err := grid(ctx, s, fmt.Sprintf("null, base %v", size.base), len(kinds), n, func(ctx context.Context, k, i int) (outcome, error) {
			p := kinds[k].plan(Plan{Seed: s.Seed(i), Requests: size.requests, Base: size.base})
			w := p.Build()
			kinds[k].make(w, rand.New(rand.NewPCG(p.Seed, 1)))
			o := options()
			if kinds[k].changed {
				o.Since = w.Table.Rows[len(w.Table.Rows)/2].Time
			}
			r, err := interaction.Mine(ctx, w.Table, o)
			if len(r.Findings) > 0 {
				s.wrong(fmt.Sprintf("null, %s, base %v", kinds[k].name, size.base), p.Seed, "nothing", r)
			}
			joined := slices.ContainsFunc(r.Findings, func(f interaction.Finding) bool { return f.Verdict == interaction.Interact })
			return outcome{r.Failed, len(r.Findings) > 0, joined}, err
		})
		if err != nil {
			return err
		}
		for k, kind := range kinds {
			var found, joined Share
			failed := 0
			for _, o := range out[k] {
				found.Count(o.any)
				joined.Count(o.joined)
				failed += o.failed
			}
			t.add(kind.name, fmt.Sprint(size.requests), fmt.Sprint(failed/n), exactly(found), exactly(joined))
		}
	}
	s.heading("Tables without a cause",
		fmt.Sprintf("Share of tables with any finding, and with an interaction; 52 attributes, sets of up to %d, seeds %d on.", order, s.Seed(0)))
	t.print(s.Out)
	return nil
}

// exactly writes a small share with the numbers that it is of.
func exactly(s Share) string {
	low, high := s.Interval()
	return fmt.Sprintf("%d of %d = %.1f %% (%.1f–%.1f)", s.K, s.N, 100*s.Rate(), 100*low, 100*high)
}
