package interaction

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"example.test/eddy/internal/popcount"
)

const (
	// keepBest is how many sets of a round are verified on all rows at most.
	keepBest = 64
	// mostNodes bounds the search; beyond it the result says that it was cut
	// short. At 600 conditions and order 4 a search takes an eighth of it.
	mostNodes = 8_000_000

	// rateUnit and surpriseUnit are what rates and surprises are whole multiples of in
	// a search: sums of fractions would depend on the order of what is added, and so on
	// that of the rows. Both are powers of two, so that multiples up to 1 and 64 fit
	// into 32 bits.
	rateUnit     = 1.0 / (1 << 31)
	surpriseUnit = 1.0 / (1 << 26)
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
	whole    bool    // the second board has the failures as well
	failUnit float64 // observations that a failure on the board stands for
	okUnit   float64 // and a success
	classes  *classes
	order    int
	least    supports  // failures on the board that a set must cover
	price    []float64 // by order: of naming a set without rare conditions, in deviance
	cheapest []float64 // by order: of a set of so many elements or more
	limit    []float64 // by order: the logarithm of the p that sets of so many elements or more must reach
	f, n     float64   // failures and all, in counts of the sample
	floor    float64   // the score that a set must beat to count at all
	dense    bool      // failures are common, so that pure sets are looked for
	searched []int32   // classes in the order of the search
	singles  []single
	size     []int64       // by class: what it counts on both boards
	place    []int32       // of a class among those searched
	beside   popcount.Slab // by place, the later ones that a set may have beside it
	walkers  [2]walker

	rate       []float64 // share of failures by band
	surprise   []float64 // minus its logarithm
	highest    float64   // of the rates,
	lowest     float64   // and of the surprises
	everything grounds   // all of both boards
	narrow     bool      // larger sets are counted inside their first class
	end        []uint8   // for oneEnd

	best shortlist
	pure shortlist // of sets that nearly always fail
	cut  bool
}

// A single is a class by itself, and how it scores.
type single struct {
	k     int32
	score float64
}

// run fills the shortlists, best first.
func (s *search) run() {
	s.prepare()
	if s.f == 0 || s.n <= s.f {
		return
	}
	s.singles, s.size = s.singles[:0], grow(s.size, len(s.classes.list))
	for k := range s.classes.list {
		if s.classes.list[k].context != varies {
			continue
		}
		fails, oks := s.fails.class[k], s.oks.class[k]
		a := s.fails.common(fails, fails)
		if a < s.least.least() {
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
		s.singles = append(s.singles, single{int32(k), deviance(float64(a), float64(e)*rateUnit, float64(a+b), s.f, s.n)})
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
	for i, least := range s.classes.least {
		s.least[i] = max(1, int64(float64(least)/s.failUnit))
	}
	s.best.reset(s.floor)
	s.pure.reset(0)
	fs, bs := s.fails.sums(s.fails.alive), s.oks.sums(s.oks.alive)
	s.rate, s.surprise = grow(s.rate, len(fs)), grow(s.surprise, len(fs))
	s.f, s.n, s.highest, s.lowest = 0, 0, 0, math.Inf(1)
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
		}
	}
	s.everything.fails.cover(s.fails, len(s.classes.list), s.rate, s.surprise)
	s.everything.oks.cover(s.oks, len(s.classes.list), s.rate, nil)
	s.narrow = s.order > 2 && s.fails.single() && s.oks.single()
	s.end = grow(s.end, max(s.fails.words, len(s.classes.list), 1))
	s.end[len(s.end)-1] = 1
	for i := range s.walkers {
		s.walkers[i].prepare(s)
	}
}

// oneEnd says of so many words that they are one stripe.
func (s *search) oneEnd(words int) []uint8 { return s.end[len(s.end)-words:] }

// pair finds the pairs of classes that a set worth looking at may have: not of one
// name, nor of which one implies the other, so that no minimal generator has both,
// nor which too few failures have. Sets with other pairs are passed over at a glance.
func (s *search) pair() {
	n := len(s.searched)
	s.place = grow(s.place, len(s.classes.list))
	for i, k := range s.searched {
		s.place[k] = int32(i)
	}
	s.beside.Row = (n + 63) / 64
	s.beside.Bits = grow(s.beside.Bits, n*s.beside.Row)
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
func (s *search) pairs(a, b int32) bool {
	return s.classes.list[a].name != s.classes.list[b].name &&
		s.fails.common(s.fails.class[a], s.fails.class[b]) >= s.least.least() &&
		(!s.fails.implies(a, b) || !s.oks.implies(a, b)) && (!s.fails.implies(b, a) || !s.oks.implies(b, a))
}
