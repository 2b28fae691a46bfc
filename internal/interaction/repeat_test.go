package interaction_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
)

// among makes ten minutes of traffic of forty tenants in which some requests of the cart's
// version 2, one in ten of them, fail by themselves, and so many bursts of a tenant hit
// some of six requests that follow each other.
func among(seed uint64, risk float64, count int) interaction.Table {
	w := newWorld(seed)
	const rows, tenants = 12_000, 40
	failing := make(map[int]bool)
	for range count {
		tenant, from := w.rng.IntN(tenants), w.rng.IntN(rows-6*tenants)/tenants
		for k := range 6 {
			failing[(from+k)*tenants+tenant] = w.chance(0.7)
		}
	}
	for i := range rows {
		version := 1
		if w.chance(0.1) {
			version = 2
		}
		w.add(10*time.Minute*time.Duration(i)/rows, failing[i] || version == 2 && w.chance(risk),
			fmt.Sprintf("tenant=t%d", i%tenants), fmt.Sprintf("cart: service.version=%d", version),
			fmt.Sprintf("zone=%d", w.rng.IntN(3)), fmt.Sprintf("flag x=%v", w.chance(0.5)), fmt.Sprintf("os=%d", w.rng.IntN(5)))
	}
	return w.done()
}

// repeats is how many failures of a table repeat others of their burst.
func repeats(t *testing.T, table interaction.Table) (repeats, failed int) {
	t.Helper()
	n, err := interaction.Repeats(t.Context(), table, interaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range table.Rows {
		failed += table.Rows[i].Failed
	}
	return int(n), failed
}

func TestMostFailuresOfBurstsRepeatOthers(t *testing.T) {
	n, failed := 0, 0
	for seed := range uint64(8) {
		// Twelve bursts of four failures each: of a hundred, three in four repeat another.
		r, f := repeats(t, among(seed, 0, 12))
		n, failed = n+r, failed+f
	}
	if share := float64(n) / float64(failed); share < 0.6 || share > 0.8 {
		t.Errorf("%d of %d failures repeat others of their burst, want 60 to 80 of 100", n, failed)
	}
}

func TestFailuresOfACauseRepeatNoOthers(t *testing.T) {
	n, failed := 0, 0
	for seed := range uint64(8) {
		r, f := repeats(t, among(seed, 0.04, 0))
		n, failed = n+r, failed+f
	}
	// All have the version in common, all the time. What else a few share in ten seconds
	// is chance.
	if share := float64(n) / float64(failed); share > 0.15 {
		t.Errorf("%d of %d failures of a version that fails all the time are repeats, want 15 of 100 at most", n, failed)
	}
}

// first reports whether the version is found first.
func first(r interaction.Result) bool {
	return len(r.Findings) > 0 && slices.Equal(names(r.Findings[0]), []string{"cart service.version=2"})
}

func TestACauseIsFoundAmongBurstsThatWouldHideIt(t *testing.T) {
	rescued, cause := 0, parse("cart: service.version=2")
	for seed := range uint64(30) {
		table := among(seed, 0.012, 12)
		r := mine(t, table, interaction.Options{})
		if !first(r) || !strings.Contains(strings.Join(r.Findings[0].Against, " "), "Only with each burst") {
			continue
		}
		rescued++
		if alone := mine(t, table, interaction.Options{Permutations: 1}); len(alone.Findings) > 0 {
			t.Errorf("seed %d: without permutations, of which each burst is counted once, got %s, want nothing", seed, describe(alone))
		}
		// What is said of it is of all rows.
		has, failed := 0, 0
		for i := range table.Rows {
			if holds(table, table.Rows[i], cause) {
				has, failed = has+1, failed+table.Rows[i].Failed
			}
		}
		f := r.Findings[0]
		if c := f.Cells[0]; c.Total != has || c.Failed != failed || math.Abs(f.Coverage-float64(failed)/float64(r.Failed)) > 1e-6 {
			t.Errorf("seed %d: got %d of %d failures and coverage %v, want %d of %d of all %d", seed, c.Failed, c.Total, f.Coverage, failed, has, r.Failed)
		}
		// Nor does it depend on the order of rows.
		shuffled := table
		shuffled.Rows = slices.Clone(table.Rows)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled.Rows), func(i, j int) {
			shuffled.Rows[i], shuffled.Rows[j] = shuffled.Rows[j], shuffled.Rows[i]
		})
		if again := mine(t, shuffled, interaction.Options{}); !reflect.DeepEqual(r, again) {
			t.Errorf("seed %d: got %s, and of the same rows in another order %s", seed, describe(r), describe(again))
		}
	}
	if rescued < 4 {
		t.Errorf("%d of 30 causes are found by counting each burst once, want 4 at least", rescued)
	}
}

func TestWhatIsPutAsideIsCountedNoMore(t *testing.T) {
	table := among(1, 0.04, 12)
	strata, entries, err := interaction.PutAside(t.Context(), table, interaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := int64(0)
	for i := range table.Rows {
		all += int64(table.Rows[i].Failed)
	}
	if strata != entries || entries[1] != all || entries[0] >= all {
		t.Errorf("strata have %d failures of %d, entries %d: want as many, fewer at first and all in the end", strata, all, entries)
	}
}
