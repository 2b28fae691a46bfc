package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// plant makes rows of a fleet: services in versions with a configuration that
// goes with each and pods nested in it, flags, zones in regions, tenants,
// retries that fail more often by themselves. The first order of the planted
// conditions fail together at the given risk.
func plant(seed uint64, rows, order int, risk float64) (interaction.Table, []string) {
	rng := rand.New(rand.NewPCG(seed, 11))
	d := condition.NewDictionary(0)
	planted := []string{"svc0 service.version=2", "flag f1=on", "svc2 phase=warm", "zone=a"}[:order]
	table := interaction.Table{Rows: make([]interaction.Row, rows)}
	ids := make(map[string]condition.ID)
	for i := range table.Rows {
		at := time.Duration(i) * 5 * time.Minute / time.Duration(rows)
		r := interaction.Row{Time: start().Add(at), Total: 1}
		has := 0
		put := func(entity, dimension, value string) {
			c := condition.Condition{Entity: entity, Dimension: dimension, Value: value}
			text := c.String()
			id, ok := ids[text]
			if !ok {
				id, _ = d.ID(c)
				ids[text] = id
			}
			if slices.Contains(planted, text) {
				has++
			}
			r.Conditions = append(r.Conditions, id)
		}
		for s := range 6 {
			entity := fmt.Sprintf("svc%d", s)
			v := 1 + rng.IntN(5)/3
			put(entity, "service.version", fmt.Sprint(v))
			put(entity, "config", fmt.Sprintf("c%d", v))
			put(entity, "service.instance.id", fmt.Sprintf("%d-%d-%d", s, v, rng.IntN(4)))
			put(entity, "phase", []string{"cold", "warm", "warm"}[rng.IntN(3)])
			put("", fmt.Sprintf("flag f%d", s), onOff(rng.IntN(2) == 0))
		}
		z := rng.IntN(3)
		put("", "zone", string(rune('a'+z)))
		put("", "region", fmt.Sprint(z/2))
		put("", "tenant", fmt.Sprint(rng.IntN(1+rng.IntN(300))))
		put("", "attempt", fmt.Sprint(rng.IntN(20)/19))
		put("", "entry", fmt.Sprint(rng.IntN(8)))
		p := 0.003
		if r.Conditions[len(r.Conditions)-2] == ids["attempt=1"] && ids["attempt=1"] != 0 {
			p = 0.009
		}
		if order > 0 && has == order {
			p = risk
		}
		if rng.Float64() < p {
			r.Failed = 1
		}
		slices.Sort(r.Conditions)
		table.Rows[i] = r
	}
	table.Conditions = d.All()
	slices.Sort(planted)
	return table, planted
}

func TestPlantedSetsOfEachOrderAreFoundFirst(t *testing.T) {
	for order := 1; order <= 4; order++ {
		for seed := range uint64(2) {
			table, want := plant(seed, 12000, order, 0.3)
			r := mine(t, table, interaction.Options{MaxOrder: 4})
			verdict := interaction.Interact
			if order == 1 {
				verdict = interaction.SingleCause
			}
			if len(r.Findings) == 0 {
				t.Errorf("order %d, seed %d: found nothing", order, seed)
				continue
			}
			got := names(r.Findings[0])
			slices.Sort(got)
			if !slices.Equal(got, want) || r.Verdict != verdict {
				t.Errorf("order %d, seed %d: want %s of %v first, got %s", order, seed, verdict, want, describe(r))
			}
		}
	}
}

func TestPermutationsFindWhatTheBoundOverAllSetsMisses(t *testing.T) {
	table, want := plant(50, 700, 1, 0.06)
	r := mine(t, table, interaction.Options{})
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), want) || r.Findings[0].P > 0.01 {
		t.Errorf("want %v at p of 0.01 at most, got %s", want, describe(r))
	}
	// One permutation cannot show anything at this level.
	if r := mine(t, table, interaction.Options{Permutations: 1}); len(r.Findings) != 0 {
		t.Errorf("want nothing without permutations, got %s", describe(r))
	}
}

func TestNothingPlantedIsNothingFound(t *testing.T) {
	for seed := range uint64(4) {
		table, _ := plant(seed, 8000, 0, 0)
		r := mine(t, table, interaction.Options{MaxOrder: 4})
		for _, f := range r.Findings {
			// Retries do fail more often in this fleet.
			if !slices.Equal(names(f), []string{"attempt=1"}) {
				t.Errorf("seed %d: want nothing but the retries, got %s", seed, describe(r))
			}
		}
	}
}

func TestConditionThatHarmsAloneIsTheCauseEvenIfAnotherMakesItWorse(t *testing.T) {
	w := newWorld(5)
	for range 6000 {
		a, b := w.chance(0.4), w.chance(0.4)
		p := 0.01
		switch {
		case a && b:
			p = 0.5
		case a:
			p = 0.15
		}
		w.add(0, w.chance(p), fmt.Sprintf("bitrate=%v", a), fmt.Sprintf("device=%v", b))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"bitrate=true"}) {
		t.Errorf("want bitrate=true alone first, got %s", describe(r))
	}
}

func TestSetsThatAlwaysFailAreToldApartWhereOutcomesAreCertain(t *testing.T) {
	// Builds fail with a and b, and with a and c: a alone fails often, but is
	// neither cause.
	rng := rand.New(rand.NewPCG(6, 6))
	w := newWorld(6)
	for range 700 {
		v := make([]bool, 12)
		cs := make([]string, len(v))
		for i := range v {
			v[i] = rng.IntN(2) == 0
			cs[i] = fmt.Sprintf("%c=%v", 'a'+i, v[i])
		}
		w.add(0, v[0] && (v[1] || v[2]), cs...)
	}
	r := mine(t, w.done(), interaction.Options{MaxOrder: 4})
	got := make([]string, 0, 2)
	for _, f := range r.Findings {
		got = append(got, fmt.Sprint(names(f)))
	}
	if slices.Sort(got); !slices.Equal(got, []string{"[a=true b=true]", "[a=true c=true]"}) {
		t.Errorf("want the two pairs, got %s", describe(r))
	}
}

func TestFindingSaysWhereItsFailuresKeepTo(t *testing.T) {
	w := newWorld(7)
	for i := range 4000 {
		entry := []string{"POST /checkout", "GET /cart", "GET /news"}[w.rng.IntN(3)]
		flag := w.chance(0.5)
		w.add(time.Duration(i)*10*time.Millisecond, flag && entry == "POST /checkout" && w.chance(0.4) || w.chance(0.003),
			"entry="+entry, fmt.Sprintf("flag x=%v", flag))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"flag x=true"}) {
		t.Fatalf("want only the flag, got %s", describe(r))
	}
	want := []condition.Condition{{Dimension: "entry", Value: "POST /checkout"}}
	f := r.Findings[0]
	if !slices.Equal(f.Where, want) {
		t.Errorf("where: got %v, want %v", f.Where, want)
	}
	if f.Cells[0].Risk < 0.35 || f.Cells[0].Risk > 0.45 {
		t.Errorf("risk %.3f: want that of the checkout, about 0.4", f.Cells[0].Risk)
	}
}

func BenchmarkMine(b *testing.B) {
	table, _ := plant(1, 200_000, 3, 0.1)
	for _, order := range []int{2, 3, 4} {
		b.Run(fmt.Sprintf("200k-rows-order-%d", order), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := interaction.Mine(b.Context(), table, interaction.Options{MaxOrder: order}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
