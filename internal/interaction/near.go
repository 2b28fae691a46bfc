package interaction

import (
	"math/bits"
	"slices"

	"example.test/eddy/internal/popcount"
)

// A near is what judging a set needs: by stratum, what has all of its elements and
// what has all but one, at a fraction of the cost of counting all cells. It is room
// that one set after the other is counted in.
type near struct {
	x     *exact
	set   []int32
	order int      // how many of the elements are counted without, or 0
	flat  []amount // by stratum: the whole set, then without each element
	all   []sum    // what is alive, by stratum
	cells []sum    // over all strata, as in a cross; what lacks more than one is in the first
	times []sum    // what the whole set counted in each bucket of time
	mask  []uint64
	less  []uint64
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
	n.lacking()
}

// lacking counts what has all of the set but one element, for each of them.
func (n *near) lacking() {
	whole := 1<<n.order - 1
	rest := &n.cells[0]
	for _, all := range n.all {
		*rest = rest.plus(all)
	}
	*rest = rest.minus(n.cells[whole])
	if n.order == 1 {
		return // a single set without its element is all the rest
	}
	for e := range n.set {
		n.less = n.common(n.less, e)
		for w, v := range n.mask {
			n.less[w] ^= v // which is a part of it
		}
		n.count(n.less, e+1)
		*rest = rest.minus(n.cells[whole&^(1<<e)])
	}
}

// count adds up the positions of a mask for an element; for the whole set if it is 0.
func (n *near) count(mask []uint64, element int) {
	l := n.x.l
	var p amount
	var w2 float64
	i := 0 // the cell that is added up
	for w, v := range mask {
		for v != 0 {
			b := &l.cells[i]
			in := v & below(b.to-w*64) // cells follow each other, and may share a word
			if in == 0 {
				n.add(b, element, p, w2)
				p, w2 = amount{}, 0
				i++
				continue
			}
			v &^= in
			if b.cell.each == differ {
				for ; in != 0; in &= in - 1 {
					e := l.entry(w*64 + bits.TrailingZeros64(in))
					p = amount{p.failed + e.failed, p.ok + e.ok, p.w + e.weight}
					w2 += e.weight2
				}
				continue
			}
			for d, plane := range l.bad {
				p.failed += int64(bits.OnesCount64(in&plane[w])) << d
			}
			for d, plane := range l.fine {
				p.ok += int64(bits.OnesCount64(in&plane[w])) << d
			}
		}
	}
	if i < len(l.cells) {
		n.add(&l.cells[i], element, p, w2)
	}
}

// add counts a part of a cell, of so many squared weights if they differ.
func (n *near) add(b *berth, element int, p amount, w2 float64) {
	if p.total() == 0 {
		return
	}
	if each := b.cell.each; each != differ {
		p.w, w2 = float64(p.ok)*each, float64(p.ok)*each*each
	}
	to := &n.at(int(b.stratum))[element]
	*to = amount{to.failed + p.failed, to.ok + p.ok, to.w + p.w}
	cell := len(n.cells) - 1
	if element == 0 {
		tick := &n.times[n.x.l.tick[b.pane]]
		tick.failed += p.failed
		tick.units += p.w * b.factor
	} else {
		cell &^= 1 << (element - 1)
	}
	c := &n.cells[cell]
	*c = c.plus(sum{p.failed, p.ok, p.w, w2, 0})
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

// table is the cells over all strata, by which elements hold.
func (n *near) table() []sum { return slices.Clone(n.cells) }
