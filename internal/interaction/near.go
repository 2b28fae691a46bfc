package interaction

import (
	"slices"

	"example.test/eddy/internal/popcount"
)

// A near is what judging a set needs: by stratum, what has all of its elements and
// what has all but one, at a fraction of the cost of counting all cells. It is room
// that one set after the other is counted in.
type near struct {
	x      *exact
	set    []int32
	order  int      // how many of the elements are counted without, or 0
	flat   []amount // by stratum: the whole set, then without each element
	all    []sum    // what is alive, by stratum
	cells  []sum    // over all strata, as in a cross, as far as counted
	times  []sum    // what failed of the whole set in each bucket of time, and what succeeded in units
	summed sum      // of what is being counted
	mask   []uint64
	less   []uint64
}

// An amount is what some entries of a stratum count; w is the weight of the successes,
// in the unit of weights.
type amount struct {
	failed, ok int64
	w          float64
}

func (p amount) total() int64 { return p.failed + p.ok }

// at is what a stratum counts.
func (n *near) at(stratum int) []amount {
	return n.flat[stratum*(n.order+1) : (stratum+1)*(n.order+1)]
}

// units is what the successes of a part of a stratum count in tests.
func (n *near) units(stratum int, p amount) float64 { return p.w * n.x.l.factors[stratum] }

// begin makes room for a set, to be counted without so many of its elements as well,
// and counts what has all of it over what is alive.
func (n *near) begin(x *exact, set []int32, elements int) {
	n.x, n.set, n.order, n.all = x, set, elements, x.strata()
	n.flat = grow(n.flat, x.l.strata*(elements+1))
	n.cells = grow(n.cells, 1<<elements)
	n.times = grow(n.times, x.l.ticks)
	n.mask = n.common(n.mask, -1)
	n.count(n.mask, 0)
}

// common sets dst to what is alive and has all elements of the set but the one at
// skip.
func (n *near) common(dst []uint64, skip int) []uint64 {
	from := n.x.alive
	dst = slices.Grow(dst[:0], len(from))[:len(from)]
	for i, k := range n.set {
		if i != skip {
			popcount.And(dst, from, n.x.class[k])
			from = dst
		}
	}
	return dst
}

// whole counts a set over what is alive.
func (x *exact) whole(n *near, set []int32) {
	x.need(set)
	n.begin(x, set, 0)
}

// nearly counts a set over what is alive, and what lacks one of its elements.
func (x *exact) nearly(n *near, set []int32) {
	x.need(set)
	n.begin(x, set, len(set))
	for e := range set {
		if len(set) > 1 {
			n.lack(e)
		}
	}
}

// lack counts what has all of the set but element e. A set of one has no such count:
// without its element it is all the rest.
func (n *near) lack(e int) {
	n.less = n.common(n.less, e)
	for w, v := range n.mask {
		n.less[w] ^= v // which is a part of it
	}
	n.count(n.less, e+1)
}

// count adds up the positions of a mask for an element; for the whole set if it is 0.
func (n *near) count(mask []uint64, element int) {
	l := n.x.l
	n.summed = sum{}
	i := 0 // the cell of the ledger that is added up
	var in sum
	for w, v := range mask {
		for v != 0 {
			b := &l.cells[i]
			part := v & below(b.to-w*64) // cells follow each other, and may share a word
			if part == 0 {
				n.add(b, element, &in)
				i++
				continue
			}
			v &^= part
			l.count(&in, part, w, b.cell.each)
		}
	}
	if i < len(l.cells) {
		n.add(&l.cells[i], element, &in)
	}
	cell := len(n.cells) - 1
	if element > 0 {
		cell &^= 1 << (element - 1)
	}
	n.cells[cell] = n.summed
}

// add adds a part of a cell of the ledger to its stratum and to the sum, and empties
// it.
func (n *near) add(b *berth, element int, in *sum) {
	if in.failed|in.ok == 0 {
		return
	}
	in.settle(b.cell.each)
	to := &n.flat[int(b.stratum)*(n.order+1)+element]
	to.failed, to.ok, to.w = to.failed+in.failed, to.ok+in.ok, to.w+in.w
	all := &n.summed
	all.failed, all.ok, all.w, all.w2 = all.failed+in.failed, all.ok+in.ok, all.w+in.w, all.w2+in.w2
	if element == 0 {
		tick := &n.times[n.x.l.tick[b.pane]]
		tick.failed, tick.units = tick.failed+in.failed, tick.units+in.w*b.factor
	}
	*in = sum{}
}

// others compares the whole set with all the rest of the traffic, within strata.
func (n *near) others() (c split) {
	for s, all := range n.all {
		in := n.at(s)[0]
		units := n.units(s, in)
		c.add(float64(in.failed), units, float64(all.failed-in.failed), max(0, all.units-units))
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
		var failed, without int64
		var units, others float64
		for ; s < end; s++ {
			in, out := n.at(s)[0], n.at(s)[e+1]
			failed, units = failed+in.failed, units+n.units(s, in)
			without, others = without+out.failed, others+n.units(s, out)
		}
		c.add(float64(failed), units, float64(without), others)
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
	return n.x.l.locations[first] == n.x.l.locations[s] && n.x.l.until[s]-n.x.l.buckets[first] < longestBlock
}

// lacking compares what lacks only element e with what lacks others, within strata.
func (n *near) lacking(e int) (c split) {
	for s, all := range n.all {
		at := n.at(s)
		in, units := at[e+1], n.units(s, at[e+1])
		c.add(float64(in.failed), units, float64(all.failed-in.failed-at[0].failed), max(0, all.units-units-n.units(s, at[0])))
	}
	return c
}

// excess is how many failures in the whole set would not have been expected at
// the risk of the rest of the traffic of the same stratum.
func (n *near) excess(typical float64) float64 {
	var total, w float64
	var rest int64
	for s, all := range n.all {
		in := n.at(s)[0]
		rest, w = rest+all.failed-in.failed, w+all.w-in.w
	}
	overall := risk(float64(rest), w/weightUnit, 0, typical).risk
	for s, all := range n.all {
		in := n.at(s)[0]
		if in.total() == 0 {
			continue
		}
		r := overall
		if all.total() > in.total() {
			r = risk(float64(all.failed-in.failed), (all.w-in.w)/weightUnit, 0, typical).risk
		}
		total += float64(in.failed) - r*(float64(in.failed)+in.w/weightUnit)
	}
	return total
}

// table is the cells over all strata, by which elements hold, as far as they have been
// counted; all else is in the first.
func (n *near) table() []sum {
	cells := slices.Clone(n.cells)
	rest := n.x.every
	for _, c := range cells {
		rest = rest.minus(c)
	}
	cells[0] = rest
	return cells
}
