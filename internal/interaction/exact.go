package interaction

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
)

// An exact view counts sets of classes over all entries of a ledger, as far as
// they are alive.
type exact struct {
	l     *ledger
	c     *classes
	alive []uint64
	class [][]uint64 // by class, nil until needed
	all   []sum      // of what is alive, by stratum; empty until needed
	every sum        // of it, over all strata

	slab  []uint64 // room for the bits of all classes
	rows  [][]uint64
	spare []uint64
	table cross // what the last count of a set gave
	other cross
	room  [2]near
	most  int // mostBits, but for tests
}

// mostBits is how many bytes of bits are made at once, which is less than a quarter of
// what the rows take that they are made of; above it, those of a class are made when
// it is first needed, and classes are counted entry by entry.
const mostBits = 512 << 20

// view begins to look at a ledger by its classes.
func (x *exact) view(l *ledger, c *classes) {
	x.l, x.c = l, c
	x.alive = grow(x.alive, l.words)
	copy(x.alive, l.filled)
	x.all = x.all[:0]
	x.spare = grow(x.spare, l.words)
	if cap(x.class) < len(c.list) {
		x.class = make([][]uint64, len(c.list))
	}
	x.class = x.class[:len(c.list)]
	clear(x.class)
	if 8*l.words*len(c.list) > cmp.Or(x.most, mostBits) {
		x.slab = nil
		return
	}
	x.slab = grow(x.slab, l.words*len(c.list))
	for k := range x.class {
		x.class[k] = x.slab[k*l.words : (k+1)*l.words : (k+1)*l.words]
	}
	x.copy(func(int32) bool { return true })
}

// need makes the bits of the classes that have none yet.
func (x *exact) need(ks []int32) {
	var missing []int32
	for _, k := range ks {
		if x.class[k] == nil {
			x.class[k] = make([]uint64, x.l.words)
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		x.copy(func(k int32) bool { return slices.Contains(missing, k) })
	}
}

// copy sets the bits of the classes that are wanted from the columns of the
// panes.
func (x *exact) copy(wanted func(k int32) bool) {
	inTwo(x.l.words*64, func(_, from, to int) {
		for i, p := range x.l.panes {
			if begin := x.l.begins[i] * 64; begin < from || begin >= to {
				continue
			}
			begin, end := x.l.begins[i], x.l.begins[i]+p.words
			for j := range p.columns {
				col := &p.columns[j]
				k := x.c.of[col.id]
				if k < 0 || x.c.list[k].first != col.id || !wanted(k) {
					continue
				}
				row := x.class[k][begin:end]
				copy(row, col.bits)
				for _, e := range col.list {
					row[e/64] |= 1 << (e % 64)
				}
			}
		}
	})
}

// incomplete reports whether the bits of some class have not been made.
func (x *exact) incomplete() bool { return x.slab == nil }

// mostElements is how many elements a set has at most whose cells are counted:
// one more than a finding may have.
const mostElements = 6

// A cross is a table of counts by which elements of a set hold: element i is
// bit i of the index.
type cross struct {
	order int
	cells []sum // over all strata
	flat  []sum // by stratum
}

// reset empties the table for a set of so many elements.
func (t *cross) reset(order, strata int) {
	t.order = order
	t.cells = grow(t.cells, 1<<order)
	t.flat = grow(t.flat, strata<<order)
}

// whole is the index of the cell where all elements hold.
func (t *cross) whole() int { return 1<<t.order - 1 }

// strata is how many strata there are.
func (t *cross) strata() int { return len(t.flat) >> t.order }

// stratum is the cells of one stratum.
func (t *cross) stratum(s int) []sum { return t.flat[s<<t.order : (s+1)<<t.order] }

// total adds the strata up.
func (t *cross) total() {
	clear(t.cells)
	for i := range t.flat {
		c := i & t.whole()
		t.cells[c] = t.cells[c].plus(t.flat[i])
	}
}

// restrict leaves only the strata for which keep is true.
func (t *cross) restrict(keep func(stratum int) bool) {
	for s := range t.strata() {
		if !keep(s) {
			clear(t.stratum(s))
		}
	}
	t.total()
}

// elements returns the bits of the classes of a set. They are good until the next
// ones.
func (x *exact) elements(set []int32) [][]uint64 {
	x.rows = x.bits(x.rows, set)
	return x.rows
}

// bits puts the bits of the classes of a set into rows.
func (x *exact) bits(rows [][]uint64, set []int32) [][]uint64 {
	x.need(set)
	rows = rows[:0]
	for _, k := range set {
		rows = append(rows, x.class[k])
	}
	return rows
}

// cross counts the cells of set. With everything it counts entries that an
// earlier finding explains as well. The table is good until the next one.
func (x *exact) cross(set []int32, everything bool) *cross {
	rows := x.elements(set)
	t := &x.other
	t.reset(len(set), x.l.strata)
	var part [1 << mostElements]uint64 // of a word, by cell
	for i := range x.l.cells {
		b := &x.l.cells[i]
		cells := t.stratum(int(b.stratum))
		var room [1 << mostElements]sum
		sums := room[:len(cells)]
		for w := b.from / 64; w*64 < b.to; w++ {
			v := x.word(w, everything) & between(w, b.from, b.to)
			if v == 0 {
				continue
			}
			part[0] = v
			for e, row := range rows {
				for c := range 1 << e {
					part[c|1<<e] = part[c] & row[w]
					part[c] &^= row[w]
				}
			}
			for c := range cells {
				x.l.count(&sums[c], part[c], w, b.cell.each)
			}
		}
		for c := range cells {
			cells[c] = cells[c].plus(b.settled(sums[c]))
		}
	}
	t.total()
	return t
}

// settled completes the sum of a part of a cell.
func (b *berth) settled(s sum) sum {
	s.settle(b.cell.each)
	s.units = s.w * b.factor
	return s
}

// outcomes counts the cells of set over what is alive, each entry as one
// observation that failed if any of its did.
func (x *exact) outcomes(set []int32) *cross {
	rows := x.elements(set)
	t := &x.other
	t.reset(len(set), x.l.strata)
	for i := range x.l.cells {
		b := &x.l.cells[i]
		cells := t.stratum(int(b.stratum))
		for position := b.from; position < b.to; position++ {
			w, bit := position/64, position%64
			if x.alive[w]>>bit&1 == 0 {
				continue
			}
			c := 0
			for e, row := range rows {
				c |= int(row[w]>>bit&1) << e
			}
			if x.l.entry(position).failed > 0 {
				cells[c].failed++
			} else {
				cells[c].ok++
				cells[c].units++
			}
		}
	}
	t.total()
	return t
}

// halves counts, by stratum, what has all of set and what has not, apart for a
// random half of the entries and the other.
func (x *exact) halves(set []int32) [2]*cross {
	rows := x.elements(set)
	out := [2]*cross{&x.table, &x.other}
	for h, t := range out {
		t.reset(1, x.l.strata)
		for i := range x.l.cells {
			b := &x.l.cells[i]
			var in, rest sum
			for w := b.from / 64; w*64 < b.to; w++ {
				v := x.l.filled[w] & between(w, b.from, b.to)
				if h == 0 {
					v &= x.l.half[w]
				} else {
					v &^= x.l.half[w]
				}
				has := v
				for _, row := range rows {
					has &= row[w]
				}
				x.l.count(&in, has, w, b.cell.each)
				x.l.count(&rest, v&^has, w, b.cell.each)
			}
			cells := t.stratum(int(b.stratum))
			cells[1] = cells[1].plus(b.settled(in))
			cells[0] = cells[0].plus(b.settled(rest))
		}
		t.total()
	}
	return out
}

// mask is the entries that have all of set. It is good until the next one.
func (x *exact) mask(dst []uint64, set []int32, everything bool) []uint64 {
	rows := x.elements(set)
	if cap(dst) < x.l.words {
		dst = make([]uint64, x.l.words)
	}
	dst = dst[:x.l.words]
	for w := range dst {
		v := x.word(w, everything)
		for _, row := range rows {
			v &= row[w]
		}
		dst[w] = v
	}
	return dst
}

// byClass adds up the entries of a mask that have each class.
func (x *exact) byClass(mask []uint64, sums []sum) (all sum) {
	const perEntry = 200 // what counting an entry costs, in words
	n := 0
	for _, v := range mask {
		n += bits.OnesCount64(v)
	}
	if x.incomplete() || perEntry*n < len(mask)*len(sums) {
		for w, v := range mask {
			for ; v != 0; v &= v - 1 {
				e := x.l.entry(w*64 + bits.TrailingZeros64(v))
				all.add(e)
				for _, id := range e.conditions {
					if k := x.c.of[id]; k >= 0 && x.c.list[k].first == id {
						sums[k].add(e)
					}
				}
			}
		}
		return all
	}
	words := max(1, len(mask))
	inTwo(len(sums)*words, func(_, from, to int) {
		for k := (from + words - 1) / words; k*words < to; k++ {
			sums[k] = x.l.both(mask, x.class[k])
		}
	})
	return x.l.tally(mask)
}

// implies reports whether all entries that have class a have class b.
func (x *exact) implies(a, b int32) bool {
	x.need([]int32{a, b})
	return within(x.class[a], x.class[b])
}

// word is a word of the entries that count: those alive, or all.
func (x *exact) word(w int, everything bool) uint64 {
	if everything {
		return x.l.filled[w]
	}
	return x.alive[w]
}

// remove takes the entries that have all of set out of what is alive.
func (x *exact) remove(set []int32) {
	rows := x.elements(set)
	for w := range x.alive {
		v := x.alive[w]
		for _, row := range rows {
			v &= row[w]
		}
		x.alive[w] &^= v
	}
	x.all = x.all[:0]
}

// strata returns what is alive by stratum.
func (x *exact) strata() []sum {
	if len(x.all) == 0 {
		x.all = grow(x.all, x.l.strata)
		for i := range x.l.cells {
			b := &x.l.cells[i]
			x.all[b.stratum] = x.all[b.stratum].plus(x.l.within(b, x.alive))
		}
		x.every = sum{}
		for _, s := range x.all {
			x.every = x.every.plus(s)
		}
	}
	return x.all
}

// compare compares the cells for which in is true with those of the others for
// which out is, within strata.
func (x *exact) compare(t *cross, in, out func(cell int) bool) split {
	var c split
	for s := range t.strata() {
		var a, b sum
		for cell, n := range t.stratum(s) {
			if in(cell) {
				a = a.plus(n)
			} else if out(cell) {
				b = b.plus(n)
			}
		}
		c.add(float64(a.failed), a.units, float64(b.failed), b.units)
	}
	return c
}

// inRooms does n things, as many at once as there are rooms to count in.
func (x *exact) inRooms(n int, do func(room *near, i int)) {
	var all sync.WaitGroup
	for first := range min(n, len(x.room)) {
		all.Go(func() {
			for i := first; i < n; i += len(x.room) {
				do(&x.room[first], i)
			}
		})
	}
	all.Wait()
}

// sorted returns the distinct elements of the sets, ascending.
func sorted(sets []candidate) []int32 {
	var ks []int32
	for _, c := range sets {
		ks = append(ks, c.set...)
	}
	slices.Sort(ks)
	return slices.Compact(ks)
}
