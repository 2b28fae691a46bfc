package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// small draws a table of a few columns, some of them copies of others, in
// which failures depend on two of them.
func small(t *rapid.T) interaction.Table {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	columns := rapid.IntRange(2, 6).Draw(t, "columns")
	copies := rapid.IntRange(0, 2).Draw(t, "copies")
	rows := rapid.IntRange(30, 400).Draw(t, "rows")
	values := rapid.IntRange(2, 3).Draw(t, "values")
	d := condition.NewDictionary(0)
	id := func(name string, value int) condition.ID {
		n, _ := d.ID(condition.Condition{Dimension: name, Value: fmt.Sprint(value)})
		return n
	}
	var table interaction.Table
	for range rows {
		vals := make([]int, columns)
		r := interaction.Row{Total: 1 + rng.IntN(3)*rng.IntN(20)}
		for c := range vals {
			vals[c] = rng.IntN(values)
			r.Conditions = append(r.Conditions, id(fmt.Sprintf("c%d", c), vals[c]))
			if c < copies {
				r.Conditions = append(r.Conditions, id(fmt.Sprintf("copy%d", c), vals[c]))
			}
		}
		slices.Sort(r.Conditions)
		p := 0.05
		if vals[0] == 1 && vals[1] == 0 {
			p = 0.8
		}
		for range r.Total {
			if rng.Float64() < p {
				r.Failed++
			}
		}
		table.Rows = append(table.Rows, r)
	}
	table.Conditions = d.All()
	return table
}

// holds reports whether a row has a condition.
func holds(table interaction.Table, r interaction.Row, c condition.Condition) bool {
	return slices.ContainsFunc(r.Conditions, func(id condition.ID) bool { return table.Conditions[id] == c })
}

func TestCellsAliasesAndMinimalityAreExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		table := small(rt)
		r, err := interaction.Mine(t.Context(), table, interaction.Options{})
		if err != nil {
			rt.Fatalf("Mine: %v", err)
		}
		for _, f := range r.Findings {
			cells := make(map[string][2]int)
			each := make(map[string]int) // rows by which conditions hold
			for _, row := range table.Rows {
				var has []string
				for _, c := range f.Conditions {
					if holds(table, row, c) {
						has = append(has, c.String())
					}
				}
				k := strings.Join(has, "|")
				cells[k] = [2]int{cells[k][0] + row.Total, cells[k][1] + row.Failed}
				each[k]++
			}
			for _, c := range f.Cells {
				if got, want := [2]int{c.Total, c.Failed}, cells[strings.Join(c.Holds, "|")]; got != want {
					rt.Errorf("cell %v of %v: got n, failed %v, want %v", c.Holds, names(f), got, want)
				}
			}
			// A minimal generator: without any one element there are more rows.
			for i := range f.Conditions {
				var rest []string
				for j, c := range f.Conditions {
					if j != i {
						rest = append(rest, c.String())
					}
				}
				if len(rest) > 0 && each[strings.Join(rest, "|")] == 0 {
					rt.Errorf("%v: %s adds nothing to the rest", names(f), f.Conditions[i])
				}
			}
			checkAliases(rt, table, f)
		}
	})
}

// checkAliases compares the aliases without discordant rows with the
// conditions that hold in exactly the same rows.
func checkAliases(t *rapid.T, table interaction.Table, f interaction.Finding) {
	same := func(a, b condition.Condition) bool {
		for _, row := range table.Rows {
			if holds(table, row, a) != holds(table, row, b) {
				return false
			}
		}
		return true
	}
	for _, c := range f.Conditions {
		for _, other := range table.Conditions {
			listed := slices.Contains(f.Aliases, interaction.AliasOf{Condition: other, Of: c})
			want := other != c && same(c, other)
			if want && !listed {
				t.Errorf("%v: %v always goes with %v and is not listed: %v", names(f), other, c, f.Aliases)
			}
			if listed && !want && len(f.Conditions) == 1 {
				t.Errorf("%v: %v is listed as always with %v", names(f), other, c)
			}
		}
	}
}

func TestVersionIsNamedRatherThanTheInstanceThatCarriesIt(t *testing.T) {
	w := newWorld(1)
	for i := range 3000 {
		v := w.rng.IntN(2)
		w.add(time.Duration(i)*10*time.Millisecond, w.chance([]float64{0.01, 0.3}[v]),
			fmt.Sprintf("cart: service.instance.id=cart-%d", v), fmt.Sprintf("cart: service.version=%d", v+1))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"cart service.version=2"}) {
		t.Fatalf("want only the version, got %s", describe(r))
	}
	want := interaction.AliasOf{
		Condition: condition.Condition{Entity: "cart", Dimension: "service.instance.id", Value: "cart-1"},
		Of:        condition.Condition{Entity: "cart", Dimension: "service.version", Value: "2"},
	}
	if !slices.Equal(r.Findings[0].Aliases, []interaction.AliasOf{want}) {
		t.Errorf("aliases %v, want %v", r.Findings[0].Aliases, want)
	}
}

func TestNearAliasIsListedWithItsDiscordantRowsWhenTheyDecideNothing(t *testing.T) {
	w := newWorld(2)
	for i := range 3000 {
		v := w.rng.IntN(2)
		c := v
		if i%300 == 7 {
			c = 1 - v // ten rows in which the two part
		}
		w.add(time.Duration(i)*10*time.Millisecond, v == 1 && w.chance(0.3),
			fmt.Sprintf("cart: service.version=%d", v), fmt.Sprintf("cart: config=%d", c))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 1 {
		t.Fatalf("want one finding, got %s", describe(r))
	}
	if a := r.Findings[0].Aliases; len(a) != 1 || a[0].Discordant != 10 {
		t.Errorf("want one alias with 10 discordant rows, got %s", describe(r))
	}
}

func TestWhatMostlyGoesWithACauseIsSaidToBeNone(t *testing.T) {
	for _, c := range []struct {
		name   string
		other  func(w *world, cart bool) bool // whether the host is the large one
		proxy  bool
		parted string
	}{
		{"agrees in 95 %", func(w *world, cart bool) bool { return cart != w.chance(0.05) }, true, "where only host=large was in force"},
		{"never without it", func(w *world, cart bool) bool { return cart && w.chance(0.9) }, true, "where only flag cart=true was in force"},
		{"at times without it", func(w *world, cart bool) bool { return cart || w.chance(0.1) }, true, "where only host=large was in force"},
		{"has nothing to do with it", func(w *world, _ bool) bool { return w.chance(0.9) }, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(6)
			for i := range 12_000 {
				cart, slow := w.chance(0.5), w.chance(0.5)
				if !c.proxy {
					cart = w.chance(0.9) // two that nearly all have are alike
				}
				host := map[bool]string{true: "large", false: "small"}[c.other(w, cart)]
				w.add(time.Duration(i)*10*time.Millisecond, w.chance(0.004) || cart && slow && w.chance(0.15),
					fmt.Sprintf("flag cart=%v", cart), "host="+host, fmt.Sprintf("disk=%v", slow))
			}
			r := mine(t, w.done(), interaction.Options{})
			if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"disk=true", "flag cart=true"}) {
				t.Fatalf("want the cart with the disk, got %s", describe(r))
			}
			f := r.Findings[0]
			want := []interaction.AliasOf{{Condition: parse("host=large"), Of: parse("flag cart=true")}}
			if !c.proxy {
				want = nil
			}
			got := slices.Clone(f.Proxies)
			for i := range got {
				got[i].Discordant = 0
			}
			if !slices.Equal(got, want) || len(f.Aliases) > 0 {
				t.Errorf("got proxies %v, aliases %v, want proxies %v", f.Proxies, f.Aliases, want)
			}
			if said := strings.Join(f.For, " "); strings.Contains(said, "Not host=large, which goes with flag cart=true: ") != c.proxy || !strings.Contains(said, c.parted) {
				t.Errorf("want it said why the host is none, got %s", said)
			}
		})
	}
}

func TestMixShiftIsNotACause(t *testing.T) {
	// Failures depend on the time alone, and so does the share of version 2:
	// over all requests version 2 fails three times as often.
	w := newWorld(3)
	for i := range 6000 {
		late := i > 3000
		share, risk := 0.2, 0.02
		if late {
			share, risk = 0.8, 0.2
		}
		w.add(time.Minute*time.Duration(i)/6000, w.chance(risk), fmt.Sprintf("cart: service.version=%v", w.chance(share)))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 0 {
		t.Errorf("want no finding, got %s", describe(r))
	}
}

func TestThinCellsMakeAnInteractionNotTestable(t *testing.T) {
	w := newWorld(4)
	for i := range 2000 {
		a, b := w.chance(0.3), w.chance(0.5)
		if a && !b && i%40 != 0 {
			b = true // a without b is rare
		}
		w.add(0, a && b && w.chance(0.6) || w.chance(0.004), fmt.Sprintf("a=%v", a), fmt.Sprintf("b=%v", b))
	}
	table := w.done()
	for i := range table.Rows {
		table.Rows[i].Time = time.Time{}
	}
	r := mine(t, table, interaction.Options{})
	if len(r.Findings) == 0 || r.Verdict == interaction.Interact ||
		!strings.Contains(strings.Join(r.Findings[0].Missing, " "), "not testable") {
		t.Errorf("want it said that b is not testable, got %s", describe(r))
	}
}

func TestIntervalsOfSampledRisksCoverTheTruth(t *testing.T) {
	const runs, n, truth, weight = 400, 4000, 0.05, 20
	covered, all := 0, 0
	for seed := range uint64(runs) {
		w := newWorld(seed)
		for range n {
			v := w.rng.IntN(2)
			failed := v == 1 && w.chance(truth)
			if !failed && !w.chance(1.0/weight) {
				continue // sampled away
			}
			w.add(0, failed, fmt.Sprintf("v=%d", v))
		}
		table := w.done()
		for i := range table.Rows {
			table.Rows[i].Time = time.Time{}
			table.Rows[i].Weight = weight
		}
		for _, f := range mine(t, table, interaction.Options{Permutations: 1}).Findings {
			all++
			if f.Cells[0].Low <= truth && truth <= f.Cells[0].High {
				covered++
			}
		}
	}
	if all < runs*9/10 {
		t.Fatalf("%d findings in %d runs, want nearly all", all, runs)
	}
	if share := float64(covered) / float64(all); share < 0.92 || share > 0.98 {
		t.Errorf("95 %% intervals cover the truth in %.1f %% of %d runs", 100*share, all)
	}
}

func TestCauseOfManyFailuresHoldsInBothHalves(t *testing.T) {
	w := newWorld(8)
	for i := range 6000 {
		a := w.chance(0.5)
		w.add(0, w.chance(0.02) || a && w.chance(0.8), fmt.Sprintf("a=%v", a), fmt.Sprintf("request=%d", i))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 1 || !strings.Contains(strings.Join(r.Findings[0].For, " "), "holds in both halves") {
		t.Errorf("want it said that a=true holds in both halves, got %s", describe(r))
	}
}

func TestWhatOneOddRowDoesDoesNotHoldInBothHalves(t *testing.T) {
	w := newWorld(9)
	for i := range 6000 {
		w.add(0, w.chance(0.4), fmt.Sprintf("b=%v", i%30 == 0), fmt.Sprintf("request=%d", i))
	}
	// Two in five fail, with b as well; but for one row, which counts eighty.
	w.add(0, true, "b=true")
	odd := &w.table.Rows[len(w.table.Rows)-1]
	odd.Total, odd.Failed = 80, 80
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"b=true"}) {
		t.Fatalf("want b=true, got %s", describe(r))
	}
	if said := strings.Join(r.Findings[0].Against, " "); !strings.Contains(said, "It does not hold in both halves of the data") {
		t.Errorf("want it said that b=true does not hold in both halves, got %s", describe(r))
	}
	if said := strings.Join(r.Findings[0].For, " "); strings.Contains(said, "holds in both halves") {
		t.Errorf("want nothing said for halves, got %s", describe(r))
	}
}
