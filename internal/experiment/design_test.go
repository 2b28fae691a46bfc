package experiment

import (
	"math/bits"
	"testing"
)

// The designs are not exported, since Run chooses them; what they promise is
// checked by counting.

func TestNoFourColumnsOfAFractionAddUpToNothing(t *testing.T) {
	for k := maxCrossed + 1; k <= maxFraction; k++ {
		arms := fraction(k)
		if arms[0] != 0 {
			t.Errorf("%d factors: the arm with all off is missing", k)
		}
		// A product of columns is mixed with the mean when it is the same sign in
		// all arms; resolution V forbids that for up to four factors.
		for set := Arm(1); set < 1<<k; set++ {
			if set.Size() > 4 {
				continue
			}
			odd := 0
			for _, a := range arms {
				odd += (a & set).Size() & 1
			}
			if 2*odd != len(arms) {
				t.Fatalf("%d factors, %d arms: the product of %b is not balanced: %d of the arms", k, len(arms), set, odd)
			}
		}
	}
}

func TestAFractionOfEightFactorsHasSixtyFourArms(t *testing.T) {
	// The sizes of the tables in print (Box, Hunter and Hunter 2005).
	for k, want := range map[int]int{7: 64, 8: 64, 9: 128, 10: 128, 11: 128, 12: 256, 15: 256} {
		if got := len(fraction(k)); got != want {
			t.Errorf("a fraction of %d factors has %d arms, want %d", k, got, want)
		}
	}
}

func TestPairsSeesAnyTwoFactorsInAllFourWays(t *testing.T) {
	for k := 2; k <= 64; k++ {
		arms := pairs(k)
		for i := range k {
			for j := range i {
				var seen [4]bool
				for _, a := range arms {
					seen[a>>i&1<<1|a>>j&1] = true
				}
				if seen != [4]bool{true, true, true, true} {
					t.Fatalf("%d factors: %d and %d are seen %v in %b", k, i, j, seen, arms)
				}
			}
		}
	}
	// The least that is possible, by the theorem of Katona, Kleitman and Spencer.
	for k, want := range map[int]int{3: 4, 4: 5, 10: 6, 15: 7, 35: 8, 56: 9, 64: 10} {
		if got := len(pairs(k)); got != want {
			t.Errorf("pairs of %d factors: %d arms, want %d", k, got, want)
		}
	}
}

func TestFullHoldsEveryCombinationOnce(t *testing.T) {
	seen := map[Arm]bool{}
	for _, a := range full([]int{1, 4, 5}) {
		if seen[a] || a&^0b110010 != 0 {
			t.Errorf("arm %b twice, or with other factors", a)
		}
		seen[a] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d arms, want 8", len(seen))
	}
}

func TestDivideLosesNoFactor(t *testing.T) {
	for _, a := range []Arm{1, 0b1011, 0b111111111, 1 << 63} {
		for groups := 1; groups < 12; groups++ {
			var all Arm
			for _, g := range divide(a, groups) {
				if g == 0 || all&g != 0 {
					t.Errorf("%b in %d groups: an empty or an overlapping one", a, groups)
				}
				all |= g
			}
			if all != a {
				t.Errorf("%b in %d groups: %b is left", a, groups, bits.OnesCount64(uint64(a&^all)))
			}
		}
	}
}
