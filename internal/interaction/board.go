package interaction

import (
	"math/bits"
	"slices"
)

// A board holds rows as bits: one row of words for each class, in which a bit
// is an entry of the ledger that has the class. Entries of one stratum begin at
// a word of their own, so that a count by stratum is a count of whole words.
type board struct {
	words  int
	start  []int      // word at which each stratum begins, and the end
	class  [][]uint64 // by class
	planes [][]uint64 // binary digits of what each bit counts, the lowest first
	alive  []uint64   // bits not yet explained by an earlier finding
}

// newBoard lays out the entries, given as ascending indexes into l with what
// each counts, by the strata listed in kept.
func newBoard(l *ledger, c *classes, kept []int32, entries []int32, counts []int64) *board {
	slot := make([]int32, len(l.start)-1)
	for i := range slot {
		slot[i] = -1
	}
	for i, s := range kept {
		slot[s] = int32(i)
	}
	size := make([]int, len(kept))
	var largest int64
	for i, e := range entries {
		size[slot[l.entries[e].stratum]]++
		largest = max(largest, counts[i])
	}
	b := &board{start: make([]int, len(kept)+1)}
	for i, n := range size {
		b.start[i+1] = b.start[i] + (n+63)/64
	}
	b.words = b.start[len(kept)]
	all := make([]uint64, b.words*(len(c.list)+1+bits.Len64(uint64(largest))))
	cut := func() []uint64 {
		row := all[:b.words:b.words]
		all = all[b.words:]
		return row
	}
	b.class = make([][]uint64, len(c.list))
	for i := range b.class {
		b.class[i] = cut()
	}
	b.alive = cut()
	b.planes = make([][]uint64, bits.Len64(uint64(largest)))
	for i := range b.planes {
		b.planes[i] = cut()
	}

	next := slices.Clone(b.start[:len(kept)])
	for i := range next {
		next[i] *= 64
	}
	for i, ei := range entries {
		e := &l.entries[ei]
		bit := next[slot[e.stratum]]
		next[slot[e.stratum]]++
		w, m := bit/64, uint64(1)<<(bit%64)
		b.alive[w] |= m
		for p := range b.planes {
			if counts[i]>>p&1 == 1 {
				b.planes[p][w] |= m
			}
		}
		for _, id := range e.conditions {
			if k := c.of[id]; k >= 0 {
				b.class[k][w] |= m
			}
		}
	}
	return b
}

// and sets dst to x AND y and returns what its bits count, and that weighted by
// stratum with each of the weights. dst may be x.
func (b *board) and(dst, x, y []uint64, weights ...[]float64) (total int64, sums [2]float64) {
	single := len(b.planes) == 1
	for s := range len(b.start) - 1 {
		var n int64
		for w := b.start[s]; w < b.start[s+1]; w++ {
			v := x[w] & y[w]
			dst[w] = v
			if v == 0 {
				continue
			}
			if single {
				// Every entry counts one: there is a single plane, all ones.
				n += int64(bits.OnesCount64(v))
				continue
			}
			for p, plane := range b.planes {
				n += int64(bits.OnesCount64(v&plane[w])) << p
			}
		}
		if n == 0 {
			continue
		}
		total += n
		for i, weight := range weights {
			sums[i] += float64(n) * weight[s]
		}
	}
	return total, sums
}

// sums returns what the bits of x count by stratum.
func (b *board) sums(x []uint64) []int64 {
	out := make([]int64, len(b.start)-1)
	for s := range out {
		for w := b.start[s]; w < b.start[s+1]; w++ {
			for p, plane := range b.planes {
				out[s] += int64(bits.OnesCount64(x[w]&plane[w])) << p
			}
		}
	}
	return out
}

// remove takes the entries that have all of set out of what is alive.
func (b *board) remove(set []int32) {
	for w := range b.alive {
		v := b.alive[w]
		for _, k := range set {
			v &= b.class[k][w]
		}
		b.alive[w] &^= v
	}
}
