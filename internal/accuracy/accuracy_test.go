package accuracy_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.test/eddy/internal/accuracy"
	"example.test/eddy/internal/interaction"
)

// mine looks for sets of up to four conditions.
func mine(t *testing.T, w *accuracy.World) interaction.Result {
	t.Helper()
	r, err := interaction.Mine(t.Context(), w.Table, interaction.Options{MaxOrder: 4})
	if err != nil {
		t.Fatalf("Mine: %v", err)
	}
	return r
}

// answers lists the sets of a result, for the log of a failure.
func answers(r interaction.Result) string {
	var sets []string
	for _, f := range r.Findings {
		sets = append(sets, string(f.Verdict)+" of "+accuracy.NewSet(f.Conditions...).String())
	}
	return string(r.Verdict) + ": " + strings.Join(sets, "; ")
}

func TestPlantedSetsOfEachOrderAreFoundFirst(t *testing.T) {
	for order := 1; order <= 4; order++ {
		p := accuracy.Plan{Seed: accuracy.Tuning(order), Requests: 30_000, Base: 0.003, Orders: []int{order}, Risk: 0.5}
		w := p.Build()
		r := mine(t, w)
		if len(r.Findings) == 0 || !w.Found(&r.Findings[0], &w.Causes[0]) {
			t.Errorf("order %d, seed %d: got %s, want %s first", order, p.Seed, answers(r), w.Causes[0].Set)
			continue
		}
		want := interaction.Interact
		if order == 1 {
			want = interaction.SingleCause
		}
		if got := r.Findings[0].Verdict; got != want {
			t.Errorf("order %d, seed %d: got verdict %s, want %s", order, p.Seed, got, want)
		}
	}
}

func TestTablesWithoutACauseHaveNoFinding(t *testing.T) {
	for i := range 3 {
		p := accuracy.Plan{Seed: accuracy.Tuning(i), Requests: 12_000, Base: 0.02, Orders: []int{2}, Risk: 0.2}
		w := p.Build()
		w.Permute(rand.New(rand.NewPCG(p.Seed, 1)))
		if r := mine(t, w); len(r.Findings) > 0 {
			t.Errorf("seed %d, failures permuted within strata: got %s, want nothing", p.Seed, answers(r))
		}
	}
}

func TestACauseThatIsNotInTheTableIsNotExplained(t *testing.T) {
	for order := 1; order <= 3; order++ {
		p := accuracy.Plan{Seed: accuracy.Tuning(order), Requests: 15_000, Base: 0.001, Orders: []int{order}, Risk: 0.3}
		w := p.Build()
		w.Withhold()
		if r := mine(t, w); r.Verdict != interaction.NoExplanation {
			t.Errorf("order %d, seed %d, %s withheld: got %s, want no explanation", order, p.Seed, w.Causes[0].Set, answers(r))
		}
	}
}

func TestSeedsForTuningAndForReportsNeverMeet(t *testing.T) {
	for _, i := range []int{0, 1, 999_999, 1_000_000, math.MaxInt} {
		tuning, reporting := accuracy.Tuning(i), accuracy.Reporting(i)
		if tuning < 1_000_000 || tuning >= 2_000_000 || reporting < 2_000_000 || reporting >= 3_000_000 {
			t.Errorf("i %d: got seeds %d and %d, want one below two million and one above", i, tuning, reporting)
		}
	}
}

func TestAPlanMakesTheSameWorldAgain(t *testing.T) {
	p := accuracy.Plan{Seed: accuracy.Tuning(7), Requests: 2000, Base: 0.05, Orders: []int{2, 1}, Risk: 0.3, KeepOne: 3, Retries: 0.5}
	a, b := p.Build(), p.Build()
	if len(a.Table.Rows) == 0 || len(a.Table.Rows) != len(b.Table.Rows) {
		t.Fatalf("got %d and %d rows, want as many each time", len(a.Table.Rows), len(b.Table.Rows))
	}
	for i := range a.Table.Rows {
		x, y := a.Table.Rows[i], b.Table.Rows[i]
		if x.Failed != y.Failed || x.Weight != y.Weight || !x.Time.Equal(y.Time) || !slices.Equal(x.Conditions, y.Conditions) {
			t.Fatalf("row %d: got %v and %v, want the same", i, x, y)
		}
	}
}

func TestRequestsWithAPlantedSetFailAtItsRisk(t *testing.T) {
	for order := 1; order <= 5; order++ {
		const n, risk = 40_000, 0.3
		p := accuracy.Plan{Seed: accuracy.Tuning(order), Requests: n, Base: 0.003, Orders: []int{order}, Risk: risk}
		w := p.Build()
		c := w.Causes[0]
		if len(c.Set) != order {
			t.Fatalf("seed %d: got %s, want %d conditions", p.Seed, c.Set, order)
		}
		var inside, outside accuracy.Share
		for _, r := range w.Table.Rows {
			has := 0
			for _, id := range r.Conditions {
				if c.Set.Contains(accuracy.NewSet(w.Table.Conditions[id])) {
					has++
				}
			}
			if has == order {
				inside.Count(r.Failed == 1)
			} else {
				outside.Count(r.Failed == 1)
			}
		}
		near := func(what string, got, want, n float64) {
			if se := math.Sqrt(want * (1 - want) / n); math.Abs(got-want) > 5*se {
				t.Errorf("order %d, seed %d: %s is %.4f, want %.4f, give or take %.4f", order, p.Seed, what, got, want, 5*se)
			}
		}
		near("the share of the set", float64(inside.N)/n, c.Share, n)
		near("the risk inside", inside.Rate(), risk, float64(inside.N))
		near("the risk outside", outside.Rate(), 0.003, float64(outside.N)/2) // endpoints and hours differ
	}
}

func TestPermutingKeepsTheFailuresOfEachEntryAndTime(t *testing.T) {
	p := accuracy.Plan{Seed: accuracy.Tuning(1), Requests: 5000, Base: 0.1}
	w := p.Build()
	count := func() map[string]int {
		m := make(map[string]int)
		for _, r := range w.Table.Rows {
			for _, id := range r.Conditions {
				if c := w.Table.Conditions[id]; c.Dimension == "entry" {
					m[r.Time.Truncate(10e9).String()+c.Value] += r.Failed
				}
			}
		}
		return m
	}
	before := count()
	was := make([]int, len(w.Table.Rows))
	for i, r := range w.Table.Rows {
		was[i] = r.Failed
	}
	w.Permute(rand.New(rand.NewPCG(1, 1)))
	moved := 0
	for i, r := range w.Table.Rows {
		if r.Failed != was[i] {
			moved++
		}
	}
	after := count()
	for k, n := range before {
		if after[k] != n {
			t.Errorf("%s: got %d failures, want %d as before", k, after[k], n)
		}
	}
	if moved < 100 {
		t.Errorf("%d rows changed their outcome, want most of the failures to move", moved)
	}
}

func TestBurstsHarmNobodyMoreThanOthers(t *testing.T) {
	var large, small accuracy.Share
	for i := range 12 {
		p := accuracy.Plan{Seed: accuracy.Tuning(i), Requests: 20_000, Base: 0.05}
		w := p.Build()
		w.Burst(rand.New(rand.NewPCG(p.Seed, 1)))
		for _, r := range w.Table.Rows {
			for _, id := range r.Conditions {
				if c := w.Table.Conditions[id]; c.Dimension == "tenant" {
					if slices.Contains([]string{"t0", "t1", "t2"}, c.Value) {
						large.Count(r.Failed == 1)
					} else {
						small.Count(r.Failed == 1)
					}
				}
			}
		}
	}
	// Failures come some four at a time, so that shares vary twice as much as
	// if each came by itself.
	se := 2 * math.Sqrt(0.05*0.95*(1/float64(large.N)+1/float64(small.N)))
	if d := large.Rate() - small.Rate(); math.Abs(d) > 4*se {
		t.Errorf("large tenants fail in %.4f, small ones in %.4f, want the same, give or take %.4f", large.Rate(), small.Rate(), 4*se)
	}
}

func TestWilsonsIntervalHoldsTheShare(t *testing.T) {
	for _, x := range []struct {
		s         accuracy.Share
		low, high float64
	}{
		{accuracy.Share{}, 0, 1},
		{accuracy.Share{K: 0, N: 10}, 0, 0.2775},
		{accuracy.Share{K: 9, N: 10}, 0.5958, 0.9821},
		{accuracy.Share{K: 500, N: 1000}, 0.4691, 0.5309},
	} {
		low, high := x.s.Interval()
		if math.Abs(low-x.low) > 1e-4 || math.Abs(high-x.high) > 1e-4 {
			t.Errorf("%d of %d: got %.4f to %.4f, want %.4f to %.4f", x.s.K, x.s.N, low, high, x.low, x.high)
		}
	}
}

// small measures little.
func small(out *bytes.Buffer) *accuracy.Settings {
	return &accuracy.Settings{
		Worlds: 1, Nulls: 1, Draws: 1, Rows: 1500, Risks: []float64{0.3}, Failures: []int{30},
		Seed: accuracy.Tuning, Workers: 2, Out: out,
	}
}

func TestTablesAreTheSameEachTime(t *testing.T) {
	for _, m := range accuracy.Measurements() {
		if m.Name != "weights" && m.Name != "jhipster" {
			continue // the others do no more than these, for longer
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			var a, b bytes.Buffer
			for _, out := range []*bytes.Buffer{&a, &b} {
				if err := m.Run(t.Context(), small(out)); err != nil {
					t.Fatal(err)
				}
			}
			if a.String() != b.String() || !strings.Contains(a.String(), "\n| ---") {
				t.Errorf("got\n%s\nand then\n%s\nwant the same table twice", &a, &b)
			}
		})
	}
}

func TestAMeasurementThatIsStoppedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range accuracy.Measurements() {
		var out bytes.Buffer
		if err := m.Run(ctx, small(&out)); err == nil || out.Len() > 0 {
			t.Errorf("%s: got error %v and %d bytes, want an error and no table", m.Name, err, out.Len())
		}
	}
}
