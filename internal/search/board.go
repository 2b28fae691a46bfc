package search

import (
	"math"
	"math/bits"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// A Board holds rows as bits: one row of words for each class, in which a bit
// is an entry of the sample that has the class. Entries of one band are a stripe
// of words of their own, so that a count by band is a count of whole words.
//
// A band is the strata with about the same share of failures. How many failures
// a set should have depends on its strata only by that share, so that strata
// may be thousands and bands a few.
type Board struct {
	words   int
	stripes []stripe
	class   [][]uint64 // by class
	planes  [][]uint64 // binary digits of what each bit counts, the lowest first
	alive   []uint64   // all bits that stand for an entry
	all     []uint64   // room for the rows
	next    [][2]int   // by band and part: how many entries, then the next bit
	row     []int32    // by condition: the number of the row of its class
	// filling is, by part, what the words have that are being filled: one of every
	// row for each band.
	filling [2][]uint64
}

// atOnce is what the number of words of a board is a multiple of, so that none is left
// over where several are counted at a time.
const atOnce = 8

// alone makes rows for so many classes and one more, of at least so many words, in which
// every entry counts one. What is in them is to be overwritten.
func (b *Board) alone(classes, words int) {
	b.words = (words + atOnce - 1) / atOnce * atOnce
	b.all = reuse.Room(b.all, b.words*(classes+1))
	b.class = b.class[:0]
	if len(b.planes) != 1 {
		b.planes = make([][]uint64, 1)
	}
	for k := range classes {
		b.class = append(b.class, b.all[k*b.words:][:b.words])
	}
}

// ends says of each word whether what comes after is another band.
func (b *Board) ends(dst []uint8) []uint8 {
	dst = reuse.Clear(dst, b.words)
	for i, s := range b.stripes {
		if i+1 == len(b.stripes) || b.stripes[i+1].band != s.band {
			dst[s.to-1] = 1
		}
	}
	if b.words > 0 {
		dst[b.words-1] = 1
	}
	return dst
}

// Alive is the bits that stand for an entry; it is not to be changed.
func (b *Board) Alive() []uint64 { return b.alive }

// Class is the bits of the entries that have a class; it is not to be changed.
func (b *Board) Class(k int32) []uint64 { return b.class[k] }

// single reports whether every entry counts one. The plane is then all ones.
func (b *Board) single() bool { return len(b.planes) == 1 }

// and sets dst to x AND y and returns what its bits count. dst may be x.
func (b *Board) and(dst, x, y []uint64) (total int64) {
	total = popcount.And(dst, x, y)
	if b.single() {
		return total
	}
	return b.Common(dst, dst)
}

// Common counts x AND y, rows of the board.
func (b *Board) Common(x, y []uint64) (n int64) {
	if b.single() {
		return popcount.Common(x, y, y)
	}
	for p, plane := range b.planes {
		n += popcount.Common(x, y, plane) << p
	}
	return n
}

// each counts x AND each of some classes.
func (b *Board) each(dst []int32, x []uint64, classes []int32) {
	if b.single() {
		popcount.Each(dst, x, b.slab(), classes)
		return
	}
	for i, k := range classes {
		dst[i] = int32(b.Common(x, b.class[k]))
	}
}

// weighEach adds up what is in x AND each of some classes, weighted by word, of the
// first words, as many as there are weights.
func (b *Board) weighEach(dst, weights, x []uint64, classes []int32) {
	x = x[:len(weights)]
	if b.single() {
		popcount.WeighEach(dst, weights, x, b.slab(), classes)
		return
	}
	for i, k := range classes {
		dst[i] = 0
		for p, plane := range b.planes {
			_, s := popcount.Weigh(weights, x, b.class[k], plane, none)
			dst[i] += s << p
		}
	}
}

// slab is the rows of the classes.
func (b *Board) slab() popcount.Slab { return popcount.Slab{Bits: b.all, Row: b.words} }

// none is no limit for what is weighed.
const none = math.MaxInt64

// weigh counts what is in x, y and z, and adds that up weighted by word; z must be x
// or y unless every entry counts one. It may stop when the sum is above limit, and
// gives only such a sum then.
func (b *Board) weigh(weights, x, y, z []uint64, limit uint64) (n int64, sum uint64) {
	if b.single() {
		return popcount.Weigh(weights, x, y, z, limit)
	}
	for p, plane := range b.planes {
		c, s := popcount.Weigh(weights, x, y, plane, (limit-sum)>>p)
		n, sum = n+c<<p, sum+s<<p
		if sum > limit {
			break
		}
	}
	return n, sum
}

// value is what the bits v of word w count.
func (b *Board) value(v uint64, w int) (n int64) {
	for p, plane := range b.planes {
		n += int64(bits.OnesCount64(v&plane[w])) << p
	}
	return n
}

// weights gives every word what its band has, in whole numbers of the unit.
func (b *Board) weights(dst []uint64, of []float64, unit float64) []uint64 {
	dst = reuse.Clear(dst, b.words)
	for _, s := range b.stripes {
		for w := s.from; w < s.to; w++ {
			dst[w] = uint64(of[s.band] / unit)
		}
	}
	return dst
}

// implies reports whether all rows of class a have class b.
func (b *Board) implies(a, of int32) bool { return popcount.Within(b.class[a], b.class[of]) }

// Sums returns what the bits of x count by band.
func (b *Board) Sums(x []uint64) (out [Bands]int64) {
	for _, s := range b.stripes {
		for w := s.from; w < s.to; w++ {
			out[s.band] += b.value(x[w], w)
		}
	}
	return out
}
