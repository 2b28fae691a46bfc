package interaction

import (
	"math/bits"

	"example.test/eddy/internal/reuse"
)

// A block is up to 64 rows of a slice, turned over: from the conditions of each row to
// the rows of each condition.
type block struct {
	strips  []strip  // by column
	columns []int32  // that some row has, each once
	totals  []uint64 // binary digits of the rows' observations, the lowest first
	all     int64    // observations
	sieve   sieve    // keeps the rows that are the first of their entry
	first   int      // entry of the first of those
}

// A strip is a column of a block. Its key adds up over the entries of all blocks.
type strip struct{ rows, key uint64 }

// reset makes room for so many columns.
func (k *block) reset(columns int) {
	k.strips, k.columns = reuse.Clear(k.strips, columns), reuse.Room(k.columns, columns+1)
}

// turn turns over the rows of a block, given the entry of each. Entries from next on
// are new; it returns the next one after the block. The loop over conditions does not
// branch on what is in them.
func (b *paneBuilder) turn(start int64, rows []Row, members, numbers []int32, next int) int {
	k := &b.block
	slot, strips, columns := b.slot, k.strips, k.columns[:cap(k.columns)]
	n := 0
	k.totals, k.all, k.first = k.totals[:0], 0, next
	var fresh uint64
	for j, i := range members {
		r := &rows[i]
		if r.Total == 0 {
			continue
		}
		bit, key := uint64(1)<<j, uint64(0)
		if int(numbers[j]) == next {
			key = mix(uint64(start) ^ mix(uint64(next)))
			fresh |= bit
			next++
		}
		k.count(bit, r.Total)
		for _, id := range r.Conditions {
			at := slot[id]
			x := &strips[at]
			columns[n] = at
			if x.rows == 0 {
				n++
			}
			x.rows |= bit
			x.key += key
		}
	}
	k.columns, k.sieve = columns[:n], newSieve(fresh)
	return next
}

// count takes in how many observations a row is.
func (k *block) count(bit uint64, total int) {
	k.all += int64(total)
	for d := 0; total>>d > 0; d++ {
		if d == len(k.totals) {
			k.totals = append(k.totals, 0)
		}
		k.totals[d] |= bit * uint64(total>>d&1)
	}
}

// observations is how many observations some rows of the block are.
func (k *block) observations(rows uint64) int64 {
	var n int64
	for d, digit := range k.totals {
		n += int64(bits.OnesCount64(rows&digit)) << d
	}
	return n
}

// A sieve keeps some of 64 bits and closes the gaps between them (Warren, Hacker's
// Delight, 7-4).
type sieve struct {
	kept  uint64
	moves [6]uint64 // the bits that move by 1, 2, 4, ... places
}

func newSieve(kept uint64) sieve {
	s := sieve{kept: kept}
	if kept&(kept+1) == 0 {
		return s // there are no gaps
	}
	m, gaps := kept, ^kept<<1 // gaps below each bit
	for i := range s.moves {
		odd := gaps // whether there is an odd number of them
		for shift := 1; shift < 64; shift *= 2 {
			odd ^= odd << shift
		}
		s.moves[i] = odd & m
		m = m ^ s.moves[i] | s.moves[i]>>(1<<i)
		gaps &^= odd
	}
	return s
}

// pass returns the bits of x that are kept, moved together.
func (s *sieve) pass(x uint64) uint64 {
	x &= s.kept
	if s.kept&(s.kept+1) == 0 {
		return x
	}
	for i, moves := range s.moves {
		m := x & moves
		x = x ^ m | m>>(1<<i)
	}
	return x
}
