package interaction

import "example.test/eddy/internal/reuse"

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
	t.cells = reuse.Clear(t.cells, 1<<order)
	t.flat = reuse.Clear(t.flat, strata<<order)
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

// cross counts the cells of set. With everything it counts entries that an
// earlier finding explains as well. The table is good until the next one.
func (x *exact) cross(set []int32, everything bool) *cross {
	x.need(set)
	t := &x.other
	t.reset(len(set), x.l.strata)
	list := x.asked.take(1 << len(set))
	for c := range list {
		q := &list[c]
		for e, k := range set {
			if c>>e&1 == 1 {
				q.all = append(q.all, x.class[k])
			} else {
				q.none = append(q.none, x.class[k])
			}
		}
	}
	x.l.ask(x.entries(everything), list)
	for c := range list {
		for i := range x.l.cells {
			if b := &x.l.cells[i]; list[c].by[i] != (counts{}) {
				cell := &t.stratum(int(b.stratum))[c]
				*cell = cell.plus(list[c].sum(b, i))
			}
		}
	}
	t.total()
	return t
}

// outcomes counts the cells of set over what is alive, each entry as one
// observation that failed if any of its did.
func (x *exact) outcomes(set []int32) *cross {
	rows := x.bits(nil, set)
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

// halves counts, by stratum, what has all of set and what has not, for a random half
// of the entries and then for the other; do gets both tables.
func (x *exact) halves(set []int32, do func(half int, t *cross)) {
	rows := x.bits(nil, set)
	list := x.asked.take(4) // of each half, what has the set, and all
	for i := range list {
		q := &list[i]
		if i%2 == 0 {
			q.all = append(q.all, rows...)
		}
		if i < 2 {
			q.all = append(q.all, x.l.half)
		} else {
			q.none = append(q.none, x.l.half)
		}
	}
	x.l.ask(x.l.filled, list)
	t := &x.other
	for h := range 2 {
		t.reset(1, x.l.strata)
		for i := range x.l.cells {
			b := &x.l.cells[i]
			cells := t.stratum(int(b.stratum))
			in := list[2*h].sum(b, i)
			cells[1] = cells[1].plus(in)
			cells[0] = cells[0].plus(b.settled(list[2*h+1].sum(b, i).minus(in)))
		}
		t.total()
		do(h, t)
	}
}
