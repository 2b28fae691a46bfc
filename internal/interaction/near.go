package interaction

import "slices"

// A near is what judging a set needs: by stratum, what has all of its elements and
// what has all but one, at a fraction of the cost of counting all cells. It is room
// that one set after the other is counted in.
type near struct {
	l     *ledger
	order int
	flat  []sum // by stratum: the whole set, then without each element
	all   []sum // what is alive, by stratum
	cells []sum // over all strata, as in a cross; what lacks more than one is in the first
	times []sum // what the whole set counted in each bucket of time
	rows  [][]uint64
}

// at is what a stratum counts.
func (n *near) at(stratum int) []sum {
	return n.flat[stratum*(n.order+1) : (stratum+1)*(n.order+1)]
}

// begin makes room for a set, of which elements more are counted than the whole.
func (n *near) begin(x *exact, set []int32, elements int) {
	n.l, n.order, n.all = x.l, elements, x.strata()
	n.flat = grow(n.flat, x.l.strata*(elements+1))
	n.times = grow(n.times, x.l.ticks)
	n.rows = x.bits(n.rows, set)
}

// whole counts only what has all of a set, over what is alive.
func (x *exact) whole(n *near, set []int32) {
	n.begin(x, set, 0)
	for i := range x.l.cells {
		b := &x.l.cells[i]
		var in sum
		for w := b.from / 64; w*64 < b.to; w++ {
			v := x.alive[w] & between(w, b.from, b.to)
			for _, row := range n.rows {
				v &= row[w]
			}
			x.l.count(&in, v, w, b.cell.each)
		}
		if in.total() > 0 {
			n.add(x, b, 0, in)
		}
	}
}

// add counts a part of a cell for an element; for the whole set if it is 0.
func (n *near) add(x *exact, b *berth, element int, part sum) {
	part = b.settled(part)
	to := &n.at(int(b.stratum))[element]
	*to = to.plus(part)
	if element == 0 {
		tick := &n.times[x.l.tick[b.pane]]
		*tick = tick.plus(part)
	}
}

// nearly counts a set over what is alive.
func (x *exact) nearly(n *near, set []int32) {
	k := len(set)
	n.begin(x, set, k)
	n.cells = grow(n.cells, 1<<k)
	var sums [mostElements + 1]sum
	for i := range x.l.cells {
		b := &x.l.cells[i]
		clear(sums[:k+1])
		for w := b.from / 64; w*64 < b.to; w++ {
			none, one := lacking(x.alive[w]&between(w, b.from, b.to), n.rows, w)
			x.l.count(&sums[0], none, w, b.cell.each)
			if one == 0 || k == 1 {
				continue // a single set without its element is all the rest
			}
			for e, row := range n.rows {
				x.l.count(&sums[e+1], one&^row[w], w, b.cell.each)
			}
		}
		for e, part := range sums[:k+1] {
			if part.total() > 0 {
				n.add(x, b, e, part)
			}
		}
	}
	n.total()
}

// total adds the strata up.
func (n *near) total() {
	whole := 1<<n.order - 1
	rest := &n.cells[0]
	for s, all := range n.all {
		at := n.at(s)
		n.cells[whole] = n.cells[whole].plus(at[0])
		all = all.minus(at[0])
		if n.order > 1 {
			for e, c := range at[1:] {
				n.cells[whole&^(1<<e)] = n.cells[whole&^(1<<e)].plus(c)
				all = all.minus(c)
			}
		}
		*rest = rest.plus(all)
	}
}

// lacking tells, of a word of entries, which have all of the classes and which
// all but one.
func lacking(v uint64, rows [][]uint64, w int) (none, one uint64) {
	none = v
	for _, row := range rows {
		none, one = none&row[w], one&row[w]|none&^row[w]
	}
	return none, one
}

// others compares the whole set with all the rest of the traffic, within strata.
func (n *near) others() (c split) {
	for s, all := range n.all {
		in := n.at(s)[0]
		c.add(float64(in.failed), in.units, float64(all.failed-in.failed), max(0, all.units-in.units))
	}
	return c
}

const (
	// longestBlock is how many buckets of time at most are compared together where
	// few observations lack an element.
	longestBlock = 6
	// fewInBlock is up to how many there are few.
	fewInBlock = 5
)

// without compares the whole set with what lacks only element e, within strata.
// Both may be so thin that a stratum has seldom some of each, and then says
// nothing; neighbours in time are taken together until it has. Which ones does not
// depend on what failed, and only those are where the two take turns: a switch that
// was turned once cannot be told from all else that the time brought.
func (n *near) without(e int) (c split) {
	for s := 0; s < len(n.all); {
		end := n.block(s, e)
		var in, out sum
		for ; s < end; s++ {
			at := n.at(s)
			in, out = in.plus(at[0]), out.plus(at[e+1])
		}
		c.add(float64(in.failed), in.units, float64(out.failed), out.units)
	}
	return c
}

// block is where the block of strata ends that begins at first.
func (n *near) block(first, e int) int {
	in, out := turns{first: -1}, turns{first: -1}
	s := first
	for ; s < len(n.all) && n.neighbours(first, s); s++ {
		at := n.at(s)
		in.see(s, at[0].total())
		out.see(s, at[e+1].total())
		if in.n >= fewInBlock && out.n >= fewInBlock {
			s++
			break
		}
	}
	if in.n == 0 || out.n == 0 || in.last <= out.first || out.last <= in.first {
		return first + 1
	}
	return s
}

// turns are the first and the last stratum that had any of something.
type turns struct {
	first, last int
	n           int64
}

func (t *turns) see(stratum int, n int64) {
	if n == 0 {
		return
	}
	if t.first < 0 {
		t.first = stratum
	}
	t.last = stratum
	t.n += n
}

// neighbours reports whether two strata are of one place and near in time.
func (n *near) neighbours(first, s int) bool {
	return n.l.locations[first] == n.l.locations[s] && n.l.until[s]-n.l.buckets[first] < longestBlock
}

// excess is how many failures in the whole set would not have been expected at
// the risk of the rest of the traffic of the same stratum.
func (n *near) excess(typical float64) float64 {
	var rest sum
	for s, all := range n.all {
		rest = rest.plus(all.minus(n.at(s)[0]))
	}
	overall := rest.risk(typical).risk
	var total float64
	for s, all := range n.all {
		in := n.at(s)[0]
		if in.total() == 0 {
			continue
		}
		r := overall
		if out := all.minus(in); out.total() > 0 {
			r = out.risk(typical).risk
		}
		total += float64(in.failed) - r*in.requests()
	}
	return total
}

// table is the cells over all strata, by which elements hold.
func (n *near) table() []sum { return slices.Clone(n.cells) }
