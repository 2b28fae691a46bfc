package interaction_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
)

// rare makes traffic of ten flags, and of three columns of a thousand values each.
// Of requests with flags 0 and 1 on, one in so many fails, and those with one value of
// the first column fail at a risk.
func rare(seed uint64, oneIn int, valueRisk float64) interaction.Table {
	w := newWorld(seed)
	const rows = 40_000
	both := 0
	for i := range rows {
		var conditions []string
		on := 0
		for f := range 10 {
			is := w.rng.IntN(4) == 0
			if is && f < 2 {
				on++
			}
			conditions = append(conditions, fmt.Sprintf("flag f%d=%v", f, is))
		}
		p := 0.004
		for c := range 3 {
			v := w.rng.IntN(1000)
			if c == 0 && v == 7 {
				p += valueRisk
			}
			conditions = append(conditions, fmt.Sprintf("column%d=%d", c, v))
		}
		failed := w.chance(p)
		if on == 2 && oneIn > 0 {
			both++
			failed = both%oneIn == 0
		}
		w.add(10*time.Minute*time.Duration(i)/rows, failed, conditions...)
	}
	return w.done()
}

func TestWhatHardlyAnyRequestHasTakesNoAlphaFromTheRest(t *testing.T) {
	// Some thirty failures where ten were expected are one in a million: too little
	// for the best of four million pairs, nearly all of them of rare values.
	found := 0
	for seed := range uint64(10) {
		r := mine(t, rare(seed, 80, 0), interaction.Options{MaxOrder: 2})
		if len(r.Findings) > 0 && slices.Equal(names(r.Findings[0]), []string{"flag f0=true", "flag f1=true"}) {
			found++
		}
	}
	if found < 7 {
		t.Errorf("found two flags in %d of 10 tables, want 7 at least", found)
	}
}

func TestARareConditionIsFoundByItself(t *testing.T) {
	for seed := range uint64(5) {
		r := mine(t, rare(seed, 0, 0.5), interaction.Options{MaxOrder: 2})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"column0=7"}) {
			t.Errorf("seed %d: want the value that one request in a thousand has, got %s", seed, describe(r))
		}
	}
}
