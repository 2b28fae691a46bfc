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
	// small says that only tables of few requests are made.
	small bool
}

func nullKinds() []nullKind {
	alone := func(p Plan) Plan {
		p.Shape = func(d *Draft) { d.retried = 1 }
		return p
	}
	kinds := []nullKind{
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
	for _, long := range []struct {
		name string
		like Bursts
	}{
		{"in bursts of 20 in a row, 40 s at most", Bursts{Requests: 20, Lasts: 40 * time.Second}},
		{"in bursts of 20 within 40 s", Bursts{Requests: 20, Lasts: 40 * time.Second, Spread: true}},
		{"in bursts of 40 within 80 s", Bursts{Requests: 40, Lasts: 80 * time.Second, Spread: true}},
		{"in bursts of 60 within 3 min", Bursts{Requests: 60, Lasts: 3 * time.Minute, Spread: true}},
	} {
		kinds = append(kinds, nullKind{
			name: long.name, plan: alone, small: true,
			make: func(w *World, rng *rand.Rand) { w.BurstLike(long.like, rng) },
		})
	}
	return kinds
}

// Bursts say how failures come in bursts: each of a tenant or an instance, of some
// requests within some time, half of which fail.
type Bursts struct {
	// Requests is how many a burst reaches at most, and Lasts how long it is at most.
	Requests int
	Lasts    time.Duration
	// Spread says that where a tenant or an instance has more requests in that time the
	// burst reaches some of all of them, and not the first ones.
	Spread bool
}

// short bursts are over within a bucket of time.
func short() Bursts { return Bursts{Requests: 8, Lasts: 10 * time.Second} }

// Burst deals as many failures as there are out again, in bursts.
func (w *World) Burst(rng *rand.Rand) { w.BurstLike(short(), rng) }

// BurstLike does so in bursts that may be long.
func (w *World) BurstLike(b Bursts, rng *rand.Rand) {
	failures := 0
	for i := range w.Table.Rows {
		failures += w.Table.Rows[i].Failed
		w.Table.Rows[i].Failed = 0
	}
	w.disturb(b, rng, failures)
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
func (w *World) Disturb(rng *rand.Rand, failures int) { w.disturb(short(), rng, failures) }

func (w *World) disturb(b Bursts, rng *rand.Rand, failures int) {
	var possible [columns][][]int
	for failures > 0 {
		col := colTenant
		if s := rng.IntN(2 * services); s < services {
			col = s*perService + instance
		}
		if possible[col] == nil {
			possible[col] = w.bursts(b, col)
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
func (w *World) bursts(b Bursts, col int) (all [][]int) {
	last := make(map[condition.ID]int) // the latest burst of each value
	for i := range w.Table.Rows {
		r := &w.Table.Rows[i]
		k, begun := last[r.Conditions[col]]
		if !begun || !b.Spread && len(all[k]) == b.Requests || r.Time.Sub(w.Table.Rows[all[k][0]].Time) >= b.Lasts {
			k = len(all)
			last[r.Conditions[col]] = k
			all = append(all, nil)
		}
		all[k] = append(all[k], i)
	}
	if b.Spread {
		return b.thin(all)
	}
	return all
}

// thin parts bursts of too many requests into several of the same time.
func (b Bursts) thin(bursts [][]int) (all [][]int) {
	for _, rows := range bursts {
		n := (len(rows) + b.Requests - 1) / b.Requests
		parts := make([][]int, n)
		for i, row := range rows {
			parts[i%n] = append(parts[i%n], row)
		}
		all = append(all, parts...)
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
	for _, size := range []struct {
		requests, part int
		base           float64
	}{{30_000, 1, 0.003}, {30_000, 1, 0.03}, {100_000, 10, 0.1}} {
		n := max(1, s.Nulls/size.part)
		kinds := nullKinds()
		if size.part > 1 {
			kinds = slices.DeleteFunc(kinds, func(k nullKind) bool { return k.small })
		}
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
