package search

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"example.test/eddy/internal/reuse"
)

// run fills the shortlists, best first.
func (s *Search) run() {
	s.prepare()
	if s.f == 0 || s.n <= s.f {
		return
	}
	s.singles, s.size = s.singles[:0], reuse.Clear(s.size, len(s.classes.List))
	clear(s.following)
	for k := range s.classes.List {
		if !s.classes.List[k].Alone {
			continue
		}
		fails, oks := s.fails.class[k], s.oks.class[k]
		a := s.fails.Common(fails, fails)
		if a < s.least.Least() {
			continue
		}
		b, e := s.oks.weigh(s.everything.oks.rate, oks, oks, oks, none)
		if s.whole {
			b -= a
		} else {
			_, own := s.fails.weigh(s.everything.fails.rate, fails, fails, fails, none)
			e += own
		}
		s.size[k] = a + b
		if s.classes.List[k].Follows {
			s.following[int32(k)] = counted{tally{a, b}, float64(e) * rateUnit}
		}
		s.singles = append(s.singles, single{int32(k), Deviance(float64(a), float64(e)*rateUnit, float64(a+b), s.f, s.n)})
	}
	slices.SortFunc(s.singles, func(x, y single) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.k, y.k))
	})
	// The best class comes first: what is found with it sets the bar for the rest, most of
	// which is then hopeless. Of the others the rarest do, so that what a set is counted
	// in, the part that has its first class, is as little as it can be.
	slices.SortFunc(s.singles[min(1, len(s.singles)):], func(x, y single) int {
		return cmp.Or(cmp.Compare(s.size[x.k], s.size[y.k]), cmp.Compare(x.k, y.k))
	})
	s.searched = s.searched[:0]
	for _, x := range s.singles {
		s.searched = append(s.searched, x.k)
	}
	s.pair()
	if len(s.searched) == 0 {
		return
	}
	// Both do the first class, and then each every second one, so that they have about
	// as much to do.
	s.together(func(w *walker, i int) { w.begin(0, i, len(s.walkers)) })
	s.together(func(w *walker, i int) {
		for first := 1 + i; first < len(s.searched); first += len(s.walkers) {
			w.begin(first, 0, 1)
		}
	})
}

// A single is a class by itself, and how it scores.
type single struct {
	k     int32
	score float64
}

// A counted set is one with how many failures were expected of it.
type counted struct {
	tally
	expected float64
}

// together lets each walker do its part, with the bar of all that was found
// before, and gathers what they find.
func (s *Search) together(part func(w *walker, i int)) {
	var both sync.WaitGroup
	for i := range s.walkers {
		w := &s.walkers[i]
		w.best.reset(s.best.worst)
		w.pure.reset(s.pure.worst)
		w.next.reset(s.next.worst)
		both.Go(func() { part(w, i) })
	}
	both.Wait()
	for i := range s.walkers {
		w := &s.walkers[i]
		s.best.join(w.best)
		s.pure.join(w.pure)
		s.next.join(w.next)
		s.cut = s.cut || w.cut
	}
}

// prepare sizes the scratch memory and works out the rate of each band.
func (s *Search) prepare() {
	s.cut = false
	// What a set must cover is in failures of the table, a count on the board
	// stands for many of them.
	for i, least := range s.table {
		s.least[i] = max(1, int64(float64(least)/s.failUnit))
	}
	s.best.reset(s.floor)
	s.pure.reset(0)
	s.next.reset(-short)
	s.apart = !s.dense && s.floor == 0 && slices.ContainsFunc(s.classes.List, func(c Class) bool { return c.Alone && c.Follows })
	fs, bs := s.fails.Sums(s.fails.alive), s.oks.Sums(s.oks.alive)
	s.rate, s.surprise = reuse.Clear(s.rate, len(fs)), reuse.Clear(s.surprise, len(fs))
	s.f, s.n, s.highest, s.lowest, s.usual = 0, 0, 0, math.Inf(1), 0
	for i := range fs {
		f, n := float64(fs[i]), float64(fs[i]+bs[i])
		if s.whole {
			n = float64(bs[i])
		}
		s.f, s.n = s.f+f, s.n+n
		if f > 0 {
			s.rate[i] = max(1, math.Round(f/n/rateUnit)) * rateUnit
			s.surprise[i] = math.Round(-math.Log(s.rate[i])/surpriseUnit) * surpriseUnit
			s.highest = max(s.highest, s.rate[i])
			s.lowest = min(s.lowest, s.surprise[i])
			s.usual += f * s.surprise[i]
		}
	}
	s.usual /= max(1, s.f)
	s.everything.fails.cover(s.fails, len(s.classes.List), s.rate, s.surprise)
	s.everything.oks.cover(s.oks, len(s.classes.List), s.rate, nil)
	s.narrow = s.order > 2 && s.fails.single() && s.oks.single()
	s.end = reuse.Clear(s.end, max(s.fails.words, len(s.classes.List), 1))
	s.end[len(s.end)-1] = 1
	for i := range s.walkers {
		s.walkers[i].prepare(s)
	}
}

// oneEnd says of so many words that they are one stripe.
func (s *Search) oneEnd(words int) []uint8 { return s.end[len(s.end)-words:] }

// pair finds the pairs of classes that a set worth looking at may have: not of one
// name, nor of which one implies the other, so that no minimal generator has both,
// nor which too few failures have. Sets with other pairs are passed over at a glance.
func (s *Search) pair() {
	n := len(s.searched)
	s.place = reuse.Clear(s.place, len(s.classes.List))
	for i, k := range s.searched {
		s.place[k] = int32(i)
	}
	s.beside.Row = (n + 63) / 64
	s.beside.Bits = reuse.Clear(s.beside.Bits, n*s.beside.Row)
	var both sync.WaitGroup
	for half := range 2 {
		both.Go(func() {
			for i := half; i < n; i += 2 {
				row := s.beside.At(int32(i))
				for j := i + 1; j < n; j++ {
					if s.pairs(s.searched[i], s.searched[j]) {
						row[j/64] |= 1 << (j % 64)
					}
				}
			}
		})
	}
	both.Wait()
}

// pairs reports whether a set worth looking at may have two classes.
func (s *Search) pairs(a, b int32) bool {
	return s.classes.List[a].Name != s.classes.List[b].Name &&
		s.fails.Common(s.fails.class[a], s.fails.class[b]) >= s.least.Least() &&
		(!s.fails.implies(a, b) || !s.oks.implies(a, b)) && (!s.fails.implies(b, a) || !s.oks.implies(b, a))
}
