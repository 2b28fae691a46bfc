package interaction

import (
	"cmp"
	"context"
	"math"
	"slices"
)

const (
	// keepBest is how many sets of a round are verified on all rows at most.
	keepBest = 200
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
	keep  int
	list  []candidate
	worst float64 // the score that another one must beat
}

func (l *shortlist) reset() { l.list, l.worst = nil, 0 }

func (l *shortlist) offer(set []int32, score float64) {
	if score <= l.worst {
		return
	}
	set = slices.Clone(set)
	slices.Sort(set)
	l.list = append(l.list, candidate{set, score})
	if len(l.list) >= 2*l.keep {
		l.trim()
		l.worst = l.list[l.keep-1].score
	}
}

func (l *shortlist) trim() {
	slices.SortFunc(l.list, compareCandidates)
	l.list = l.list[:min(len(l.list), l.keep)]
}

// A search finds the sets of classes that explain most of the failures that
// are alive, on a sample.
type search struct {
	ctx      context.Context
	fails    *board
	oks      *board
	rate     []float64 // share of failures by band
	surprise []float64 // minus its logarithm
	failUnit float64   // observations that a failure on the board stands for
	okUnit   float64   // and a success
	classes  *classes
	order    int
	least    int64     // failures on the board that a set must cover
	price    float64   // of one more element, in deviance
	limit    []float64 // by order: the p that sets of so many elements or more must reach
	f, n     float64   // failures and all, in counts of the sample
	best     shortlist
	pure     shortlist // of sets that nearly always fail
	floor    float64   // the score that a set must beat to count at all
	dense    bool      // failures are common, so that pure sets are looked for
	nodes    int
	cut      bool
	prefix   []int32
	fmasks   [][]uint64 // by depth
	omasks   [][]uint64
	spare    []uint64
	spareOK  []uint64
	counted  []tally // of prefixes, by depth
	searched []int32 // classes in the order of the search
	nested   []bool  // by pair of classes: one has all rows of the other
}

// A tally is what a set counts on the boards.
type tally struct{ failed, ok int64 }

// run fills the shortlists, best first.
func (s *search) run() {
	s.prepare()
	if s.f == 0 || s.n <= s.f {
		return
	}
	type single struct {
		k     int32
		score float64
	}
	var singles []single
	for k := range s.classes.list {
		if s.classes.list[k].context != varies {
			continue
		}
		a, ea := s.fails.and(s.spare, s.fails.alive, s.fails.class[k], s.rate)
		if a < s.least {
			continue
		}
		b, eb := s.oks.and(s.spareOK, s.oks.alive, s.oks.class[k], s.rate)
		singles = append(singles, single{int32(k), deviance(float64(a), ea[0]+eb[0], float64(a+b), s.f, s.n)})
	}
	slices.SortFunc(singles, func(x, y single) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.k, y.k))
	})
	s.searched = s.searched[:0]
	for _, x := range singles {
		s.searched = append(s.searched, x.k)
	}
	copy(s.fmasks[0], s.fails.alive)
	copy(s.omasks[0], s.oks.alive)
	s.nest()
	s.descend(0, s.searched)
	s.best.trim()
	s.pure.trim()
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
	s.nodes, s.cut = 0, false
	// What the classes ask for is in failures of the table, a count on the board
	// stands for many of them.
	s.least = max(1, int64(float64(s.classes.least)/s.failUnit))
	s.best.keep, s.pure.keep = keepBest, keepBest
	s.best.reset()
	s.pure.reset()
	s.best.worst = s.floor
	s.fmasks = growRows(s.fmasks, s.order+1, s.fails.words)
	s.omasks = growRows(s.omasks, s.order+1, s.oks.words)
	s.spare = grow(s.spare, s.fails.words)
	s.spareOK = grow(s.spareOK, s.oks.words)
	s.counted = grow(s.counted, s.order+1)
	fs, bs := s.fails.sums(s.fails.alive), s.oks.sums(s.oks.alive)
	s.rate, s.surprise = grow(s.rate, len(fs)), grow(s.surprise, len(fs))
	s.f, s.n = 0, 0
	for i := range fs {
		f, n := float64(fs[i]), float64(fs[i]+bs[i])
		s.f, s.n = s.f+f, s.n+n
		if n > 0 {
			s.rate[i] = f / n
		}
		if f > 0 {
			s.surprise[i] = -math.Log(s.rate[i])
		}
	}
	s.counted[0] = tally{int64(s.f), int64(s.n - s.f)}
}

// descend tries each class of rest after the prefix of the given depth.
func (s *search) descend(depth int, rest []int32) {
	for i, k := range rest {
		if s.nodes++; s.nodes&1023 == 0 && (s.ctx.Err() != nil || s.nodes > mostNodes) {
			s.cut = true
		}
		if s.cut {
			return
		}
		if s.excluded(k) {
			continue
		}
		a, ea := s.fails.and(s.fmasks[depth+1], s.fmasks[depth], s.fails.class[k], s.rate, s.surprise)
		if a < s.least || s.hopeless(depth+1, float64(a), ea[0], ea[1]) {
			continue
		}
		b, eb := s.oks.and(s.omasks[depth+1], s.omasks[depth], s.oks.class[k], s.rate)
		now := tally{a, b}
		s.prefix = append(s.prefix, k)
		if s.counted[depth] != now { // else k adds nothing to the prefix
			s.offer(depth+1, now, ea[0]+eb[0])
			s.counted[depth+1] = now
			if depth+1 < s.order && b > 0 {
				s.descend(depth+1, rest[i+1:])
			}
		}
		s.prefix = s.prefix[:depth]
	}
}

// nest finds the pairs of classes of which one implies the other: no minimal
// generator has both.
func (s *search) nest() {
	n := len(s.classes.list)
	s.nested = grow(s.nested, n*n)
	for _, a := range s.searched {
		for _, b := range s.searched {
			if a != b && s.fails.implies(a, b) && s.oks.implies(a, b) {
				s.nested[int(a)*n+int(b)], s.nested[int(b)*n+int(a)] = true, true
			}
		}
	}
}

// excluded reports whether k has the same name as an element of the prefix, or
// goes without saying beside it.
func (s *search) excluded(k int32) bool {
	for _, p := range s.prefix {
		if s.classes.list[p].name == s.classes.list[k].name || s.nested[int(p)*len(s.classes.list)+int(k)] {
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
func (s *search) hopeless(k int, a, e, surprise float64) bool {
	if e >= a || math.Exp(-surprise*max(1, s.failUnit, s.okUnit)) > s.limit[k] {
		return true
	}
	bound := deviance(a, e, a, s.f, s.n) + 2*(surprise-term(a, e))
	worst := s.best.worst
	if s.dense {
		worst = min(worst, s.pure.worst)
	}
	return bound-s.price*float64(k) <= worst
}

// redundant reports whether the prefix has the same rows as it has without one
// of its elements but the last: it is then no minimal generator.
func (s *search) redundant(now tally) bool {
	if len(s.prefix) < 3 {
		return false // pairs that are nested are excluded
	}
	last := s.prefix[len(s.prefix)-1]
	for drop := range len(s.prefix) - 1 {
		if s.without(s.spare, s.fails, drop, last) == now.failed && s.without(s.spareOK, s.oks, drop, last) == now.ok {
			return true
		}
	}
	return false
}

// without counts the prefix less the element at drop.
func (s *search) without(dst []uint64, b *board, drop int, last int32) int64 {
	n, _ := b.and(dst, b.alive, b.class[last])
	for i, p := range s.prefix[:len(s.prefix)-1] {
		if i != drop {
			n, _ = b.and(dst, dst, b.class[p])
		}
	}
	return n
}

// offer puts the prefix on the shortlists that it is good enough for.
func (s *search) offer(k int, now tally, expected float64) {
	o := float64(now.failed)
	n := float64(now.failed + now.ok)
	score := deviance(o, expected, n, s.f, s.n) - s.price*float64(k)
	certain := s.dense && s.share(now) >= pure && score > s.pure.worst
	if !certain && score <= s.best.worst || s.redundant(now) {
		return
	}
	s.best.offer(s.prefix, score)
	if certain {
		s.pure.offer(s.prefix, score)
	}
}

// share is the share of the observations that failed, in the table as far as
// the sample tells: failures and successes are sampled apart.
func (s *search) share(now tally) float64 {
	f, ok := float64(now.failed)*s.failUnit, float64(now.ok)*s.okUnit
	return f / (f + ok)
}
