package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// columns makes rows of so many columns with two or three values, each row as
// often as times says, in which the planted conditions fail together.
func columns(seed uint64, rows, columns, order, times int, risk float64, timed bool) (interaction.Table, []string) {
	rng := rand.New(rand.NewPCG(seed, 3))
	d := condition.NewDictionary(0)
	var planted []string
	for c := range order {
		planted = append(planted, fmt.Sprintf("c%d=0", c))
	}
	var table interaction.Table
	for i := range rows {
		r := interaction.Row{Total: times}
		if timed {
			r.Time = start().Add(time.Duration(i) * 5 * time.Minute / time.Duration(rows))
		}
		harm := order > 0
		for c := range columns {
			v := rng.IntN(2 + c%2)
			harm = harm && (c >= order || v == 0)
			id, _ := d.ID(condition.Condition{Dimension: fmt.Sprintf("c%d", c), Value: fmt.Sprint(v)})
			r.Conditions = append(r.Conditions, id)
		}
		slices.Sort(r.Conditions)
		p := 0.01
		if harm {
			p = risk
		}
		if rng.Float64() < p {
			r.Failed = times
		}
		table.Rows = append(table.Rows, r)
	}
	table.Conditions = d.All()
	return table, planted
}

// finds reports whether one of the findings is the planted set.
func finds(r interaction.Result, planted []string) bool {
	return slices.ContainsFunc(r.Findings, func(f interaction.Finding) bool {
		got := names(f)
		slices.Sort(got)
		return slices.Equal(got, planted)
	})
}

func TestMoreEvidenceNeverLosesAFinding(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		rows := rapid.IntRange(1200, 2000).Draw(rt, "rows")
		order := rapid.IntRange(1, 3).Draw(rt, "order")
		risk := rapid.Float64Range(0.4, 1).Draw(rt, "risk")
		timed := rapid.Bool().Draw(rt, "timed")
		// From samples that hold a tenth of the failures to ones that hold all rows.
		o := interaction.Options{Sample: rapid.SampledFrom([]int{100, 400, 1600, 6400}).Draw(rt, "sample"), Location: []string{}}
		once, planted := columns(seed, rows, 12, order, 1, risk, timed)
		more, _ := columns(seed, rows, 12, order, 10, risk, timed)
		if r := mine(t, once, o); !finds(r, planted) {
			rt.Errorf("once: want %v, got %s", planted, describe(r))
		}
		if r := mine(t, more, o); !finds(r, planted) {
			rt.Errorf("ten times: want %v, got %s", planted, describe(r))
		}
	})
}

func TestSetOfASmallShareOfManyFailuresIsFound(t *testing.T) {
	// More distinct failing rows than the search looks at, a tenth of them the
	// planted ones.
	for _, times := range []int{1, 10} {
		rng := rand.New(rand.NewPCG(1, 5))
		w := newWorld(1)
		for range 40000 {
			a, b := w.chance(0.25), w.chance(0.25)
			p := 0.3
			if a && b {
				p = 0.75
			}
			w.add(0, w.chance(p), fmt.Sprintf("a=%v", a), fmt.Sprintf("b=%v", b), fmt.Sprintf("c=%d", rng.IntN(50)), fmt.Sprintf("d=%d", rng.IntN(50)), fmt.Sprintf("e=%d", rng.IntN(50)))
		}
		table := w.done()
		for i := range table.Rows {
			table.Rows[i].Time = time.Time{}
			table.Rows[i].Total *= times
			table.Rows[i].Failed *= times
		}
		r := mine(t, table, interaction.Options{Sample: 2000})
		if !finds(r, []string{"a=true", "b=true"}) {
			t.Errorf("%d times: want a and b together, got %s", times, describe(r))
		}
	}
}

func TestWhatWasSetAsideCountsAsLookedAt(t *testing.T) {
	table, planted := columns(5, 3000, 6, 2, 1, 0.3, false)
	all := mine(t, table, interaction.Options{Location: []string{}})
	for i := range 40 {
		for range 25 {
			table.Unlisted = append(table.Unlisted, interaction.Unlisted{Name: fmt.Sprintf("x%d", i), Total: 500})
		}
	}
	table.Unlisted = append(table.Unlisted, interaction.Unlisted{Name: "rare", Total: 1})
	held := mine(t, table, interaction.Options{Location: []string{}})
	if !finds(all, planted) || !finds(held, planted) {
		t.Fatalf("want %v in both, got %s and %s", planted, describe(all), describe(held))
	}
	// Sets of two of 12 to 18 conditions, and of as many and a thousand more.
	if factor := held.Findings[0].P / all.Findings[0].P; factor < 1000 || factor > 1e5 {
		t.Errorf("p grew by a factor of %g, want as many as there are more pairs", factor)
	}
}
