// Package search finds, of all sets of a few classes, those that explain most of the
// failures of a sample.
//
// The sample lies on two boards, one of what failed and one of what did not, as rows of
// bits by class. A set scores by how many of its observations failed, beside how many of
// the same time and place were expected to, less what it costs to name it. Two walkers go
// through the sets from class to class and pass over those that cannot beat the bar: with
// too few failures, or of which so many are expected that nothing that follows can score.
// All that is passed over is bounded, not guessed: what is found is what counting every
// set would find.
//
// The best Kept sets are kept. A search that looks at more than Most sets is cut short,
// and says so; so is one whose context is done.
package search

import (
	"context"

	"example.test/eddy/internal/popcount"
)

const (
	// Most is how many sets a search looks at; beyond it, it is cut short. At 600
	// conditions and order 4 a search takes an eighth of it.
	Most = 8_000_000
	// Pure is the share of failures from which a set counts as failing for certain.
	Pure = 0.95

	// short is how much less than nothing a set may score to be kept for when what only
	// follows from failures is put aside. That takes a tenth or two of the failures away,
	// and as much of what is expected of others: of a set with 20 failures, 2 of them
	// expected, it makes the deviance 6 more.
	short = 6

	// rateUnit and surpriseUnit are what rates and surprises are whole multiples of in
	// a search: sums of fractions would depend on the order of what is added, and so on
	// that of the rows. Both are powers of two, so that multiples up to 1 and 64 fit
	// into 32 bits.
	rateUnit     = 1.0 / (1 << 31)
	surpriseUnit = 1.0 / (1 << 26)
)

// Terms say which sets count, and for how much.
type Terms struct {
	// Order is how many classes a set may have.
	Order int
	// Least is how many failures it must cover, in observations of the table.
	Least Supports
	// Price is, by order, what it costs to name a set without rare conditions, in deviance.
	Price []float64
	// Limit is, by order, the logarithm of the p that it must reach.
	Limit []float64
	// Dense says that failures are common, so that sets that nearly always fail are
	// looked for as well.
	Dense bool
}

// A Search finds the sets of classes that explain most of the failures of a sample. The
// zero value is ready for Begin; its room is used again by the next. It is for one
// goroutine, and works in two.
type Search struct {
	ctx      context.Context
	fails    *Board
	oks      *Board
	whole    bool    // the second board has the failures as well
	failUnit float64 // observations that a failure on the board stands for
	okUnit   float64 // and a success
	classes  *Classes
	order    int
	table    Supports  // failures of the table that a set must cover,
	least    Supports  // and on the board
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
	usual      float64   // the surprise of a failure, on average
	everything grounds   // all of both boards
	narrow     bool      // larger sets are counted inside their first class
	end        []uint8   // for oneEnd

	best shortlist
	pure shortlist // of sets that nearly always fail
	next shortlist // of sets without anything that follows (see Next)
	// apart says that such sets are kept as well.
	apart bool
	// following is what the classes count that follow from failures.
	following map[int32]counted
	cut       bool
}

// Begin sets a search up. Once ctx is done it is cut short.
func (s *Search) Begin(ctx context.Context, c *Classes, t Terms) {
	s.ctx, s.classes, s.whole = ctx, c, false
	if s.following == nil {
		s.following = make(map[int32]counted)
	}
	s.order, s.table, s.price, s.dense = t.Order, t.Least, t.Price, t.Dense
	s.limit, s.cheapest = append(s.limit[:0], t.Limit...), append(s.cheapest[:0], t.Price...)
	for k := t.Order - 1; k > 0; k-- {
		s.limit[k] = max(s.limit[k], s.limit[k+1])
		s.cheapest[k] = min(s.cheapest[k], s.cheapest[k+1])
	}
}

// Run searches what failed and what did not, of which a count of 1 stands for so many
// observations of the table.
func (s *Search) Run(fails, oks *Board, failUnit, okUnit float64) {
	s.fails, s.oks, s.failUnit, s.okUnit = fails, oks, failUnit, okUnit
	s.run()
}

// Best returns the sets that score most, best first; it is good until the next run.
func (s *Search) Best() []Candidate { return s.best.list }

// Pure returns those of the sets that nearly always fail, best first; it is good until
// the next run.
func (s *Search) Pure() []Candidate { return s.pure.list }

// Next returns the sets that name nothing that follows from failures, best first, and
// whether they were kept: only if anything does, and in no search for what is pure. There
// are sets that score too little by as much as putting aside what only follows may bring
// them, so that what is then to be found is among them. It is good until the next run.
func (s *Search) Next() ([]Candidate, bool) { return s.next.list, s.apart }

// Cut reports whether the last run was cut short.
func (s *Search) Cut() bool { return s.cut }

// Permuted returns a search for the same classes of sets of up to an order, to run where
// others failed of the same observations: all of them lie on one board. What it finds, it
// keeps apart, but it works in the same room, so that s must be run again before it is
// used for anything but its lists.
func (s *Search) Permuted(all *Board, order int) *Search {
	t := *s
	t.best, t.pure, t.next, t.walkers = shortlist{}, shortlist{}, shortlist{}, [2]walker{}
	t.oks, t.whole, t.dense, t.order = all, true, false, min(s.order, order)
	return &t
}

// Reaches reports whether any set scores at least score if these are the failures.
func (s *Search) Reaches(fails *Board, score float64) bool {
	s.fails, s.floor = fails, score-1e-9
	defer func() { s.floor = 0 }()
	s.run()
	return len(s.best.list) > 0
}
