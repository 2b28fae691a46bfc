package search

import (
	"slices"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// A pairing is the pairs of classes that, after a prefix, make sets of as many elements
// as a set may have: most sets are such, and so many of them are counted together.
type pairing struct {
	// Of the classes that may follow: their rows inside the first one, what each counts
	// on the other board, what it has in the place of a budget, and whether more than
	// half of the successes may have it.
	row   []int32
	size  []int64
	stake []int32
	wide  []bool
	// What each has in common with the prefix, of what failed and of the other board; of
	// what failed also close together, as lanes; and which later ones it may be beside.
	fails, oks popcount.Slab
	lanes      popcount.Lanes
	some       []uint64 // a lane
	beside     popcount.Slab
	// Of each pair: its classes, how many failures it has, where its budget is, and how
	// many failures are expected of it.
	n                      int
	a, b, counts, at, kept []int32
	sums, more             []uint64
}

// pairsAtOnce is how many pairs are counted together at most, and those of one class
// more: as many as the second cache holds.
const pairsAtOnce = 4096

// finish goes through the sets of the prefix and one or two of the classes that may
// follow it, of which the first is every step-th from one on.
func (w *walker) finish(after []follower, from, step int) {
	p, dear := &w.pairing, w.levels[len(w.prefix)].dear
	if len(after) > 1 {
		p.lay(w, after)
	}
	for i := from; i < len(after); i += step {
		f := after[i]
		if !w.open(f) || i+1 == len(after) || !w.ahead(len(after)-i-1) {
			continue
		}
		p.room(p.n + len(after) + spareLanes)
		p.lanes.Lane(p.some, int32(i))
		found := p.lanes.Select(p.b[p.n:], p.counts[p.n:], p.some, p.beside.At(int32(i)), int32(w.least.Of(w.order)))
		p.budget(w, int32(i), found, w.bar()+w.price[w.order]+dear+w.classes.List[f.k].Dear)
		if p.n >= pairsAtOnce {
			w.settle(after)
		}
	}
	w.settle(after)
}

// settle scores the pairs of which no more failures are expected than their budgets.
func (w *walker) settle(after []follower) {
	depth, p, in := len(w.prefix), &w.pairing, &w.inside
	p.weigh(p.sums, p.oks, in.oks.rate)
	p.spare(w.budgets.table)
	if !w.whole && p.n > 0 {
		p.fails = p.common(p.fails, &in.fails, w.failures(depth), after)
		p.weigh(p.more, p.fails, in.fails.rate)
		for i, more := range p.more[:p.n] {
			p.sums[i] += more
		}
		p.spare(w.budgets.table)
	}
	last := int32(-1)
	for i := range p.n {
		if p.a[i] != last {
			w.prefix = w.prefix[:depth]
			w.push(after[p.a[i]])
			last = p.a[i]
		}
		w.score(follower{k: after[p.b[i]].k, failed: int64(p.counts[i])})
	}
	w.prefix = w.prefix[:depth]
	p.n = 0
}

// lay lays out what some classes have of what has the prefix.
func (p *pairing) lay(w *walker, after []follower) {
	depth, in, n := len(w.prefix), &w.inside, len(after)
	l := w.lay(depth)
	p.oks = p.common(p.oks, &in.oks, l.oks, after)
	p.row, p.stake, p.wide = reuse.Room(p.row, n), reuse.Room(p.stake, n), reuse.Room(p.wide, n)
	for i, f := range after {
		p.row[i], p.stake[i] = in.fails.row[f.k], w.budgets.stake[f.k]
		p.wide[i] = w.many(f.failed + p.size[i])
	}
	m := popcount.MaskOf(l.part, w.oneEnd(len(l.part)))
	p.lanes = sideBySide(p.lanes, m, in.packed, p.row)
	p.some = reuse.Room(p.some, m.Words)
	p.beside = extracted(p.beside, popcount.MaskOf(l.after, w.oneEnd(len(l.after))), in.beside, p.row)
}

// common fills rows with what each of some classes has in common with the prefix, and
// notes how much that is.
func (p *pairing) common(rows popcount.Slab, g *ground, prefix []uint64, after []follower) popcount.Slab {
	rows = popcount.Slab{Bits: reuse.Room(rows.Bits, len(after)*g.words), Row: g.words}
	p.size = reuse.Room(p.size, len(after))
	for i, f := range after {
		p.size[i] = popcount.And(rows.At(int32(i)), prefix, g.of(f.k))
	}
	return rows
}

// room makes room for so many pairs.
func (p *pairing) room(n int) {
	if n <= len(p.a) {
		return
	}
	n = max(n, pairsAtOnce+n/2)
	for _, s := range []*[]int32{&p.a, &p.b, &p.counts, &p.at, &p.kept} {
		*s = slices.Grow(*s, n-len(*s))[:n]
	}
	for _, s := range []*[]uint64{&p.sums, &p.more} {
		*s = slices.Grow(*s, n-len(*s))[:n]
	}
}

// budget takes so many pairs more in, of which the first class is given, and notes
// where the budget of a set is that beats a score.
func (p *pairing) budget(w *walker, first int32, pairs int, score float64) {
	row, place := int32(w.budgets.row(score)), w.budgets.place
	from, to := p.n, p.n+pairs
	a, at, b, counts := p.a[from:to], p.at[from:to], p.b[from:to], p.counts[from:to]
	for i := range a {
		a[i], at[i] = first, row+p.stake[b[i]]+int32(place[counts[i]])
	}
	if p.wide[first] {
		for i := range a {
			if p.wide[b[i]] {
				at[i] = boundless
			}
		}
	}
	p.n = to
}

// weigh adds up what is expected of the pairs, as far as some rows tell.
func (p *pairing) weigh(sums []uint64, rows popcount.Slab, rate []uint64) {
	whole := (p.n + popcount.PairBlock - 1) / popcount.PairBlock * popcount.PairBlock
	clear(p.a[p.n:whole])
	clear(p.b[p.n:whole])
	popcount.WeighPairs(sums[:whole], rate, rows, p.a[:whole], p.b[:whole])
}

// spare leaves only the pairs of which no more is expected than their budgets, as far as
// these are known.
func (p *pairing) spare(budgets []uint64) {
	n, at, kept := 0, p.at[:p.n], p.kept[:p.n]
	for i, sum := range p.sums[:p.n] {
		kept[n] = int32(i)
		if sum <= budgets[at[i]] {
			n++
		}
	}
	for to, from := range kept[:n] {
		p.a[to], p.b[to], p.counts[to], p.at[to], p.sums[to] = p.a[from], p.b[from], p.counts[from], p.at[from], p.sums[from]
	}
	p.n = n
}
