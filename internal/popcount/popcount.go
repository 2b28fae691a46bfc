// Package popcount counts the bits that rows of words have in common. It is what
// a search over sets of conditions spends its time on.
//
// The words of a row are read in order and once, so that the limit is how fast a
// processor reads its first cache: on those with AVX-512 VPOPCNTDQ eight words are
// counted at a time. Elsewhere, and in a build with the tag purego, the same is done
// word by word; both give the same numbers, since all of them are whole.
//
// Adding up what a row counts takes as long as counting some dozens of words. Short
// rows are counted as lanes, side by side, or in pairs, several at a time; and a mask
// makes short rows of long ones, by taking the bits out that belong to a part.
//
// Rows that are counted together must be as long as each other. But for a mask, none
// of the functions keeps or changes what it is given other than its destination, so
// that they may be called from several goroutines.
package popcount

import (
	"math"
	"math/bits"
)

// wideWords is how many words are counted at a time where the processor can.
const wideWords = 8

// wholes is how many of n words make up whole groups.
func wholes(n int) int { return n &^ (wideWords - 1) }

// And sets dst to x AND y and returns how many bits are set in it. dst may be x or y.
func And(dst, x, y []uint64) int64 {
	x, y = x[:len(dst)], y[:len(dst)]
	var n int64
	from := 0
	if wide() && len(dst) >= wideWords {
		from = wholes(len(dst))
		n = andWide(&dst[0], &x[0], &y[0], from)
	}
	return n + andPlain(dst[from:], x[from:], y[from:])
}

// Common returns how many bits are set in all of x, y and z. Of two rows one is
// given twice.
func Common(x, y, z []uint64) int64 {
	y, z = y[:len(x)], z[:len(x)]
	var n int64
	from := 0
	if wide() && len(x) >= wideWords {
		from = wholes(len(x))
		n = commonWide(&x[0], &y[0], &z[0], from)
	}
	return n + commonPlain(x[from:], y[from:], z[from:])
}

// A Slab is rows of one length, one after the other.
type Slab struct {
	Bits []uint64
	Row  int // words of a row
}

// Each counts the bits that x has in common with each of some rows of a slab: dst[i]
// is the count of row rows[i]. x may be shorter than a row, of which only the first
// words count then; dst is as long as rows at least.
func Each(dst []int32, x []uint64, slab Slab, rows []int32) {
	dst = dst[:len(rows)]
	from := slab.begin(x, rows)
	if from > 0 {
		eachWide(&dst[0], &x[0], from, &slab.Bits[0], slab.Row, &rows[0], len(rows))
	} else {
		clear(dst)
	}
	if from == len(x) {
		return
	}
	for i, r := range rows {
		row := slab.row(r, len(x))
		dst[i] += int32(commonPlain(x[from:], row[from:], row[from:]))
	}
}

// WeighEach is as Each, but adds up weighted by word, as Weigh does: dst[i] is the
// sum of row rows[i].
func WeighEach(dst, weights, x []uint64, slab Slab, rows []int32) {
	dst, weights = dst[:len(rows)], weights[:len(x)]
	from := slab.begin(x, rows)
	if from > 0 {
		weighEachWide(&dst[0], &weights[0], &x[0], from, &slab.Bits[0], slab.Row, &rows[0], len(rows))
	} else {
		clear(dst)
	}
	if from == len(x) {
		return
	}
	for i, r := range rows {
		row := slab.row(r, len(x))
		_, sum := weighPlain(weights[from:], x[from:], row[from:], row[from:], math.MaxInt64)
		dst[i] += sum
	}
}

// PairBlock is what the number of pairs is a multiple of that WeighPairs takes.
const PairBlock = 4

// WeighPairs adds up, for each of some pairs of rows of a slab, the bits that both have
// in common, weighted by word: dst[i] is the sum of rows a[i] and b[i], of the first
// words, as many as there are weights.
func WeighPairs(dst, weights []uint64, slab Slab, a, b []int32) {
	if len(a)%PairBlock != 0 {
		panic("popcount: pairs are no multiple of the block")
	}
	dst, b = dst[:len(a)], b[:len(a)]
	slab.check(a, len(weights))
	slab.check(b, len(weights))
	from := 0
	if wide() && len(a) > 0 && len(weights) >= wideWords {
		from = wholes(len(weights))
		weighPairsWide(&dst[0], &weights[0], from, &slab.Bits[0], slab.Row, &a[0], &b[0], len(a))
	} else {
		clear(dst)
	}
	if from == len(weights) {
		return
	}
	for i := range a {
		x, y := slab.row(a[i], len(weights))[from:], slab.row(b[i], len(weights))[from:]
		_, sum := weighPlain(weights[from:], x, y, y, math.MaxInt64)
		dst[i] += sum
	}
}

// begin makes sure that the slab has all of the rows, and returns how many words of
// them are counted eight at a time.
func (s Slab) begin(x []uint64, rows []int32) int {
	s.check(rows, len(x))
	if !wide() || len(rows) == 0 {
		return 0
	}
	return wholes(len(x))
}

// check makes sure that the slab has so many words of each of some rows.
func (s Slab) check(rows []int32, words int) {
	if len(rows) == 0 {
		return
	}
	highest := uint32(0) // a negative number is higher than any row
	for _, r := range rows {
		highest = max(highest, uint32(r))
	}
	_ = s.row(int32(min(highest, math.MaxInt32)), words)
}

// At is the words of a row.
func (s Slab) At(r int32) []uint64 { return s.Bits[int(r)*s.Row:][:s.Row] }

// row is the first words of a row.
func (s Slab) row(r int32, words int) []uint64 { return s.At(r)[:words] }

// MaxWeight is the greatest weight that Weigh takes: products of a count and a
// weight are made of their lower 32 bits.
const MaxWeight = 1<<32 - 1

// Weigh counts the bits set in all of x, y and z, and adds them up weighted by
// word. It stops as soon as the sum is above limit, when n and sum mean nothing
// but that. Sums must stay below 1<<63.
func Weigh(weights, x, y, z []uint64, limit uint64) (n int64, sum uint64) {
	x, y, z = x[:len(weights)], y[:len(weights)], z[:len(weights)]
	from := 0
	if wide() && len(weights) >= wideWords {
		from = wholes(len(weights))
		if n, sum = weighWide(&weights[0], &x[0], &y[0], &z[0], from, limit); sum > limit {
			return n, sum
		}
	}
	m, s := weighPlain(weights[from:], x[from:], y[from:], z[from:], limit-sum)
	return n + m, sum + s
}

func andPlain(dst, x, y []uint64) int64 {
	x, y = x[:len(dst)], y[:len(dst)]
	n := 0
	for w := range dst {
		v := x[w] & y[w]
		dst[w] = v
		n += bits.OnesCount64(v)
	}
	return int64(n)
}

func commonPlain(x, y, z []uint64) int64 {
	y, z = y[:len(x)], z[:len(x)]
	n := 0
	for w, v := range x {
		n += bits.OnesCount64(v & y[w] & z[w])
	}
	return int64(n)
}

// weighPlain looks at the sum every so many words only: a branch for each costs more
// than it spares.
func weighPlain(weights, x, y, z []uint64, limit uint64) (n int64, sum uint64) {
	const block = 4
	for len(weights) >= block {
		v, p, q, r := (*[block]uint64)(weights), (*[block]uint64)(x), (*[block]uint64)(y), (*[block]uint64)(z)
		a, b := bits.OnesCount64(p[0]&q[0]&r[0]), bits.OnesCount64(p[1]&q[1]&r[1])
		c, d := bits.OnesCount64(p[2]&q[2]&r[2]), bits.OnesCount64(p[3]&q[3]&r[3])
		n += int64(a + b + c + d)
		sum += uint64(a)*v[0] + uint64(b)*v[1] + uint64(c)*v[2] + uint64(d)*v[3]
		if sum > limit {
			return n, sum
		}
		weights, x, y, z = weights[block:], x[block:], y[block:], z[block:]
	}
	for w, v := range weights {
		c := bits.OnesCount64(x[w] & y[w] & z[w])
		n, sum = n+int64(c), sum+uint64(c)*v
	}
	return n, sum
}

// Within reports whether all bits of a are in b.
func Within(a, b []uint64) bool {
	for w, v := range a {
		if v&^b[w] != 0 {
			return false
		}
	}
	return true
}

// Below is a word with its lowest n bits set; all of them if n is 64 or more.
func Below(n int) uint64 {
	switch {
	case n >= 64:
		return ^uint64(0)
	case n <= 0:
		return 0
	}
	return 1<<n - 1
}
