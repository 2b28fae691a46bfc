package interaction_test

import (
	"fmt"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
)

// placed makes requests at 24 entries, of which those with a flag on fail at a risk; at
// all entries, or at a third of them alone.
func placed(seed uint64, risk float64, everywhere bool) interaction.Table {
	w := newWorld(seed)
	const rows = 20_000
	for i := range rows {
		entry := min(w.rng.IntN(24), w.rng.IntN(24)) // some have more requests than others
		on := w.chance(0.03)
		w.add(10*time.Minute*time.Duration(i)/rows, w.chance(0.001) || on && (everywhere || entry%3 == 0) && w.chance(risk),
			fmt.Sprintf("entry=%d", entry), fmt.Sprintf("flag x=%v", on), fmt.Sprintf("zone=%d", w.rng.IntN(3)))
	}
	return w.done()
}

func TestFailuresThatMissSomePlacesByChanceAreNotSaidToKeepToTheOthers(t *testing.T) {
	const risk, tables = 0.06, 40
	kept, held := 0, 0
	for seed := range uint64(tables) {
		r := mine(t, placed(seed, risk, true), interaction.Options{})
		if len(r.Findings) == 0 {
			t.Fatalf("seed %d: nothing found", seed)
		}
		f := r.Findings[0]
		if len(f.Where) > 0 {
			kept++
		}
		if f.Cells[0].Low <= risk && risk <= f.Cells[0].High {
			held++
		}
	}
	// At 1 % each, 40 tables exceed 2 in 1 of 100 such tests; at 95 %, as seldom 33.
	if kept > 2 || held < 33 {
		t.Errorf("said to keep to some entries in %d of %d tables, and the interval of the risk held it in %d", kept, tables, held)
	}
}

func TestFailuresThatKeepToSomePlacesAreSaidToDoSo(t *testing.T) {
	for seed := range uint64(10) {
		r := mine(t, placed(seed, 0.2, false), interaction.Options{})
		if len(r.Findings) == 0 {
			t.Fatalf("seed %d: nothing found", seed)
		}
		where := r.Findings[0].Where
		if len(where) == 0 || len(where) > 8 {
			t.Errorf("seed %d: said to keep to %v, want some of the entries 0, 3, 6 and so on", seed, where)
		}
	}
}
