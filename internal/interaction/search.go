package interaction

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
)

const (
	// keepBest is how many sets of a round are verified on all rows at most.
	keepBest = 64
	// mostNodes bounds the search; beyond it the result says that it was cut
	// short. At 600 conditions and order 4 a search takes under a tenth of it.
	mostNodes = 8_000_000
)

// A candidate is a set of classes, ascending, and how it scored in the search.
type candidate struct {
	set   []int32
	score float64
}

func compareCandidates(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len(a.set), len(b.set)),
		slices.Compare(a.set, b.set))
}

// A shortlist keeps the best candidates that it is offered.
type shortlist struct {
	list  []candidate
	worst float64 // the score that another one must beat
}

// reset empties the list; another candidate must beat worst.
func (l *shortlist) reset(worst float64) { l.list, l.worst = l.list[:0], worst }

func (l *shortlist) offer(set []int32, score float64) {
	if score <= l.worst {
		return
	}
	set = slices.Clone(set)
	slices.Sort(set)
	l.list = append(l.list, candidate{set, score})
	if len(l.list) >= 2*keepBest {
		l.trim()
		l.worst = l.list[keepBest-1].score
	}
}

func (l *shortlist) trim() {
	slices.SortFunc(l.list, compareCandidates)
	l.list = l.list[:min(len(l.list), keepBest)]
}

// join adds what another list has, and raises the bar.
func (l *shortlist) join(o shortlist) {
	l.list = append(l.list, o.list...)
	slices.SortFunc(l.list, compareCandidates)
	l.list = slices.CompactFunc(l.list, func(a, b candidate) bool { return slices.Equal(a.set, b.set) })
	if len(l.list) >= keepBest {
		l.list = l.list[:keepBest]
		l.worst = l.list[keepBest-1].score
	}
}

// A search finds the sets of classes that explain most of the failures that
// are alive, on a sample.
type search struct {
	ctx      context.Context
	fails    *board
	oks      *board
	whole    bool      // the second board has the failures as well
	rate     []float64 // share of failures by band
	surprise []float64 // minus its logarithm
	failUnit float64   // observations that a failure on the board stands for
	okUnit   float64   // and a success
	classes  *classes
	order    int
	least    int64     // failures on the board that a set must cover
	price    []float64 // by order: of naming a set, in deviance
	limit    []float64 // by order: the logarithm of the p that sets of so many elements or more must reach
	f, n     float64   // failures and all, in counts of the sample
	floor    float64   // the score that a set must beat to count at all
	dense    bool      // failures are common, so that pure sets are looked for
	searched []int32   // classes in the order of the search
	singles  []single
	never    []bool // by pair of classes: no set has both
	walkers  [2]walker

	best shortlist
	pure shortlist // of sets that nearly always fail
	cut  bool
}

// A single is a class by itself, and how it scores.
type single struct {
	k     int32
	score float64
}

// A walker goes through a part of the sets of a search. Two of them go through
// all, each with shortlists of its own, so that what they find does not depend
// on which one is faster.
type walker struct {
	*search
	best, pure shortlist
	nodes      int
	cut        bool
	prefix     []int32
	fmasks     [][]uint64 // by depth
	omasks     [][]uint64
	spare      []uint64
	spareOK    []uint64
	counted    []tally // of prefixes, by depth
	// Of the classes that may follow the first one of a set, it takes every
	// stride-th from offset on.
	stride, offset int
}

// A tally is what a set counts on the boards.
type tally struct{ failed, ok int64 }

// run fills the shortlists, best first.
func (s *search) run() {
	s.prepare()
	if s.f == 0 || s.n <= s.f {
		return
	}
	w := &s.walkers[0]
	s.singles = s.singles[:0]
	for k := range s.classes.list {
		if s.classes.list[k].context != varies {
			continue
		}
		a, ea := s.fails.and(w.spare, s.fails.alive, s.fails.class[k], s.rate)
		if a < s.least {
			continue
		}
		b, eb := s.oks.and(w.spareOK, s.oks.alive, s.oks.class[k], s.rate)
		if s.whole {
			b, eb[0] = b-a, eb[0]-ea[0]
		}
		s.singles = append(s.singles, single{int32(k), deviance(float64(a), ea[0]+eb[0], float64(a+b), s.f, s.n)})
	}
	slices.SortFunc(s.singles, func(x, y single) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.k, y.k))
	})
	s.searched = s.searched[:0]
	for _, x := range s.singles {
		s.searched = append(s.searched, x.k)
	}
	s.pair()
	if len(s.searched) == 0 {
		return
	}
	// The best class first, by both: what they find there sets the bar for the
	// rest, most of which is then hopeless.
	s.together(func(w *walker, i int) {
		w.stride, w.offset = len(s.walkers), i
		w.visit(0, s.searched[0], s.searched[1:])
	})
	s.together(func(w *walker, i int) { w.stride, w.offset = 1, 0; w.walk(1 + i) })
}

// together lets each walker do its part, with the bar of all that was found
// before, and gathers what they find.
func (s *search) together(part func(w *walker, i int)) {
	var both sync.WaitGroup
	for i := range s.walkers {
		w := &s.walkers[i]
		w.best.reset(s.best.worst)
		w.pure.reset(s.pure.worst)
		both.Go(func() { part(w, i) })
	}
	both.Wait()
	for i := range s.walkers {
		w := &s.walkers[i]
		s.best.join(w.best)
		s.pure.join(w.pure)
		s.cut = s.cut || w.cut
	}
}

// walk goes through every second class of the search from the first on, with all
// that follow it. The best classes come first and have the most after them, so
// that two walkers have about as much to do.
func (w *walker) walk(first int) {
	for i := first; i < len(w.searched); i += len(w.walkers) {
		w.visit(0, w.searched[i], w.searched[i+1:])
	}
}

// reaches reports whether any set scores at least score.
func (s *search) reaches(score float64) bool {
	s.floor = score - 1e-9
	defer func() { s.floor = 0 }()
	s.dense = false
	s.run()
	return len(s.best.list) > 0
}

// prepare sizes the scratch memory and works out the rate of each band.
func (s *search) prepare() {
	s.cut = false
	// What the classes ask for is in failures of the table, a count on the board
	// stands for many of them.
	s.least = max(1, int64(float64(s.classes.least)/s.failUnit))
	s.best.reset(s.floor)
	s.pure.reset(0)
	fs, bs := s.fails.sums(s.fails.alive), s.oks.sums(s.oks.alive)
	s.rate, s.surprise = grow(s.rate, len(fs)), grow(s.surprise, len(fs))
	s.f, s.n = 0, 0
	for i := range fs {
		f, n := float64(fs[i]), float64(fs[i]+bs[i])
		if s.whole {
			n = float64(bs[i])
		}
		s.f, s.n = s.f+f, s.n+n
		if n > 0 {
			s.rate[i] = f / n
		}
		if f > 0 {
			s.surprise[i] = -math.Log(s.rate[i])
		}
	}
	for i := range s.walkers {
		s.walkers[i].prepare(s)
	}
}

// prepare sizes a walker's room.
func (w *walker) prepare(s *search) {
	w.search = s
	w.nodes, w.cut, w.prefix = 0, false, w.prefix[:0]
	w.fmasks = growRows(w.fmasks, s.order+1, s.fails.words)
	w.omasks = growRows(w.omasks, s.order+1, s.oks.words)
	w.spare, w.spareOK = grow(w.spare, s.fails.words), grow(w.spareOK, s.oks.words)
	w.counted = grow(w.counted, s.order+1)
	w.counted[0] = tally{int64(s.f), int64(s.n - s.f)}
	copy(w.fmasks[0], s.fails.alive)
	copy(w.omasks[0], s.oks.alive)
}

// visit tries class k after the prefix of the given depth, and then each class
// of rest after both.
func (w *walker) visit(depth int, k int32, rest []int32) {
	if w.nodes++; w.nodes&1023 == 0 && (w.ctx.Err() != nil || w.nodes > mostNodes/len(w.walkers)) {
		w.cut = true
	}
	if w.cut || w.excluded(k) {
		return
	}
	if !w.fails.atLeast(w.least, w.fmasks[depth], w.fails.class[k]) {
		return
	}
	a, ea := w.fails.and(w.fmasks[depth+1], w.fmasks[depth], w.fails.class[k], w.rate, w.surprise)
	if w.hopeless(depth+1, float64(a), ea[0], ea[1]) {
		return
	}
	b, eb := w.oks.and(w.omasks[depth+1], w.omasks[depth], w.oks.class[k], w.rate)
	if w.whole {
		b, eb[0] = b-a, eb[0]-ea[0]
	}
	now := tally{a, b}
	w.prefix = append(w.prefix, k)
	if w.counted[depth] != now { // else k adds nothing to the prefix
		w.offer(depth+1, now, ea[0]+eb[0])
		w.counted[depth+1] = now
		if depth+1 < w.order && b > 0 {
			from, step := 0, 1
			if depth == 0 {
				from, step = w.offset, w.stride
			}
			for i := from; i < len(rest); i += step {
				w.visit(depth+1, rest[i], rest[i+1:])
			}
		}
	}
	w.prefix = w.prefix[:depth]
}

// pair finds the pairs of classes that no set worth looking at has: of which one
// implies the other, so that no minimal generator has both, or which too few
// failures have. Any set with such a pair is then passed over at a glance.
func (s *search) pair() {
	n := len(s.classes.list)
	s.never = grow(s.never, n*n)
	for i, a := range s.searched {
		for _, b := range s.searched[:i] {
			if !s.fails.atLeast(s.least, s.fails.class[a], s.fails.class[b]) ||
				s.fails.implies(a, b) && s.oks.implies(a, b) || s.fails.implies(b, a) && s.oks.implies(b, a) {
				s.never[int(a)*n+int(b)], s.never[int(b)*n+int(a)] = true, true
			}
		}
	}
}

// excluded reports whether k has the same name as an element of the prefix, or
// never stands beside it.
func (w *walker) excluded(k int32) bool {
	for _, p := range w.prefix {
		if w.classes.list[p].name == w.classes.list[k].name || w.never[int(p)*len(w.classes.list)+int(k)] {
			return true
		}
	}
	return false
}

// hopeless reports whether no set of at least k elements that has only these a
// failures, e of which are expected, can matter: even one that keeps all of
// them and no success. Deviance is convex in both counts, so that this is its
// greatest value (Morishita and Sese 2000); where strata differ, what the
// failures alone can give is the sum of their surprise, and so is the least p.
//
// The limit is on p in the whole table, where the surprise is greater: a sum of
// a·ln(1+b/f), which grows no faster than both counts do, and so by the larger
// of the two units at most. The price is that of the sample: what does not stand
// out by it there is one of the many sets that do so by chance.
func (w *walker) hopeless(k int, a, e, surprise float64) bool {
	if e >= a || -surprise*max(1, w.failUnit, w.okUnit) > w.limit[k] {
		return true
	}
	bound := deviance(a, e, a, w.f, w.n) + 2*(surprise-term(a, e))
	worst := w.best.worst
	if w.dense {
		worst = min(worst, w.pure.worst)
	}
	return bound-w.price[k] <= worst
}

// redundant reports whether the prefix has the same rows as it has without one
// of its elements but the last: it is then no minimal generator.
func (w *walker) redundant(now tally) bool {
	if len(w.prefix) < 3 {
		return false // pairs that are nested are excluded
	}
	ok := now.ok
	if w.whole {
		ok += now.failed
	}
	last := w.prefix[len(w.prefix)-1]
	for drop := range len(w.prefix) - 1 {
		if w.without(w.spare, w.fails, drop, last) == now.failed && w.without(w.spareOK, w.oks, drop, last) == ok {
			return true
		}
	}
	return false
}

// without counts the prefix less the element at drop.
func (w *walker) without(dst []uint64, b *board, drop int, last int32) int64 {
	n, _ := b.and(dst, b.alive, b.class[last])
	for i, p := range w.prefix[:len(w.prefix)-1] {
		if i != drop {
			n, _ = b.and(dst, dst, b.class[p])
		}
	}
	return n
}

// offer puts the prefix on the shortlists that it is good enough for.
func (w *walker) offer(k int, now tally, expected float64) {
	o := float64(now.failed)
	n := float64(now.failed + now.ok)
	score := deviance(o, expected, n, w.f, w.n) - w.price[k]
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
