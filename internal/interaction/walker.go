package interaction

import "math"

// A walker goes through a part of the sets of a search. Two of them go through
// all, each with shortlists of its own, so that what they find does not depend
// on which one is faster.
type walker struct {
	*search
	best, pure shortlist
	nodes      int
	cut        bool
	prefix     []int32
	levels     []level // by how many elements the prefix has
	spare      []uint64
	spareOK    []uint64
	budgets    budgets
	// Room for what is counted of several classes at once, for all that there are.
	some, counts []int32
	sums, others []uint64
	first        [glanceWords]uint64
	// Of the classes that may follow the first one of a set, it takes every
	// stride-th from offset on.
	stride, offset int
}

// A level is what a walker knows of its prefix.
type level struct {
	fails   []uint64 // the failures that have it
	oks     []uint64 // and the entries of the other board, once laid
	laid    bool
	counted tally      // ok only once laid
	dear    float64    // what it costs for naming rare conditions
	rest    []follower // classes that may follow it
}

// A tally is what a set counts on the boards.
type tally struct{ failed, ok int64 }

// prepare sizes a walker's room.
func (w *walker) prepare(s *search) {
	w.search = s
	w.nodes, w.cut, w.prefix = 0, false, w.prefix[:0]
	for len(w.levels) <= s.order {
		w.levels = append(w.levels, level{})
	}
	for i := range w.levels {
		l := &w.levels[i]
		l.fails, l.oks = grow(l.fails, s.fails.words), grow(l.oks, s.oks.words)
	}
	w.spare, w.spareOK = grow(w.spare, s.fails.words), grow(w.spareOK, s.oks.words)
	top := &w.levels[0]
	top.counted, top.laid = tally{int64(s.f), int64(s.n - s.f)}, true
	copy(top.fails, s.fails.alive)
	copy(top.oks, s.oks.alive)
	w.budgets = budgets{}
	n := len(s.classes.list)
	w.some, w.counts, w.sums, w.others = grow(w.some, n), grow(w.counts, n), grow(w.sums, n), grow(w.others, n)
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
// one element more than the prefix, class k, that has failed of them, for it to beat
// the bar; the set is a part of what is counted at level l.
func (w *walker) allowed(l *level, k int32, failed int64) uint64 {
	if most := min(l.counted.failed+l.counted.ok, w.size[k]); 2*float64(most) > w.n-w.f {
		return none // the score need not fall as more are expected
	}
	return w.budget(len(w.prefix)+1, w.dear(k), failed)
}

// dear is what a set costs for naming rare conditions that is the prefix and class k.
func (w *walker) dear(k int32) float64 {
	return w.levels[len(w.prefix)].dear + w.classes.list[k].dear
}

// surprised is how surprising the failures in both x and y are together.
func (w *walker) surprised(x, y []uint64) float64 {
	_, sum := w.fails.weigh(w.failSurprise, x, y, y, none)
	return float64(sum) * surpriseUnit
}

// unlikely reports whether no set of k elements or more, of which the first are so
// dear, and whose failures have so much surprise, can reach the limit on p. That is
// one in the whole table, where the surprise is greater: a sum of a·ln(1+b/f), which
// grows no faster than both counts do, and so by the larger of the two units at most.
func (w *walker) unlikely(k int, dear, surprise float64) bool {
	return -surprise*max(1, w.failUnit, w.okUnit) > w.limit[k]-dear/2
}

// bar is the score that a set must beat to be on a shortlist.
func (w *walker) bar() float64 {
	if w.dense {
		return min(w.best.worst, w.pure.worst)
	}
	return w.best.worst
}

// enter scores the prefix with f after it, and goes on with what may follow both,
// which is some of what may follow the prefix.
func (w *walker) enter(f follower, rest []follower) {
	depth := len(w.prefix)
	if w.cut || f.atMost <= w.bar() || !f.hopeless && !w.score(f) || depth+1 == w.order || f.failed < w.least.of(depth+2) {
		return
	}
	l, next := &w.levels[depth], &w.levels[depth+1]
	w.prefix = append(w.prefix, f.k)
	defer func() { w.prefix = w.prefix[:depth] }()
	next.laid, next.counted.failed = false, f.failed
	next.dear = l.dear + w.classes.list[f.k].dear
	w.fails.and(next.fails, l.fails, w.fails.class[f.k])
	next.rest = w.follow(next.rest[:0], rest)
	from, step := 0, 1
	if depth == 0 {
		from, step = w.offset, w.stride
	}
	for i := from; i < len(next.rest); i += step {
		w.enter(next.rest[i], next.rest[i+1:])
	}
}

// score puts the prefix with f after it on the shortlists that it is good enough
// for, and reports whether a set with more elements may be better: not if f adds
// nothing to the prefix, or if only failures have both.
func (w *walker) score(f follower) bool {
	depth := len(w.prefix)
	l := &w.levels[depth]
	// The bits of a prefix that few follow cost more than doing without them: then
	// it is counted as what is before its last element, and that.
	class := w.oks.class[f.k]
	base, extra := l, class
	last := depth+1 == w.order
	if last && !l.laid && w.oks.single() {
		base, extra = w.lay(depth-1), w.oks.class[w.prefix[depth-1]]
	} else {
		w.lay(depth)
	}
	limit := uint64(none)
	same := !last && f.failed == l.counted.failed
	if !same {
		limit = w.allowed(base, f.k, f.failed)
	}
	b, e := w.oks.weigh(w.okRate, base.oks, class, extra, limit)
	if e <= limit && !w.whole {
		fails := w.fails.class[f.k]
		_, own := w.fails.weigh(w.failRate, l.fails, fails, fails, none)
		e += own
	}
	if e > limit {
		return true
	}
	if w.whole {
		b -= f.failed
	}
	if same && b == l.counted.ok {
		return false
	}
	if last && w.unlikely(depth+1, w.dear(f.k), w.surprised(l.fails, w.fails.class[f.k])) {
		return true // of shorter sets it was asked before
	}
	w.prefix = append(w.prefix, f.k)
	w.offer(tally{f.failed, b}, float64(e)*rateUnit)
	w.prefix = w.prefix[:depth]
	return b > 0
}

// lay makes sure that the bits of the prefix's first elements on the second board
// have been made.
func (w *walker) lay(depth int) *level {
	l := &w.levels[depth]
	if !l.laid {
		above := w.lay(depth - 1)
		l.counted.ok = w.oks.and(l.oks, above.oks, w.oks.class[w.prefix[depth-1]])
		if w.whole {
			l.counted.ok -= l.counted.failed
		}
		l.laid = true
	}
	return l
}

// A budget is how many failures may be expected of a set with so many, in units of
// the rate, for it to beat the bar; one that is so dear, in whole steps of deviance.
type budget struct {
	failed, dear int64
	most         uint64
}

// budgets are those that were worked out, by order; for a bar that may since have
// become a little higher.
type budgets struct {
	bar float64
	by  [mostElements][1 << 10]budget
}

// budget returns how many failures, in units of the rate, may be expected of a set of
// k elements, so dear, which has failed of them, for its score to beat the bar. Above
// it the set need not be counted to the end.
//
// The score falls as more are expected. With as many expected it falls as the set
// has more observations, so long as it has no more than half of the successes;
// and it has as many at least as give what is expected at the highest rate.
func (w *walker) budget(k int, dear float64, failed int64) uint64 {
	bar := w.bar()
	if bar < w.budgets.bar || bar > w.budgets.bar+2 {
		w.budgets = budgets{bar: bar}
	}
	steps := int64(dear)
	b := &w.budgets.by[k][(failed+97*steps)%int64(len(w.budgets.by[k]))]
	if b.failed != failed || b.dear != steps {
		*b = budget{failed, steps, w.afford(k, float64(failed), bar+float64(steps))}
	}
	return b.most
}

// afford works a budget out.
func (w *walker) afford(k int, a, bar float64) uint64 {
	low, high := 0.0, a
	for range 8 { // as close as this is close enough
		e := (low + high) / 2
		if deviance(a, e, max(a, e/w.highest), w.f, w.n) > bar+w.price[k] {
			low = e
		} else {
			high = e
		}
	}
	return uint64(math.Ceil(high / rateUnit))
}

// redundant reports whether the prefix has the same rows as it has without one
// of its elements: it is then no minimal generator.
func (w *walker) redundant(now tally) bool {
	if len(w.prefix) < 3 {
		return false // pairs that are nested are excluded
	}
	ok := now.ok
	if w.whole {
		ok += now.failed
	}
	for drop := range w.prefix {
		if w.lacking(w.spare, w.fails, drop) == now.failed && w.lacking(w.spareOK, w.oks, drop) == ok {
			return true
		}
	}
	return false
}

// lacking counts the prefix less the element at drop.
func (w *walker) lacking(dst []uint64, b *board, drop int) (n int64) {
	copy(dst, b.alive)
	for i, p := range w.prefix {
		if i != drop {
			n = b.and(dst, dst, b.class[p])
		}
	}
	return n
}

// offer puts the prefix on the shortlists that it is good enough for.
func (w *walker) offer(now tally, expected float64) {
	o := float64(now.failed)
	n := float64(now.failed + now.ok)
	score := deviance(o, expected, n, w.f, w.n) - w.price[len(w.prefix)] - w.classes.dear(w.prefix)
	better := score > w.best.worst
	certain := w.dense && w.share(now) >= pure && score > w.pure.worst
	if !better && !certain || w.redundant(now) {
		return
	}
	if better {
		w.best.offer(w.prefix, score)
	}
	if certain {
		w.pure.offer(w.prefix, score)
	}
}

// share is the share of the observations that failed, in the table as far as
// the sample tells: failures and successes are sampled apart.
func (w *walker) share(now tally) float64 {
	f, ok := float64(now.failed)*w.failUnit, float64(now.ok)*w.okUnit
	return f / (f + ok)
}
