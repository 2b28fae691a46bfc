package interaction_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

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

// alone makes every row one observation, unlike all others, and every success stand for
// one.
func alone(t *interaction.Table) {
	for i := range t.Rows {
		r := &t.Rows[i]
		r.Total, r.Weight, r.Failed = 1, 1, min(r.Failed, 1)
		r.Conditions = append(r.Conditions, condition.ID(len(t.Conditions)))
		t.Conditions = append(t.Conditions, condition.Condition{Dimension: "row", Value: fmt.Sprint(i)})
	}
}

func TestASearchFindsWhatCountingAllSetsFinds(t *testing.T) {
	for _, x := range []struct {
		name                           string
		rows, columns, values, implied int
		risk                           float64
		o                              interaction.Options
	}{
		{"pairs", 3000, 4, 8, 0, 0.2, interaction.Options{MaxOrder: 2}},
		{"triples of a sample", 3000, 3, 6, 2, 0.2, interaction.Options{MaxOrder: 3, Sample: 500}},
		{"what two of the set imply", 3000, 1, 3, 8, 0.3, interaction.Options{MaxOrder: 3}},
		{"fours", 4000, 3, 2, 0, 0.3, interaction.Options{MaxOrder: 4}},
		{"many rare values, so that larger sets are fewer", 4000, 2, 60, 0, 0.6, interaction.Options{MaxOrder: 3, MinShare: 0.3}},
		{"nothing to find", 3000, 3, 6, 0, 0, interaction.Options{MaxOrder: 3}},
		{"fives", 6000, 3, 2, 0, 0.5, interaction.Options{MaxOrder: 5}},
		{"more pairs than are counted at once", 1500, 36, 3, 0, 0.3, interaction.Options{MaxOrder: 3}},
	} {
		for run := range uint64(6) {
			seed := run / 2
			table := crowded(seed, x.rows, x.columns, x.values, x.implied, x.risk)
			if run%2 == 1 {
				alone(&table)
			}
			got, want, err := interaction.FirstSearch(t.Context(), table, x.o)
			if err != nil {
				t.Fatal(err)
			}
			same := slices.EqualFunc(got, want, func(a, b interaction.Scored) bool {
				return math.Abs(a.Score-b.Score) < 1e-6
			})
			for _, g := range got {
				same = same && slices.ContainsFunc(want, func(w interaction.Scored) bool { return slices.Equal(w.Set, g.Set) })
			}
			if !same {
				t.Errorf("%s, run %d: the search gave %d sets, counting all %d:\n%v\n%v", x.name, run, len(got), len(want), got, want)
			}
		}
	}
}

func TestASwitchThatWasTurnedOnceIsNoPartOfACause(t *testing.T) {
	// At the same moment one tenant begins to fail, for a reason that nobody recorded,
	// and its flag is turned on; those of others are turned at any time.
	for seed := range uint64(5) {
		w := newWorld(seed)
		const rows, when = 30_000, 330 * time.Second
		for i := range rows {
			at := 10 * time.Minute * time.Duration(i) / rows
			tenant, flag, risk := w.rng.IntN(8), w.chance(0.5), 0.02
			if tenant == 0 {
				flag = at > when
				if flag {
					risk = 0.3
				}
			}
			w.add(at, w.chance(risk), fmt.Sprintf("tenant=t%d", tenant), fmt.Sprintf("flag x=%v", flag), fmt.Sprintf("zone=%d", w.rng.IntN(3)))
		}
		r := mine(t, w.done(), interaction.Options{})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"tenant=t0"}) {
			t.Errorf("seed %d: want the tenant alone, got %s", seed, describe(r))
		}
	}
}
