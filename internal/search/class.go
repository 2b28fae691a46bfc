package search

import (
	"math"
	"slices"

	"example.test/eddy/internal/condition"
)

// A Class is conditions that hold in exactly the same rows, and so are one to a search.
type Class struct {
	First condition.ID // the one by which rows are known to have it
	Name  int          // no set has two of one name
	// Alone says that it may be an element by itself; others are only laid out.
	Alone bool
	// Follows says that failures bring it about, so that a set of such classes explains none.
	Follows bool
	// Dear is what naming it costs, in deviance, for being rare.
	Dear float64
}

// Classes are those that rows are laid out by.
type Classes struct {
	List       []Class
	Conditions int // how many there are, of a class or not
}

// Dear is what a set costs, in deviance, for naming rare conditions.
func (c *Classes) Dear(set []int32) (sum float64) {
	for _, k := range set {
		sum += c.List[k].Dear
	}
	return sum
}

// follows reports whether a set has a class that follows from failures.
func (c *Classes) follows(set []int32) bool {
	return slices.ContainsFunc(set, func(k int32) bool { return c.List[k].Follows })
}

// Widths is how many kinds of sets there are by how much they must cover to be looked
// at: those of one or two conditions, of three, and of four or more. There are the more
// of them the larger they are, and the more it takes to tell one from chance.
const Widths = 3

// Width is the kind of a set of k conditions.
func Width(k int) int { return min(max(k-2, 0), Widths-1) }

// Supports is how many failures a set must cover, by its kind.
type Supports [Widths]int64

// Least is what sets must cover that have the least to.
func (s Supports) Least() int64 { return s[0] }

// Of is what a set of k conditions must cover.
func (s Supports) Of(k int) int64 { return s[Width(k)] }

// An Entry is a row of a sample, or several that are alike.
type Entry struct {
	Stratum    int32
	Conditions []condition.ID
	// At and Lot are its sampler's: where it keeps the entry, and the upper half of the
	// number drawn for it.
	At  int32
	Lot uint32
}

// Bands bounds how many bands of strata a search tells apart.
const Bands = 24

// BandOf is the band of strata in which a share of the observations fail. Bands
// are a factor of 1.4 wide, from rates near one down.
func BandOf(rate float64) int32 { return int32(min(Bands-1, int(-2*math.Log2(rate)))) }

// rateOf is about the share of failures in a band.
func rateOf(band int) float64 { return math.Exp2(-float64(band) / 2) }
