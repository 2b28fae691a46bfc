package interaction

import (
	"slices"
	"sync"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
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

	made  int // how many of the rows are those of classes
	rows  [][]uint64
	spare []uint64
	other cross // what the last count of a set gave
	room  [2]near
	// Questions about sets, about sets without an element, and other ones.
	wholes, lacks, asked questions
}

// view begins to look at a ledger by its classes.
func (x *exact) view(l *ledger, c *classes) {
	x.l, x.c = l, c
	x.alive = reuse.Room(x.alive, l.width)
	copy(x.alive, l.filled)
	x.all = x.all[:0]
	x.spare = reuse.Clear(x.spare, l.words)
	x.class, x.made = reuse.Clear(x.class, len(c.list)), 0
}

// need makes the bits of the classes that have none yet: few are ever asked about, and
// those of all may take a tenth of what the rows do.
func (x *exact) need(ks []int32) {
	var missing []int32
	for _, k := range ks {
		if x.class[k] == nil {
			x.class[k] = x.row()
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return
	}
	inTwo(x.l.words*64, func(_, from, to int) {
		for i, p := range x.l.panes {
			if begin := x.l.begins[i] * 64; begin >= from && begin < to {
				x.copy(p, i, missing)
			}
		}
	})
}

// row returns the next of the rows that are kept from one run to the next.
func (x *exact) row() []uint64 {
	if x.made == len(x.rows) {
		x.rows = append(x.rows, nil)
	}
	row := &x.rows[x.made]
	x.made++
	*row = reuse.Room(*row, x.l.width)
	clear((*row)[x.l.words:])
	return *row
}

// copy sets the bits of classes in a pane, the i-th.
func (x *exact) copy(p *pane, i int, ks []int32) {
	for _, k := range ks {
		row := x.class[k][x.l.begins[i]:][:p.words]
		c := p.column(x.c.list[k].first)
		if c == nil || c.bits == nil {
			clear(row)
		}
		if c != nil {
			copy(row, c.bits)
			for _, e := range c.list {
				row[e/64] |= 1 << (e % 64)
			}
		}
		x.l.repeat(x.class[k], x.l.fails[i], x.l.fails[i+1])
	}
}

// bits puts the bits of the classes of a set at the end of a list.
func (x *exact) bits(rows [][]uint64, set []int32) [][]uint64 {
	x.need(set)
	for _, k := range set {
		rows = append(rows, x.class[k])
	}
	return rows
}

// settled completes the sum of a part of a cell.
func (b *berth) settled(s sum) sum {
	s.settle(b.each)
	s.units = s.w * b.factor
	return s
}

// mask is the entries that have all of set. It is good until the next one.
func (x *exact) mask(dst []uint64, set []int32, everything bool) []uint64 {
	q := &x.asked.take(1)[0]
	q.all = x.bits(q.all, set)
	return x.marked(dst, q, everything)
}

// without is the entries that have all of set but not class k.
func (x *exact) without(dst []uint64, k int32, set []int32, everything bool) []uint64 {
	q := &x.asked.take(1)[0]
	q.all, q.none = x.bits(q.all, set), x.bits(q.none, []int32{k})
	return x.marked(dst, q, everything)
}

// marked is the entries that a question is about.
func (x *exact) marked(dst []uint64, q *question, everything bool) []uint64 {
	dst = slices.Grow(dst[:0], x.l.words)[:x.l.words]
	for _, b := range x.l.chunks {
		q.mark(dst[b.from:b.to], x.entries(everything), b.from)
	}
	return dst
}

// implies reports whether all entries that have class a have class b.
func (x *exact) implies(a, b int32) bool {
	x.need([]int32{a, b})
	return popcount.Within(x.class[a], x.class[b])
}

// entries are those that count: those alive, or all.
func (x *exact) entries(everything bool) []uint64 {
	if everything {
		return x.l.filled
	}
	return x.alive
}

// remove takes the entries that have all of set out of what is alive.
func (x *exact) remove(set []int32) {
	x.spare = x.mask(x.spare, set, false)
	popcount.Less(x.alive[:x.l.words], x.alive, x.spare)
	x.changed()
}

// changed brings up to date what follows from which entries are alive.
func (x *exact) changed() {
	clear(x.alive[x.l.words:])
	x.l.repeat(x.alive, 0, len(x.l.failing))
	x.all = x.all[:0]
}

// strata returns what is alive by stratum.
func (x *exact) strata() []sum {
	if len(x.all) == 0 {
		x.all = reuse.Clear(x.all, x.l.strata)
		list := x.asked.take(1)
		x.l.ask(x.alive, list)
		for i := range x.l.cells {
			b := &x.l.cells[i]
			x.all[b.stratum] = x.all[b.stratum].plus(list[0].sum(b, i))
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
