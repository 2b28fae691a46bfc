package interaction

import (
	"cmp"
	"math/bits"
	"slices"
)

// A board holds rows as bits: one row of words for each class, in which a bit
// is an entry of the ledger that has the class. Entries of one band are a stripe
// of words of their own, so that a count by band is a count of whole words.
//
// A band is the strata with about the same share of failures. How many failures
// a set should have depends on its strata only by that share, so that strata
// may be thousands and bands a few.
type board struct {
	words   int
	stripes []stripe
	class   [][]uint64 // by class
	planes  [][]uint64 // binary digits of what each bit counts, the lowest first
	alive   []uint64   // all bits that stand for an entry
	all     []uint64   // room for the rows
	next    []int      // by band: the next bit
	row     []int      // by condition: where in all its class begins
}

// A stripe is the words of a band.
type stripe struct{ band, from, to int }

// fill makes the stripes of bands that have so many entries, each of a multiple of
// words. Those with the most failures to be expected of a word come first: that is
// where most is learnt about a set.
func (b *board) fill(sizes []int, words int) {
	b.stripes = b.stripes[:0]
	for band, n := range sizes {
		if n > 0 {
			b.stripes = append(b.stripes, stripe{band: band, to: (n + 64*words - 1) / (64 * words) * words})
		}
	}
	density := func(s stripe) float64 { return float64(sizes[s.band]) * bandRate(s.band) / float64(s.to) }
	slices.SortFunc(b.stripes, func(x, y stripe) int {
		return cmp.Or(cmp.Compare(density(y), density(x)), cmp.Compare(x.band, y.band))
	})
	b.words = 0
	for i := range b.stripes {
		s := &b.stripes[i]
		s.from, s.to = b.words, b.words+s.to
		b.words = s.to
	}
}

// lay lays out entries, given by their positions in l with what each counts, by
// the band of their stratum. Bands begin at a multiple of so many words.
func (b *board) lay(l *ledger, c *classes, band []int32, entries []position, counts []int64, words int) {
	b.next = grow(b.next, mostBands)
	var all int64
	for i, p := range entries {
		b.next[band[p.stratum]]++
		all |= counts[i]
	}
	b.fill(b.next, words)
	planes := bits.Len64(uint64(all))
	b.all = grow(b.all, b.words*(len(c.list)+2+planes))
	room := b.all
	cut := func() []uint64 {
		row := room[:b.words:b.words]
		room = room[b.words:]
		return row
	}
	b.class, b.planes = b.class[:0], b.planes[:0]
	for range c.list {
		b.class = append(b.class, cut())
	}
	b.alive = cut()
	for range planes {
		b.planes = append(b.planes, cut())
	}
	// Where the row of a condition begins; those of no class have one row that
	// nobody reads, which spares a branch that no processor could predict.
	unread := b.words * (len(c.list) + 1 + planes)
	b.row = grow(b.row, len(c.of))
	for id, k := range c.of {
		if k >= 0 {
			b.row[id] = int(k) * b.words
		} else {
			b.row[id] = unread
		}
	}
	for _, s := range b.stripes {
		b.next[s.band] = s.from * 64
	}
	for i, at := range entries {
		bit := b.next[band[at.stratum]]
		b.next[band[at.stratum]]++
		w, m := bit/64, uint64(1)<<(bit%64)
		b.alive[w] |= m
		for p := range b.planes {
			if counts[i]>>p&1 == 1 {
				b.planes[p][w] |= m
			}
		}
		for _, id := range l.entry(int(at.at)).conditions {
			b.all[b.row[id]+w] |= m
		}
	}
}

// and sets dst to x AND y and returns what its bits count. dst may be x.
func (b *board) and(dst, x, y []uint64) (total int64) {
	if len(b.planes) == 1 {
		return andCount(dst, x, y) // every entry counts one: the plane is all ones
	}
	for w := range dst {
		dst[w] = x[w] & y[w]
		total += b.value(dst[w], w)
	}
	return total
}

// block is how many words are counted before the sum is looked at. The bands of a
// board that is counted so begin at a block of their own.
const block = 4

// weighUpTo counts what is in x, y and z, and adds that up weighted by block, so
// long as the sum is no more than most; all says that it was counted to the end.
func (b *board) weighUpTo(most float64, x, y, z []uint64, weight []float64) (total int64, all bool) {
	sum := 0.0
	single := len(b.planes) == 1
	for i, u := range weight {
		w := i * block
		p, q, r := (*[block]uint64)(x[w:]), (*[block]uint64)(y[w:]), (*[block]uint64)(z[w:])
		var n int64
		if single {
			n = int64(bits.OnesCount64(p[0]&q[0]&r[0]) + bits.OnesCount64(p[1]&q[1]&r[1]) +
				bits.OnesCount64(p[2]&q[2]&r[2]) + bits.OnesCount64(p[3]&q[3]&r[3]))
		} else {
			for j := range block {
				n += b.value(p[j]&q[j]&r[j], w+j)
			}
		}
		total += n
		if sum += float64(n) * u; sum > most {
			return 0, false
		}
	}
	return total, true
}

// value is what the bits v of word w count.
func (b *board) value(v uint64, w int) (n int64) {
	for p, plane := range b.planes {
		n += int64(bits.OnesCount64(v&plane[w])) << p
	}
	return n
}

// common counts x AND y.
func (b *board) common(x, y []uint64) (n int64) {
	if len(b.planes) == 1 {
		return commonBits(x, y)
	}
	for p, plane := range b.planes {
		n += andAndCount(x, y, plane) << p
	}
	return n
}

// by gives every so many words what their band has.
func (b *board) by(words int, dst, of []float64) []float64 {
	dst = grow(dst, b.words/words)
	for _, s := range b.stripes {
		for i := s.from / words; i < s.to/words; i++ {
			dst[i] = of[s.band]
		}
	}
	return dst
}

// weigh adds up what x AND y counts, weighted by word.
func (b *board) weigh(x, y []uint64, weight []float64) (sum float64) {
	y, weight = y[:len(x)], weight[:len(x)]
	single := len(b.planes) == 1
	for w := range x {
		both := x[w] & y[w]
		n := float64(bits.OnesCount64(both))
		if !single {
			n = float64(b.value(both, w))
		}
		sum += n * weight[w]
	}
	return sum
}

// expected adds up what is in all of the rows, weighted by band.
func (b *board) expected(weight []float64, rows ...[]uint64) (sum float64) {
	for _, s := range b.stripes {
		var n int64
		for w := s.from; w < s.to; w++ {
			v := rows[0][w]
			for _, row := range rows[1:] {
				v &= row[w]
			}
			n += b.value(v, w)
		}
		sum += float64(n) * weight[s.band]
	}
	return sum
}

// atLeast reports whether x AND y counts at least n.
func (b *board) atLeast(n int64, x, y []uint64) bool {
	return b.common(x, y) >= n
}

// commonBits returns how many bits are set in both; y is as long as x.
func commonBits(x, y []uint64) int64 {
	y = y[:len(x)]
	n := 0
	for w, v := range x {
		n += bits.OnesCount64(v & y[w])
	}
	return int64(n)
}

// andCount sets dst to x AND y, which are as long, and returns how many bits
// are set.
func andCount(dst, x, y []uint64) int64 {
	x, y = x[:len(dst)], y[:len(dst)]
	n := 0
	for w := range dst {
		v := x[w] & y[w]
		dst[w] = v
		n += bits.OnesCount64(v)
	}
	return int64(n)
}

// implies reports whether all rows of class a have class b.
func (b *board) implies(a, of int32) bool { return within(b.class[a], b.class[of]) }

// sums returns what the bits of x count by band.
func (b *board) sums(x []uint64) (out [mostBands]int64) {
	for _, s := range b.stripes {
		for w := s.from; w < s.to; w++ {
			out[s.band] += b.value(x[w], w)
		}
	}
	return out
}
