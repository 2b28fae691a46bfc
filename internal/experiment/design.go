package experiment

import (
	"math/bits"
	"strings"
)

// An Arm is one combination of the factors: bit i says that factor i is on.
type Arm uint64

// On reports whether factor i is on.
func (a Arm) On(i int) bool { return a>>i&1 == 1 }

// Size is how many factors are on.
func (a Arm) Size() int { return bits.OnesCount64(uint64(a)) }

// within reports whether all factors of a are on in b.
func (a Arm) within(b Arm) bool { return a&^b == 0 }

// names lists the factors that are on.
func (a Arm) names(factors []string) []string {
	out := []string{}
	for i, f := range factors {
		if a.On(i) {
			out = append(out, f)
		}
	}
	return out
}

// text names an arm for people.
func (a Arm) text(factors []string) string {
	if a == 0 {
		return "none"
	}
	return strings.Join(a.names(factors), " and ")
}

// full returns all combinations of the factors given by index, the others off,
// in counting order: bit i of the position is the i-th of the factors.
func full(factors []int) []Arm {
	arms := make([]Arm, 1<<len(factors))
	for n := range arms {
		for i, f := range factors {
			arms[n] |= Arm(n>>i&1) << f
		}
	}
	return arms
}

// fraction returns the arms of a regular two-level fraction of resolution V of
// k factors: main effects and the effects of pairs are not mixed with each
// other, only with those of three factors and more (Box and Hunter 1961).
//
// Each factor has a column, a vector over the bits that number the arms, and is
// on in the arms whose number has an odd overlap with it. The resolution is V
// when no four columns or fewer add up to nothing, so columns are taken in
// counting order as long as they are not a sum of three or fewer before them.
// The arm with all factors off is always there.
func fraction(k int) []Arm {
	for width := 1; ; width++ {
		columns := independent(k, width)
		if columns == nil {
			continue
		}
		arms := make([]Arm, 1<<width)
		for n := range arms {
			for i, c := range columns {
				arms[n] |= Arm(bits.OnesCount(uint(n&c))&1) << i
			}
		}
		return arms
	}
}

// independent returns k columns of the given width of which no four or fewer
// add up to nothing, or nil if counting order has fewer.
func independent(k, width int) []int {
	var columns []int
	for c := 1; c < 1<<width && len(columns) < k; c++ {
		if !sumOfThree(columns, c) {
			columns = append(columns, c)
		}
	}
	if len(columns) < k {
		return nil
	}
	return columns
}

// sumOfThree reports whether c is the sum of at most three of the columns.
func sumOfThree(columns []int, c int) bool {
	for i, x := range columns {
		if x == c {
			return true
		}
		for j, y := range columns[:i] {
			if x^y == c {
				return true
			}
			for _, z := range columns[:j] {
				if x^y^z == c {
					return true
				}
			}
		}
	}
	return false
}

// pairs returns the fewest arms in which any two of k factors are seen off and
// on in all four ways (Katona 1973, Kleitman and Spencer 1973): one arm with
// all off, and n-1 others in which each factor is on in a set of its own of n/2,
// rounded up. Two such sets differ, so each factor is on without the other
// somewhere, and they overlap, so both are on somewhere.
func pairs(k int) []Arm {
	n := 2
	for choose(n-1, (n+1)/2) < k {
		n++
	}
	arms := make([]Arm, n)
	size, set := (n+1)/2, uint64(1)<<((n+1)/2)-1
	for f := range k {
		for row := range n - 1 {
			arms[row+1] |= Arm(set>>row&1) << f
		}
		if f < k-1 {
			set = nextOf(set, size)
		}
	}
	return arms
}

// nextOf returns the next larger number with the same count of bits, size > 0.
func nextOf(set uint64, size int) uint64 {
	for set++; bits.OnesCount64(set) != size; set++ {
	}
	return set
}

func choose(n, k int) int {
	c := 1
	for i := 1; i <= k; i++ {
		c = c * (n - k + i) / i
	}
	return c
}
