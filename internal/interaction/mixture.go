package interaction

import (
	"math/bits"
	"slices"
)

// A shelf is what is known of a column while a pane is made: where its entries go, and
// what the rows of the slice at hand add up to.
type shelf struct {
	has     int64 // observations of the slice
	at      int   // of its bits the first word, or of its list the first number
	entries int32 // so far
	entity  int32 // that the condition is a state of, plus one; 0 if none
	dense   bool  // it is kept as bits
}

// A meeting is which rows of a block met an entity, and how many observations of a
// slice did.
type meeting struct {
	rows uint64
	n    int64
}

// lay lays out the rows of a slice of a cell, given the entry of each. Entries from
// next on are new; it returns the next one after the slice.
func (b *paneBuilder) lay(p *pane, words []uint64, lists []uint32, rows []Row, members, numbers []int32, next int) int {
	b.some, b.visited = b.some[:0], b.visited[:0]
	var all int64
	for len(members) > 0 {
		n := min(len(members), 64)
		next = b.turn(p.start, rows, members[:n], numbers[:n], next)
		all += b.block.all
		b.shelve(words, lists)
		b.meet()
		members, numbers = members[n:], numbers[n:]
	}
	for _, at := range b.some {
		x, c := &b.shelves[at], &p.columns[at]
		c.total += x.has
		c.among += float64(min(x.has, all-x.has))
		if x.entity > 0 {
			c.within += float64(min(x.has, b.met[x.entity].n-x.has))
		}
		x.has = 0
	}
	for _, e := range b.visited {
		n := &b.met[e].n
		b.ofCell.add(e-1, float64(*n))
		b.ofPane.add(e-1, float64(*n))
		*n = 0
	}
	return next
}

// shelve puts the columns of the block where they go.
func (b *paneBuilder) shelve(words []uint64, lists []uint32) {
	k := &b.block
	some, entered := b.some[:cap(b.some)], b.entered[:cap(b.entered)]
	n, m := len(b.some), 0
	word, shift := k.first/64, k.first%64
	for _, at := range k.columns {
		rows := k.strips[at].rows
		k.strips[at].rows = 0
		x := &b.shelves[at]
		some[n] = at
		if x.has == 0 {
			n++
		}
		x.has += k.observations(rows)
		met := &b.met[x.entity]
		entered[m] = x.entity
		if met.rows == 0 {
			m++
		}
		met.rows |= rows
		v := k.sieve.pass(rows)
		if v == 0 {
			continue // none of them is the first of its entry
		}
		if x.dense {
			to := words[x.at+word:]
			to[0] |= v << shift
			if high := v >> (64 - shift); high != 0 {
				to[1] |= high
			}
			continue
		}
		for ; v != 0; v &= v - 1 {
			lists[x.at+int(x.entries)] = uint32(k.first + bits.TrailingZeros64(v))
			x.entries++
		}
	}
	b.some, b.entered = some[:n], entered[:m]
}

// meet counts which observations of the block met an entity.
func (b *paneBuilder) meet() {
	for _, e := range b.entered {
		x := &b.met[e]
		if e > 0 {
			if x.n == 0 {
				b.visited = append(b.visited, e)
			}
			x.n += b.block.observations(x.rows)
		}
		x.rows = 0
	}
}

// An encounter is how many observations met an entity: had any state of it.
type encounter struct {
	entity int32
	n      float64
}

// encounters add up by entity.
type encounters struct {
	n    []float64
	list []int32 // entities with any
}

func (x *encounters) add(entity int32, n float64) {
	if x.n[entity] == 0 {
		x.list = append(x.list, entity)
	}
	x.n[entity] += n
}

// take returns the sums by entity and starts again.
func (x *encounters) take() []encounter {
	slices.Sort(x.list)
	out := make([]encounter, len(x.list))
	for i, e := range x.list {
		out[i] = encounter{e, x.n[e]}
		x.n[e] = 0
	}
	x.list = x.list[:0]
	return out
}
