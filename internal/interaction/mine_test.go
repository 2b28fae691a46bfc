package interaction_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

func twist(risk float64) shop {
	return shop{
		requests: 3000, lasts: 50 * time.Second, flags: 0.5,
		risk: func(entry string, has func(string) bool) float64 {
			if entry == "POST /checkout" && has("pricing: service.version=2.0") && has("cart: service.version=1.9") && has("pricing: flag bulk-quote=on") {
				return risk
			}
			return 0
		},
	}
}

func TestTwistOfThreeConditionsIsNamedExactly(t *testing.T) {
	want := []string{"cart service.version=1.9", "pricing flag bulk-quote=on", "pricing service.version=2.0"}
	for seed := range uint64(8) {
		r := mine(t, twist(0.7).run(seed), interaction.Options{})
		if r.Verdict != interaction.Interact || len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), want) {
			t.Errorf("seed %d: want only %v, got %s", seed, want, describe(r))
		}
	}
}

func TestBadVersionOnTwoOfThreeInstancesIsASingleCause(t *testing.T) {
	s := twist(0)
	s.risk = func(entry string, has func(string) bool) float64 {
		if has("payments: service.version=3.1.0") {
			return 0.4
		}
		return 0
	}
	want := []string{"payments service.version=3.1.0"}
	for seed := range uint64(8) {
		r := mine(t, s.run(seed), interaction.Options{})
		if r.Verdict != interaction.SingleCause || len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), want) {
			t.Errorf("seed %d: want only %v, got %s", seed, want, describe(r))
		}
	}
}

func TestCauseOutsideTheTableIsNotExplained(t *testing.T) {
	s := twist(0)
	s.risk = func(entry string, has func(string) bool) float64 {
		if entry == "POST /checkout" {
			return 0.12
		}
		return 0
	}
	for seed := range uint64(8) {
		r := mine(t, s.run(seed), interaction.Options{})
		if r.Verdict != interaction.NoExplanation || len(r.Findings) != 0 {
			t.Errorf("seed %d: want no explanation, got %s", seed, describe(r))
		}
	}
}

func TestResultIsTheSameBytesTwiceAndInAnyOrderOfRows(t *testing.T) {
	table := twist(0.5).run(3)
	table.Rows[5].Weight = 3
	want := encode(t, mine(t, table, interaction.Options{Seed: 9}))
	if got := encode(t, mine(t, table, interaction.Options{Seed: 9})); got != want {
		t.Errorf("second run differs:\n%s\nfirst:\n%s", got, want)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		rng.Shuffle(len(table.Rows), func(i, j int) { table.Rows[i], table.Rows[j] = table.Rows[j], table.Rows[i] })
		if got := encode(t, mine(t, table, interaction.Options{Seed: 9})); got != want {
			t.Errorf("rows in another order give another result:\n%s\nwant:\n%s", got, want)
		}
		// A sample too must not depend on the order.
		small := interaction.Options{Seed: 9, Sample: 500}
		a := encode(t, mine(t, table, small))
		rng.Shuffle(len(table.Rows), func(i, j int) { table.Rows[i], table.Rows[j] = table.Rows[j], table.Rows[i] })
		if b := encode(t, mine(t, table, small)); a != b {
			t.Errorf("sampled rows in another order give another result:\n%s\nwant:\n%s", b, a)
		}
	}
}

func TestOneProcessorGivesTheBytesOfTwo(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, since := range []time.Time{{}, start().Add(5 * time.Minute)} {
		table, _ := plant(4, 18_000, 3, 0.3)
		var got []string
		for _, n := range []int{1, 2, 4} {
			runtime.GOMAXPROCS(n)
			got = append(got, encode(t, mine(t, table, interaction.Options{Since: since})))
		}
		if got[0] != got[1] || got[1] != got[2] {
			t.Errorf("since %v, 1, 2 and 4 processors give\n%s", since, strings.Join(got, "\n"))
		}
	}
}

func TestCausesAreFoundOneBesideTheOther(t *testing.T) {
	w := newWorld(9)
	for i := range 12_000 {
		cart, flag, zone, cache := w.rng.IntN(3), w.rng.IntN(2), w.rng.IntN(4), w.rng.IntN(2)
		p := 0.003
		switch {
		case cart == 2 && flag == 1:
			p = 0.3
		case zone == 3 && cache == 1:
			p = 0.2
		}
		w.add(10*time.Minute*time.Duration(i)/12_000, w.chance(p), fmt.Sprintf("cart: service.version=%d", cart),
			fmt.Sprintf("flag x=%d", flag), fmt.Sprintf("zone=%d", zone), fmt.Sprintf("cache=%d", cache))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 2 || !slices.Equal(names(r.Findings[0]), []string{"flag x=1", "cart service.version=2"}) ||
		!slices.Equal(names(r.Findings[1]), []string{"cache=1", "zone=3"}) {
		t.Fatalf("want the cart with the flag, then the zone with the cache, got %s", describe(r))
	}
	for i, share := range []float64{0.3, 0.2} {
		f := r.Findings[i]
		if f.Verdict != interaction.Interact || f.Rank != i+1 {
			t.Errorf("finding %d is of rank %d and a %s, want an interaction", i+1, f.Rank, f.Verdict)
		}
		// The parts fail as others do, the other cause among them.
		most := 0.0
		for _, c := range f.Cells[1:3] {
			most = max(most, c.Risk)
		}
		if want := f.Cells[0].Risk - most; math.Abs(f.Difference-want) > 1e-5 || math.Abs(f.Cells[0].Risk-share) > 0.06 {
			t.Errorf("finding %d: difference %v at a risk of %v, want %v at about %v", i+1, f.Difference, f.Cells[0].Risk, want, share)
		}
	}
	if r.Explained < 0.9 {
		t.Errorf("%v is explained, want nearly all: %s", r.Explained, describe(r))
	}
}

func encode(t *testing.T, r interaction.Result) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("encode result: %v", err)
	}
	return string(b)
}

func TestFailuresDealtAtRandomWithinStrataAreNotExplained(t *testing.T) {
	const runs = 60
	alarms := 0
	for seed := range uint64(runs) {
		table := twist(0.7).run(seed)
		deal(table, rand.New(rand.NewPCG(seed, 99)))
		r := mine(t, table, interaction.Options{})
		if len(r.Findings) > 0 {
			alarms++
			t.Logf("seed %d: %s", seed, describe(r))
		}
	}
	// At 5 % each, 60 runs exceed 7 in 1 of 100 such tests; at the 1 % that is
	// expected, in fewer than 1 of 1e6.
	if alarms > 7 {
		t.Errorf("%d of %d tables without a cause have a finding", alarms, runs)
	}
}

// deal permutes the failures among the rows of the same ten seconds and entry.
func deal(table interaction.Table, rng *rand.Rand) {
	groups := make(map[string][]int)
	var keys []string
	for i, r := range table.Rows {
		var k strings.Builder
		k.WriteString(strconv.FormatInt(r.Time.Unix()/10, 10))
		for _, id := range r.Conditions {
			if c := table.Conditions[id]; c.Dimension == "entry" {
				k.WriteString(c.Value)
			}
		}
		if groups[k.String()] == nil {
			keys = append(keys, k.String())
		}
		groups[k.String()] = append(groups[k.String()], i)
	}
	for _, k := range keys {
		g := groups[k]
		rng.Shuffle(len(g), func(i, j int) {
			a, b := &table.Rows[g[i]], &table.Rows[g[j]]
			a.Failed, b.Failed = b.Failed, a.Failed
		})
	}
}

func TestMineNamesTheBadRowOrOption(t *testing.T) {
	table := func(edit func(*interaction.Row)) interaction.Table {
		w := newWorld(1)
		w.add(0, false, "a=1", "b=1")
		w.add(0, true, "a=2", "b=1")
		edit(&w.table.Rows[1])
		return w.done()
	}
	for _, c := range []struct {
		name string
		edit func(*interaction.Row)
		o    interaction.Options
		want string
	}{
		{"total", func(r *interaction.Row) { r.Total, r.Failed = -1, 0 }, interaction.Options{}, "row 1: total -1"},
		{"failed", func(r *interaction.Row) { r.Failed = 2 }, interaction.Options{}, "row 1: failed 2 of 1"},
		{"weight", func(r *interaction.Row) { r.Weight = math.NaN() }, interaction.Options{}, "row 1: weight NaN"},
		{"time", func(r *interaction.Row) { r.Time = time.Time{} }, interaction.Options{}, "row 1: time"},
		{"unknown", func(r *interaction.Row) { r.Conditions = []condition.ID{9} }, interaction.Options{}, "row 1: condition 9"},
		{"order", func(r *interaction.Row) { r.Conditions = []condition.ID{1, 0} }, interaction.Options{}, "row 1: condition 0 after 1"},
		{"option", func(*interaction.Row) {}, interaction.Options{MaxOrder: 6}, "max order 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := interaction.Mine(t.Context(), table(c.edit), c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestMineStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := interaction.Mine(ctx, twist(0.7).run(1), interaction.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestTablesWithNothingToCompareSaySo(t *testing.T) {
	for _, c := range []struct {
		name    string
		failed  []bool
		verdict interaction.Verdict
		missing string
	}{
		{"empty", nil, "", ""},
		{"fine", []bool{false, false}, "", ""},
		{"all", []bool{true, true}, interaction.NoExplanation, "All requests failed"},
		{"few", []bool{true, false, false}, interaction.NoExplanation, "is too few"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(1)
			for i, f := range c.failed {
				w.add(0, f, "n="+strconv.Itoa(i))
			}
			r := mine(t, w.done(), interaction.Options{})
			if r.Verdict != c.verdict || !strings.Contains(strings.Join(r.Missing, "\n"), c.missing) {
				t.Errorf("want verdict %q and %q, got %s", c.verdict, c.missing, describe(r))
			}
		})
	}
}
