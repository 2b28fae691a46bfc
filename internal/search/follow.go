package search

import "math"

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
// which the failures that have both tell: they are few, and most pairs end here. It
// works in the room of dst.
func (w *walker) follow(dst []follower, rest []follower) []follower {
	dst = dst[:0]
	depth := len(w.prefix)
	if !w.ahead(len(rest)) {
		return dst
	}
	if least := w.least.Of(depth + 1); depth > 1 && w.narrow {
		w.take(least)
	} else {
		w.pass(rest)
		w.fails.each(w.counts, w.failures(depth), w.some)
		w.keep(least)
	}
	if depth+1 == w.order {
		w.glance()
		for i, k := range w.some {
			dst = append(dst, follower{k: k, failed: int64(w.counts[i]), atMost: math.Inf(1)})
		}
		return dst
	}
	dst = w.promising(dst)
	if depth == 1 && w.narrow {
		w.within(dst)
	}
	if w.glance() {
		all := w.levels[depth].counted.failed
		for i := range dst {
			dst[i].hopeless = dst[i].failed < all
		}
		for _, place := range w.places {
			dst[place].hopeless = false
		}
	}
	if depth > 0 && w.narrow {
		w.followed(dst)
	}
	return dst
}

// promising appends those of the classes taken up that sets with more elements may have,
// too, and leaves the others out.
func (w *walker) promising(dst []follower) []follower {
	depth := len(w.prefix)
	if w.certain() {
		for i, k := range w.some {
			dst = append(dst, follower{k: k, failed: int64(w.counts[i]), atMost: math.Inf(1)})
		}
		return dst
	}
	fails, g := w.failures(depth), &w.on(depth).fails
	if depth == 1 {
		g = &w.everything.fails // what is inside is not laid out yet
	}
	rows := w.rowsOf(g)
	g.weighEach(w.sums, g.surprise, fails, rows)
	bar, n := w.bar(), 0
	for i, k := range w.some {
		c := w.counts[i]
		f := follower{k: k, failed: int64(c)}
		f.atMost = w.atMost(depth+1, w.dear(k), float64(c), float64(w.sums[i])*surpriseUnit)
		if f.atMost > bar {
			dst = append(dst, f)
			w.some[n], w.counts[n] = k, c
			n++
		}
	}
	w.some, w.counts = w.some[:n], w.counts[:n]
	return dst
}

// rowsOf are the rows of the classes taken up.
func (w *walker) rowsOf(g *ground) []int32 {
	rows := w.rows[:len(w.some)]
	for i, k := range w.some {
		rows[i] = g.row[k]
	}
	return rows
}

// sure is the part of what failures usually surprise by that they are taken to, where
// only work is saved by knowing more.
const sure = 0.75

// certain reports whether sets with all classes taken up are so promising already by
// how many failures they have that there is no need to add up how much each of them
// surprises: sets with more elements may score unless many surprise far less than usual.
func (w *walker) certain() bool {
	depth, usual := len(w.prefix), sure*w.usual
	for i, k := range w.some {
		failed, dear := float64(w.counts[i]), w.dear(k)
		if w.unlikely(depth+1, dear, failed*w.lowest) || 2*failed*usual-w.cheapest[depth+1]-dear <= w.bar() {
			return false
		}
	}
	return true
}

// ahead counts that so many classes are looked at, and reports whether the search
// may go on.
func (w *walker) ahead(n int) bool {
	before := w.nodes
	w.nodes += n
	if w.nodes>>10 != before>>10 && (w.ctx.Err() != nil || w.nodes > Most/len(w.walkers)) {
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
		beside := w.beside.At(w.place[w.prefix[len(w.prefix)-1]])
		for i := range rest {
			k := rest[i].k
			at := w.place[k]
			some[n] = k
			n += int(beside[at/64] >> (at % 64) & 1)
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

// glance leaves of the classes taken up only those of which a set with the prefix may
// beat the bar, as far as the first words of the other board tell, and their places
// among what was taken up. It reports whether it looked.
func (w *walker) glance() bool {
	depth := len(w.prefix)
	g := &w.on(depth).oks
	if depth == 0 || !g.single() || len(w.some) == 0 {
		return false
	}
	l := w.lay(depth)
	g.weighEach(w.sums, g.rate[:min(len(g.rate), glanceWords)], l.oks, w.rowsOf(g))
	w.places = w.places[:len(w.some)]
	for i := range w.places {
		w.places[i] = int32(i)
	}
	if w.wide(l) || !w.fails.single() {
		w.affordable(l)
		return true
	}
	first, n := w.budgets.row(w.bar()+w.price[depth+1]+l.dear), 0
	table, place, stake := w.budgets.table, w.budgets.place, w.budgets.stake
	for i, k := range w.some {
		c := w.counts[i]
		w.some[n], w.counts[n], w.sums[n], w.places[n] = k, c, w.sums[i], w.places[i]
		if w.sums[n] <= table[first+int(stake[k])+int(place[c])] {
			n++
		}
	}
	w.some, w.counts, w.places = w.some[:n], w.counts[:n], w.places[:n]
	w.affordable(l) // of some the budget was not known
	return true
}

// affordable leaves only the classes of which no more failures are expected with the
// prefix than allowed.
func (w *walker) affordable(l *level) {
	n := 0
	for i, k := range w.some {
		c := w.counts[i]
		w.some[n], w.counts[n], w.places[n] = k, c, w.places[i]
		if w.sums[i] <= w.allowed(l, k, int64(c)) {
			n++
		}
	}
	w.some, w.counts, w.places = w.some[:n], w.counts[:n], w.places[:n]
}

// atMost bounds the score of sets of k elements or more, of which the first are so
// dear, that have only a failures: that of one that keeps all of them and no success.
// Deviance is convex in both counts, so that this is its greatest value (Morishita and
// Sese 2000); where strata differ, what the failures alone can give is the sum of their
// surprise, and so is the least p.
// The price is that of the sample: what does not stand out by it there is one of
// the many sets that do so by chance.
func (w *walker) atMost(k int, dear, a, surprise float64) float64 {
	if w.unlikely(k, dear, surprise) {
		return math.Inf(-1)
	}
	// The deviance of such a set is twice that surprise, and what the other failures and
	// the successes give, of which there are a fewer and more than expected at most:
	// together no more than this, which needs no logarithm.
	fails, oks := w.f-a, w.n-w.f
	if oks-a < 1 {
		return math.Inf(1)
	}
	return 2*surprise + min(2*a, a*a/fails) + a*a/(oks-a) - w.cheapest[k] - dear
}
