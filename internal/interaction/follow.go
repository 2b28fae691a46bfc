package interaction

import (
	"math"

	"example.test/eddy/internal/popcount"
)

// A follower is a class after a prefix: what both count among the failures, and
// the most that a set with both can score. Hopeless says that just the two score too
// little, and that the class adds something to the prefix.
type follower struct {
	k        int32
	hopeless bool
	failed   int64
	atMost   float64
}

// follow returns those of some classes that are worth looking at after the prefix,
// which the failures that have both tell: they are few, and most pairs end here.
func (w *walker) follow(dst []follower, rest []follower) []follower {
	depth := len(w.prefix)
	if !w.ahead(len(rest)) {
		return dst
	}
	w.pass(rest)
	fails := w.levels[depth].fails
	w.fails.each(w.counts, fails, w.some)
	w.keep(w.least.of(depth + 1))
	if depth+1 == w.order {
		w.hope()
		for i, k := range w.some {
			dst = append(dst, follower{k: k, failed: int64(w.counts[i]), atMost: math.Inf(1)})
		}
		return dst
	}
	w.fails.weighEach(w.sums, w.failRate, fails, w.some)
	w.fails.weighEach(w.others, w.failSurprise, fails, w.some)
	begin, bar, n := len(dst), w.bar(), 0
	for i, k := range w.some {
		c := w.counts[i]
		f := follower{k: k, failed: int64(c)}
		f.atMost = w.atMost(depth+1, w.dear(k), float64(c), float64(w.sums[i])*rateUnit, float64(w.others[i])*surpriseUnit)
		if f.atMost > bar {
			dst = append(dst, f)
			w.some[n], w.counts[n] = k, c
			n++
		}
	}
	w.some, w.counts = w.some[:n], w.counts[:n]
	if base := w.glance(); base != nil {
		for i := range dst[begin:] {
			f := &dst[begin+i]
			f.hopeless = w.sums[i] > w.allowed(base, f.k, f.failed) && f.failed < base.counted.failed
		}
	}
	return dst
}

// ahead counts that so many classes are looked at, and reports whether the search
// may go on.
func (w *walker) ahead(n int) bool {
	before := w.nodes
	w.nodes += n
	if w.nodes>>10 != before>>10 && (w.ctx.Err() != nil || w.nodes > mostNodes/len(w.walkers)) {
		w.cut = true
	}
	return !w.cut
}

// pass takes up those of some classes that a set may have beside the last one of the
// prefix; of the others this was asked before.
//
// Here and below what is not wanted is overwritten by the next: a branch would be one
// that no processor can foresee.
func (w *walker) pass(rest []follower) {
	n, some := 0, w.some[:len(rest)]
	if len(w.prefix) == 0 {
		for i := range rest {
			some[i] = rest[i].k
		}
		n = len(rest)
	} else {
		all := len(w.classes.list)
		beside := w.beside[int(w.prefix[len(w.prefix)-1])*all:][:all]
		for i := range rest {
			k := rest[i].k
			some[n] = k
			n += int(beside[k])
		}
	}
	w.some, w.counts = some[:n], w.counts[:n]
}

// keep leaves only the classes taken up that count least.
func (w *walker) keep(least int64) {
	n := 0
	for i, c := range w.counts {
		w.some[n], w.counts[n] = w.some[i], c
		if int64(c) >= least {
			n++
		}
	}
	w.some, w.counts = w.some[:n], w.counts[:n]
}

// glanceWords is how many words of the other board are looked at of all classes that
// may follow together, before each is counted by itself: most turn out to be hopeless.
const glanceWords = 64

// glance adds up what the first words of the other board tell of a set with the prefix
// and each of the classes taken up. It returns a level that such sets are parts of, or
// nil if it did not look.
func (w *walker) glance() *level {
	depth := len(w.prefix)
	if depth == 0 || !w.oks.single() || w.oks.words < glanceWords || len(w.some) == 0 {
		return nil
	}
	base := &w.levels[depth]
	if depth+1 < w.order {
		w.lay(depth)
	}
	x := base.oks[:glanceWords]
	if !base.laid {
		base, x = w.lay(depth-1), w.first[:]
		popcount.And(x, base.oks[:glanceWords], w.oks.class[w.prefix[depth-1]][:glanceWords])
	}
	w.oks.weighEach(w.sums, w.okRate, x, w.some)
	return base
}

// hope leaves only the classes of which a set with the prefix may beat the bar, as far
// as a glance tells.
func (w *walker) hope() {
	base := w.glance()
	if base == nil {
		return
	}
	n := 0
	for i, k := range w.some {
		c := w.counts[i]
		w.some[n], w.counts[n] = k, c
		if w.sums[i] <= w.allowed(base, k, int64(c)) {
			n++
		}
	}
	w.some, w.counts = w.some[:n], w.counts[:n]
}

// atMost bounds the score of sets of k elements or more, of which the first are so
// dear, that have only a failures, of which e were expected: that of one that keeps
// all of them and no success. Deviance is convex in both counts, so that this is its
// greatest value (Morishita and Sese 2000); where strata differ, what the failures
// alone can give is the sum of their surprise, and so is the least p.
// The price is that of the sample: what does not stand out by it there is one of
// the many sets that do so by chance.
func (w *walker) atMost(k int, dear, a, e, surprise float64) float64 {
	if e >= a || w.unlikely(k, dear, surprise) {
		return math.Inf(-1)
	}
	// The deviance of such a set is twice that surprise, and what the other failures and
	// the successes give, of which there are d fewer and more than expected: together
	// no more than this, which needs no logarithm.
	d, fails, oks := a-e, w.f-a, w.n-w.f
	if oks-d < 1 {
		return math.Inf(1)
	}
	return 2*surprise + min(2*d, d*d/fails) + d*d/(oks-d) - w.cheapest[k] - dear
}
