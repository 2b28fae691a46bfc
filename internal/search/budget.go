package search

import (
	"math"
	"math/bits"

	"example.test/eddy/internal/reuse"
)

// A budgets is a table of how many failures may be expected, in units of the rate, of
// a set that has failed of so many, for its deviance to be above a level: above that
// many the set need not be counted to the end.
//
// It is the same for all sets of a search, so that what one needs others have needed
// before. Levels are two steps of deviance apart, and failures an eighth of an octave
// where they are many, so that few have to be worked out; what is between counts as
// the level below and the greater number, which may be expected to have more.
type budgets struct {
	f, n, highest float64  // of the search
	table         []uint64 // by level and place; unknown where nothing was worked out
	place         []uint16 // by how many failed, if every one counts one
	stake         []int32  // by class, the part that it has in the level, in places of the table
	stakes        int      // the greatest of them, in levels
}

const (
	levelStep   = 2 // of deviance, from one level to the next
	levels      = 256
	negative    = (short + levelStep - 1) / levelStep // how many of them are below 0
	placesExact = 64                                  // up to how many failures each number has a place of its own
	octave      = 8                                   // places for twice as many, above
	places      = placesExact + 16*octave
	unknown     = math.MaxUint64
	boundless   = levels * places // the place of what may be expected to have any number
)

// reset empties the table for a search.
func (b *budgets) reset(s *Search) {
	b.f, b.n, b.highest = s.f, s.n, s.highest
	if b.table == nil {
		b.table = make([]uint64, levels*places+1)
	}
	for i := range b.table {
		b.table[i] = unknown
	}
	b.stake, b.stakes = reuse.Clear(b.stake, len(s.classes.List)), 0
	for k := range s.classes.List {
		level := int(s.classes.List[k].Dear / levelStep)
		b.stake[k], b.stakes = int32(level*places), max(b.stakes, level)
	}
	for failed := len(b.place); s.fails.single() && failed <= int(s.f); failed++ {
		b.place = append(b.place, uint16(placeOf(failed)))
	}
}

// row is where the budgets of sets begin that beat a score so great without what their
// last element costs for being rare: stake is to be added.
func (b *budgets) row(score float64) int {
	return min(max(int(score/levelStep+negative), 0), max(levels-1-b.stakes, 0)) * places
}

// known works out the budget at a place of the table, if it was not before.
func (b *budgets) known(at int) uint64 {
	if b.table[at] == unknown {
		b.table[at] = b.afford(min(greatest(at%places), b.f), float64((at/places-negative)*levelStep))
	}
	return b.table[at]
}

// most returns how many failures may be expected of a set with so many, of which k is
// the last element, for it to beat a score without what k costs.
func (b *budgets) most(score float64, k int32, failed int64) uint64 {
	return b.known(b.row(score) + int(b.stake[k]) + placeOf(int(failed)))
}

// placeOf returns the place of a number of failures.
func placeOf(failed int) int {
	if failed < placesExact {
		return failed
	}
	over := bits.Len64(uint64(failed)) - bits.Len64(placesExact)
	return min(placesExact+over*octave+failed>>(over+bits.Len64(placesExact/octave)-1)&(octave-1), places-1)
}

// greatest is the greatest number of failures that has a place.
func greatest(place int) float64 {
	switch {
	case place < placesExact:
		return float64(place)
	case place == places-1:
		return math.Inf(1)
	}
	over, part := (place-placesExact)/octave, (place-placesExact)%octave
	return float64((octave+part+1)<<(over+bits.Len64(placesExact/octave)-1) - 1)
}

// afford works a budget out, which is never 0.
//
// The deviance falls as more are expected. With as many expected it falls as the set
// has more observations, so long as it has no more than half of the successes;
// and it has as many at least as give what is expected at the highest rate.
func (b *budgets) afford(a, level float64) uint64 {
	low, high := 0.0, a
	for range 8 { // as close as this is close enough
		e := (low + high) / 2
		if Deviance(a, e, max(a, e/b.highest), b.f, b.n) > level {
			low = e
		} else {
			high = e
		}
	}
	return uint64(math.Ceil(high / rateUnit))
}
