package popcount_test

import (
	"testing"

	"pgregory.net/rapid"

	"example.test/eddy/internal/popcount"
)

func TestEachWordKnowsWhatComesBeforeIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows(t, 2)
		dst := make([]uint32, len(r[0]))
		all := popcount.Until(dst, r[0], r[1])
		var n int64
		for w := range dst {
			if int64(dst[w]) != n {
				t.Errorf("word %d: got %d before it, want %d", w, dst[w], n)
			}
			n += count(w, r...)
		}
		if int64(all) != n {
			t.Errorf("got %d in all, want %d", all, n)
		}
	})
}

func TestWhatIsToldApartIsCountedBeforeEachWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows(t, 3)
		x, y, z := r[0], r[1], r[2]
		both, rest := make([]uint32, len(x)), make([]uint32, len(x))
		popcount.UntilApart(both, rest, x, y, z)
		var n, m int64
		for w := range x {
			if int64(both[w]) != n || int64(rest[w]) != m {
				t.Errorf("word %d: got %d and %d before it, want %d and %d", w, both[w], rest[w], n, m)
			}
			n, m = n+count(w, x, y, z), m+count(w, x, z)-count(w, x, y, z)
		}
	})
}

func TestWhatIsTakenAwayIsNoLongerThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows(t, 3)
		popcount.Less(r[2], r[0], r[1])
		for w, got := range r[2] {
			if want := r[0][w] &^ r[1][w]; got != want {
				t.Errorf("word %d: got %x, want %x", w, got, want)
			}
		}
	})
}
