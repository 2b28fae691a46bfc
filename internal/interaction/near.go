package interaction

import (
	"slices"

	"example.test/eddy/internal/reuse"
)

// A near is what judging a set needs: by stratum, what has all of its elements and
// what has all but one, at a fraction of the cost of counting all cells. It is room
// that one set after the other is counted in.
type near struct {
	x       *exact
	set     []int32
	flat    [][]amount // by stratum: of the whole set, then without each element
	all     []sum      // what is alive, by stratum
	cells   []sum      // over all strata, as in a cross, as far as counted
	times   []sum      // room for what is counted by bucket of time
	lacks   questions
	counter counter
}

// An amount is what some entries of a stratum count; w is the weight of the successes,
// in the unit of weights.
type amount struct {
	counts
	w float64
}

// units is what the successes of a part of a stratum count in tests.
func (n *near) units(stratum int, p amount) float64 { return p.w * n.x.l.factors[stratum] }

// begin makes room for a set, to be counted without so many of its elements as well,
// and takes in what has all of it of what is alive.
func (n *near) begin(x *exact, set []int32, elements int, whole *question) {
	n.x, n.set, n.all = x, set, x.strata()
	for len(n.flat) <= elements {
		n.flat = append(n.flat, nil)
	}
	n.cells = reuse.Clear(n.cells, 1<<elements)
	n.take(whole, 0)
}

// whole asks for what has all of a set.
func (x *exact) whole(q *question, set []int32) {
	for _, k := range set {
		q.all = append(q.all, x.class[k])
	}
}

// apart asks for what has all of a set, and beside for what lacks only element e.
func (x *exact) apart(q, lack *question, set []int32, e int) {
	for i, k := range set {
		if i != e {
			q.all = append(q.all, x.class[k])
		}
	}
	q.apart, q.lack = x.class[set[e]], lack
}

// lacking asks for what has all of a set but element e.
func (x *exact) lacking(q *question, set []int32, e int) {
	for i, k := range set {
		if i != e {
			q.all = append(q.all, x.class[k])
		}
	}
	q.none = append(q.none, x.class[set[e]])
}

// nearly counts a set over what is alive, and what lacks one of its elements, or only
// the last few of them.
//
// A set of one has no such count: without its element it is all the rest.
func (x *exact) nearly(n *near, set []int32, last int) {
	x.need(set)
	x.strata()
	if len(set) == 1 {
		last = 0
	}
	first := len(set) - last
	list := x.wholes.take(1 + last)
	x.whole(&list[0], set)
	for i := range last {
		x.lacking(&list[1+i], set, first+i)
	}
	x.l.ask(x.alive, list)
	n.begin(x, set, len(set), &list[0])
	n.clock(x, &list[0])
	for i := range last {
		n.take(&list[1+i], first+i+1)
	}
}

// lack counts what has all of the set but element e.
func (n *near) lack(e int) {
	list := n.lacks.take(1)
	n.x.lacking(&list[0], n.set, e)
	n.counter.answer(n.x.l, n.x.alive, list)
	n.take(&list[0], e+1)
}

// take takes in what was asked about an element; or about the whole set, if it is 0.
func (n *near) take(q *question, element int) {
	l := n.x.l
	flat := reuse.Clear(n.flat[element], l.strata)
	var all sum
	for i := range l.spots {
		p := &l.spots[i]
		in := q.by[p.cell] // maybe nothing, which no branch could foresee
		w, w2 := float64(in.ok)*p.each, float64(in.ok)*p.each*p.each
		if p.each == differ {
			w, w2 = q.w[p.cell], q.w2[p.cell]
		}
		to := &flat[p.stratum]
		to.counts, to.w = to.plus(in), to.w+w
		all.failed, all.ok, all.w, all.w2 = all.failed+in.failed, all.ok+in.ok, all.w+w, all.w2+w2
	}
	cell := len(n.cells) - 1
	if element > 0 {
		cell &^= 1 << (element - 1)
	}
	n.flat[element], n.cells[cell] = flat, all
}

// clock adds up what was asked about a set by bucket of time: what failed, and what
// succeeded in units.
func (n *near) clock(x *exact, q *question) []sum {
	l := x.l
	n.times = reuse.Clear(n.times, l.ticks)
	for i := range l.cells {
		in, b := q.by[i], &l.cells[i]
		w := float64(in.ok) * b.each
		if b.each == differ {
			w = q.w[i]
		}
		tick := &n.times[b.tick]
		tick.failed, tick.units = tick.failed+in.failed, tick.units+w*b.factor
	}
	return n.times
}

// others compares the whole set with all the rest of the traffic, within strata.
func (n *near) others() (c split) {
	for s, all := range n.all {
		if all.failed == 0 {
			continue // it says nothing
		}
		in := n.flat[0][s]
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
	has, lacks := n.flat[0], n.flat[e+1]
	for s := 0; s < len(n.all); {
		end := n.block(s, has, lacks)
		var failed, without int64
		var units, others float64
		for ; s < end; s++ {
			in, out := has[s], lacks[s]
			failed, units = failed+in.failed, units+n.units(s, in)
			without, others = without+out.failed, others+n.units(s, out)
		}
		c.add(float64(failed), units, float64(without), others)
	}
	return c
}

// block is where the block of strata ends that begins at first.
func (n *near) block(first int, has, lacks []amount) int {
	in, out := turns{first: -1}, turns{first: -1}
	s, end := first, int(n.x.l.near[first])
	for ; s < end; s++ {
		in.see(s, has[s].total())
		out.see(s, lacks[s].total())
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

// neighbour finds, for each stratum, where those end that are of one place with it and
// near in time.
func (l *ledger) neighbour() {
	l.near = reuse.Clear(l.near, l.strata)
	end := 0
	for s := range l.near {
		for end < l.strata && l.locations[end] == l.locations[s] && l.until[end]-l.buckets[s] < longestBlock {
			end++
		}
		l.near[s] = int32(end)
	}
}

// lacking compares what lacks only element e with what lacks others, within strata.
func (n *near) lacking(e int) (c split) {
	for s, all := range n.all {
		whole, in := n.flat[0][s], n.flat[e+1][s]
		units := n.units(s, in)
		c.add(float64(in.failed), units, float64(all.failed-in.failed-whole.failed), max(0, all.units-units-n.units(s, whole)))
	}
	return c
}

// excess is how many failures in the whole set would not have been expected at
// the risk of the rest of the traffic of the same stratum.
func (n *near) excess(typical float64) float64 {
	whole := n.cells[len(n.cells)-1]
	overall := risk(float64(n.x.every.failed-whole.failed), (n.x.every.w-whole.w)/weightUnit, 0, typical).risk
	var total float64
	for s, all := range n.all {
		in := n.flat[0][s]
		if in.total() == 0 || all.failed == 0 && all.total() > in.total() {
			continue // nothing was there, or nothing to be expected
		}
		r := overall
		if all.total() > in.total() {
			failed := float64(all.failed - in.failed)
			r = failed / (failed + (all.w-in.w)/weightUnit)
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
