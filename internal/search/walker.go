package search

import "example.test/eddy/internal/reuse"

// A walker goes through a part of the sets of a search. Two of them go through
// all, each with shortlists of its own, so that what they find does not depend
// on which one is faster.
type walker struct {
	*Search
	best, pure shortlist
	next       shortlist
	nodes      int
	cut        bool
	prefix     []int32
	levels     []level // by how many elements the prefix has
	inside     inside
	pairing    pairing
	spare      []uint64
	spareOK    []uint64
	budgets    budgets
	// Room for what is counted of several classes at once, for all that there are.
	some, counts, rows, places []int32
	sums                       []uint64
	// Of the classes that may follow the first one of a set, it takes every
	// stride-th from offset on.
	stride, offset int
}

// spareLanes is how much more room than there are lanes popcount wants.
const spareLanes = 8

// A level is what a walker knows of its prefix.
type level struct {
	fails           []uint64 // the failures that have it, once laid
	oks             []uint64 // and the entries of the other board, once they are
	failsLaid, laid bool
	part            []uint64   // the failures once more, as inside.lanes has them
	after           []uint64   // the lanes that may follow it
	counted         tally      // ok only once laid
	dear            float64    // what it costs for naming rare conditions
	follows         bool       // it has what follows from failures
	rest            []follower // classes that may follow it
}

// A tally is what a set counts on the boards.
type tally struct{ failed, ok int64 }

// prepare sizes a walker's room.
func (w *walker) prepare(s *Search) {
	w.Search = s
	w.nodes, w.cut, w.prefix = 0, false, w.prefix[:0]
	for len(w.levels) <= s.order {
		w.levels = append(w.levels, level{})
	}
	for i := range w.levels {
		l := &w.levels[i]
		l.fails, l.oks = reuse.Clear(l.fails, s.fails.words), reuse.Clear(l.oks, s.oks.words)
	}
	w.spare, w.spareOK = reuse.Clear(w.spare, s.fails.words), reuse.Clear(w.spareOK, s.oks.words)
	top := &w.levels[0]
	top.counted, top.laid, top.failsLaid = tally{int64(s.f), int64(s.n - s.f)}, true, true
	copy(top.fails, s.fails.alive)
	copy(top.oks, s.oks.alive)
	w.budgets.reset(s)
	n := len(s.classes.List)
	w.some, w.counts, w.places = reuse.Clear(w.some, n+spareLanes), reuse.Clear(w.counts, n+spareLanes), reuse.Clear(w.places, n)
	w.rows = reuse.Clear(w.rows, n)
	for _, g := range []*ground{&w.inside.fails, &w.inside.oks} {
		if g.Board == nil {
			g.Board = &Board{}
		}
		g.row = reuse.Clear(g.row, n)
	}
	w.sums = reuse.Clear(w.sums, n)
}

// begin goes through the sets whose first class is the one at first, and whose
// next is every stride-th of those after it from offset on.
func (w *walker) begin(first, offset, stride int) {
	w.offset, w.stride = offset, stride
	top := &w.levels[0]
	top.rest = top.rest[:0]
	for _, k := range w.searched[first:] {
		top.rest = append(top.rest, follower{k: k})
	}
	var one [1]follower
	for _, f := range w.follow(one[:0], top.rest[:1]) {
		w.enter(f, top.rest[1:])
	}
}

// allowed is how many failures may be expected, in units of the rate, of a set with
// one element more than the prefix at level l, class k, that has failed of them, for it
// to beat the bar.
func (w *walker) allowed(l *level, k int32, failed int64) uint64 {
	if w.many(min(l.counted.failed+l.counted.ok, w.size[k])) {
		return none // the score need not fall as more are expected
	}
	return w.budgets.most(w.bar()+w.price[len(w.prefix)+1]+l.dear, k, failed)
}

// wide reports whether a set with one element more than the prefix at level l may have
// more than half of the successes.
func (w *walker) wide(l *level) bool { return w.many(l.counted.failed + l.counted.ok) }

// many reports whether what counts so much is more than half of what succeeded.
func (s *Search) many(n int64) bool { return 2*float64(n) > s.n-s.f }

// dear is what a set costs for naming rare conditions that is the prefix and class k.
func (w *walker) dear(k int32) float64 {
	return w.levels[len(w.prefix)].dear + w.classes.List[k].Dear
}

// unlikely reports whether no set of k elements or more, of which the first are so
// dear, and whose failures have so much surprise, can reach the limit on p. That is
// one in the whole table, where the surprise is greater: a sum of a·ln(1+b/f), which
// grows no faster than both counts do, and so by the larger of the two units at most.
func (w *walker) unlikely(k int, dear, surprise float64) bool {
	return -surprise*max(1, w.failUnit, w.okUnit) > w.limit[k]-dear/2
}

// bar is the score that a set with the prefix must beat to be on a shortlist.
func (w *walker) bar() float64 {
	switch {
	case w.dense:
		return min(w.best.worst, w.pure.worst)
	case w.apart && !w.levels[len(w.prefix)].follows:
		return min(w.best.worst, w.next.worst)
	}
	return w.best.worst
}

// open scores the prefix with f after it, and reports whether more may follow both.
func (w *walker) open(f follower) bool {
	depth := len(w.prefix)
	return !w.cut && f.atMost > w.bar() && (f.hopeless || w.score(f)) && depth+1 < w.order && f.failed >= w.least.Of(depth+2)
}

// push makes f the last element of the prefix.
func (w *walker) push(f follower) *level {
	depth := len(w.prefix)
	next := &w.levels[depth+1]
	next.laid, next.failsLaid, next.counted.failed = false, false, f.failed
	next.dear = w.levels[depth].dear + w.classes.List[f.k].Dear
	next.follows = w.levels[depth].follows || w.classes.List[f.k].Follows
	w.prefix = append(w.prefix, f.k)
	return next
}

// enter scores the prefix with f after it, and goes on with what may follow both,
// which is some of what may follow the prefix.
func (w *walker) enter(f follower, rest []follower) {
	if !w.open(f) {
		return
	}
	depth := len(w.prefix)
	next := w.push(f)
	next.rest = w.follow(next.rest, rest)
	from, step := 0, 1
	if depth == 0 {
		from, step = w.offset, w.stride
	}
	if w.narrow && depth+3 == w.order {
		w.finish(next.rest, from, step)
	} else {
		for i := from; i < len(next.rest); i += step {
			w.enter(next.rest[i], next.rest[i+1:])
		}
	}
	w.prefix = w.prefix[:depth]
}

// lay makes sure that the bits of the prefix's first elements on the second board
// have been made.
func (w *walker) lay(depth int) *level {
	l := &w.levels[depth]
	if !l.laid {
		above := w.lay(depth - 1)
		g := &w.on(depth - 1).oks
		l.counted.ok = g.and(l.oks[:g.words], above.oks, g.of(w.prefix[depth-1]))
		if w.whole {
			l.counted.ok -= l.counted.failed
		}
		l.laid = true
	}
	return l
}

// failures returns the failures that have the prefix's first elements.
func (w *walker) failures(depth int) []uint64 {
	l := &w.levels[depth]
	if !l.failsLaid {
		g := &w.on(depth - 1).fails
		g.and(l.fails[:g.words], w.failures(depth-1), g.of(w.prefix[depth-1]))
		l.failsLaid = true
	}
	return l.fails
}
