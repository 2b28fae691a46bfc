package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

func TestCountsInBitsAndEntryByEntryAreTheSame(t *testing.T) {
	for seed := range uint64(4) {
		table := twist(0.6).run(seed)
		for i := range table.Rows {
			table.Rows[i].Time = time.Time{}
		}
		want := mine(t, table, interaction.Options{MaxOrder: 4})
		// Rows of another place, at which nothing fails, stand for more
		// observations than are counted in bits.
		elsewhere := condition.ID(len(table.Conditions))
		table.Conditions = append(slices.Clone(table.Conditions), condition.Condition{Dimension: "entry", Value: "elsewhere"})
		for _, r := range slices.Clone(table.Rows[:50]) {
			r.Total, r.Failed = 1<<30, 0
			r.Conditions = append(slices.DeleteFunc(slices.Clone(r.Conditions), func(id condition.ID) bool {
				return table.Conditions[id].Dimension == "entry"
			}), elsewhere)
			table.Rows = append(table.Rows, r)
		}
		got := mine(t, table, interaction.Options{MaxOrder: 4})
		if len(want.Findings) == 0 || len(got.Findings) != len(want.Findings) {
			t.Fatalf("seed %d: want the same findings, got %s, want %s", seed, describe(got), describe(want))
		}
		for i, w := range want.Findings {
			g := got.Findings[i]
			if d := cmp.Diff(names(w), names(g)); d != "" {
				t.Errorf("seed %d: conditions differ: %s", seed, d)
			}
			if d := cmp.Diff(w.Cells[0], g.Cells[0]); d != "" {
				t.Errorf("seed %d: cells differ: %s", seed, d)
			}
			// The p are not the same, since the shares of conditions are not.
			if w.Excess != g.Excess || w.Difference != g.Difference || w.Coverage != g.Coverage {
				t.Errorf("seed %d: excess %v and %v, difference %v and %v, coverage %v and %v: want the same",
					seed, w.Excess, g.Excess, w.Difference, g.Difference, w.Coverage, g.Coverage)
			}
		}
	}
}

func TestASetIsJudgedByWhatItsCellsCount(t *testing.T) {
	for name, weight := range map[string]func(i int) float64{
		"every success weighs the same": func(int) float64 { return 7 },
		"weights differ in a stratum":   func(i int) float64 { return 1 + float64(i%3) },
		"weights differ by time":        func(i int) float64 { return 1 + float64(i/500) },
	} {
		for seed := range uint64(3) {
			table := crowded(seed, 3000, 3, 6, 2, 0.2)
			for i := range table.Rows {
				table.Rows[i].Weight = weight(i)
			}
			got, want, err := interaction.Judged(t.Context(), table, interaction.Options{MaxOrder: 4})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) < 10 {
				t.Fatalf("%s, seed %d: want some sets to judge, got %d", name, seed, len(got))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, seed %d: counts differ (-cells +judged):\n%s", name, seed, d)
			}
		}
	}
}

func TestACellIsCountedByOneProcessorOrInTwoPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, 40_000), rapid.IntRange(100_000, 400_000))
		if err := interaction.Divided(rapid.SliceOfN(size, 1, 6).Draw(t, "entries")); err != nil {
			t.Fatal(err)
		}
	})
}

// crowded makes rows in which a set of three fails, among columns of so many values,
// and some that the first two of the set imply.
func crowded(seed uint64, rows, columns, values, implied int, risk float64) interaction.Table {
	rng := rand.New(rand.NewPCG(seed, 11))
	d := condition.NewDictionary(0)
	var t interaction.Table
	for i := range rows {
		var ids []condition.ID
		add := func(name, value string) {
			id, _ := d.ID(condition.Condition{Dimension: name, Value: value})
			ids = append(ids, id)
		}
		v, z, f := rng.IntN(3) == 0, rng.IntN(3) == 0, rng.IntN(3) == 0
		add("v", fmt.Sprint(v))
		add("z", fmt.Sprint(z))
		add("f", fmt.Sprint(f))
		for k := range implied {
			add(fmt.Sprint("i", k), fmt.Sprint(v && z || rng.IntN(5) == 0))
		}
		for k := range columns {
			add(fmt.Sprint("c", k), fmt.Sprint(rng.IntN(values)))
		}
		slices.Sort(ids)
		r := interaction.Row{
			Time:  start().Add(10 * time.Minute * time.Duration(i) / time.Duration(rows)),
			Total: 1 + i%2, Weight: 1 + float64(i%3), Conditions: ids,
		}
		for range r.Total {
			if rng.Float64() < 0.02 || v && z && f && rng.Float64() < risk {
				r.Failed++
			}
		}
		t.Rows = append(t.Rows, r)
	}
	t.Conditions = d.All()
	return t
}
