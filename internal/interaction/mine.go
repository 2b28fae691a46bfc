package interaction

import (
	"cmp"
	"context"
	"math"
	"slices"

	"example.test/eddy/internal/search"
)

// A miner holds what the steps of one run share.
type miner struct {
	options Options
	ledger  *ledger
	classes *classes
	exact   *exact
	tests   []float64 // by order: how many tests the p of a set without rare conditions is adjusted for
	price   []float64 // by order: of naming such a set, in deviance
	cut     bool      // the search hit its bound
	dense   bool      // failures are common, so that sets that always fail are looked for
	certain bool      // what fails does so for certain (see next)
	scratch *scratch
	change  *change // nil unless failures are explained by what changed
}

// A scratch is room that one run after the other works in.
type scratch struct {
	ledger     ledger
	exact      exact
	drawn      sampled
	fails, oks search.Board
	search     search.Search
	searched   search.Classes
}

// explain looks for what explains the failures of a ledger.
func (s *scratch) explain(ctx context.Context, o Options) (Result, error) {
	r, done := untold(int(s.ledger.total), int(s.ledger.failed), o)
	if done {
		return r, nil
	}
	m := &miner{options: o, ledger: &s.ledger, exact: &s.exact, scratch: s}
	m.prepare()
	found, err := m.rounds(ctx)
	if err != nil {
		return Result{}, err
	}
	m.report(&r, found)
	return r, nil
}

// untold returns the result for so many observations before anything is found,
// and whether that is all there is to say.
func untold(rows, failed int, o Options) (r Result, done bool) {
	r = Result{Findings: []Finding{}, Missing: []string{}, Rows: rows, Failed: failed}
	if failed > 0 && failed == rows {
		r.Verdict = NoExplanation
		r.Missing = append(r.Missing, "All "+o.Noun+" "+o.words().Did+": without others there is nothing to compare with.")
	}
	return r, failed == 0 || failed == rows
}

// prepare finds the classes and how many tests there are.
func (m *miner) prepare() {
	o := m.options
	least := search.Supports{m.support(o.MinShare / 2), m.support(o.MinShare)}
	least[2] = max(least[1], min(m.support(o.MinShare*3/2), fewInFour))
	m.classes = classify(m.ledger, least)
	m.exact.view(m.ledger, m.classes)
	m.classes.settle(m.ledger)
	m.dense = 20*float64(m.ledger.failed) >= m.ledger.requests
	m.classes.offer(&m.scratch.searched, func(k int32) bool {
		return slices.Contains(m.options.Downstream, m.condition(k).Dimension)
	})
	m.tests = make([]float64, o.MaxOrder+1)
	for k := range m.tests {
		m.tests[k] = combinations(m.classes.sizes[search.Width(k)], k)[k]
	}
	// The price of a set is what it takes to say which one of its order it is: the
	// logarithm of how many there are, in deviance twice that.
	m.price = make([]float64, o.MaxOrder+1)
	for k := 1; k <= o.MaxOrder; k++ {
		m.price[k] = 2 * math.Log(m.tests[k]+float64(k))
	}
	for k := range m.tests {
		m.tests[k] = max(1, m.tests[k]) * float64(o.MaxOrder)
	}
}

// multiplicity is how many tests the p of a set is adjusted for.
func (m *miner) multiplicity(set []int32) float64 {
	return m.tests[len(set)] * math.Exp(m.classes.searched.Dear(set)/2)
}

// support is how many failures are a share of all, but never so few that chance
// brings them about.
func (m *miner) support(share float64) int64 {
	least := max(5, int64(math.Ceil(share*float64(m.ledger.failed))))
	if m.ledger.failed < 20 {
		least = max(2, min(least, m.ledger.failed/2))
	}
	return least
}

// begin sets a search up.
func (m *miner) begin(ctx context.Context) *search.Search {
	t := search.Terms{
		Order: m.options.MaxOrder, Least: m.classes.least, Price: m.price, Limit: make([]float64, len(m.tests)),
		Dense: m.dense,
	}
	for k, tests := range m.tests {
		t.Limit[k] = math.Log(m.options.Alpha / tests)
	}
	s := &m.scratch.search
	s.Begin(ctx, m.classes.searched, t)
	return s
}

// look searches a sample of what is alive; again says that it has before.
func (m *miner) look(s *search.Search, again bool) *sampled {
	sample := m.draw(again)
	fails, oks := m.boards(sample)
	s.Run(fails, oks, sample.failUnit, sample.okUnit)
	m.cut = m.cut || s.Cut()
	return sample
}

// rounds peels off one finding after the other: the best set that holds is
// taken, all rows that have it are put aside, and the rest is searched again.
// What only went along with an earlier finding is at the base risk there. After what only
// follows from failures nothing is searched (see round).
func (m *miner) rounds(ctx context.Context) ([]judgement, error) {
	s := m.begin(ctx)
	var found []judgement
	for aside := false; len(found) < m.options.Top; { // what only follows has just been put aside
		j, ok := m.round(ctx, s, found, aside)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		j.after = len(found)
		found = append(found, j)
		m.exact.remove(j.set)
		aside = m.downstream(j.set)
	}
	slices.SortStableFunc(found, func(a, b judgement) int {
		return cmp.Compare(m.late(a), m.late(b))
	})
	return found, nil
}

// round returns the best of what there is to find after some findings. If the last one,
// just put aside, only follows from failures, what it may have hidden is among the sets that
// the search which found it kept beside: they are counted again as it has left them.
func (m *miner) round(ctx context.Context, s *search.Search, found []judgement, aside bool) (judgement, bool) {
	if next, kept := s.Next(); kept && aside {
		return m.amend(m.pick(m.withFollowing(next), m.upstream))
	}
	sample := m.look(s, len(found) > 0)
	if ctx.Err() != nil {
		return judgement{}, false
	}
	j, ok := m.next(s)
	if !ok && len(found) == 0 && m.ledger.failed < fewFailures {
		if j, ok = m.nearly(ctx, s, sample); !ok {
			j, ok = m.once(ctx, s, sample)
		}
	}
	return j, ok
}

// nearly returns the best set that only misses the bound over all sets, if a
// permutation test finds it striking.
func (m *miner) nearly(ctx context.Context, s *search.Search, sample *sampled) (judgement, bool) {
	for _, c := range s.Best() {
		if len(c.Set) > mostPermuted {
			continue
		}
		j := m.judgeOne(c.Set, -1)
		if j.p >= 1 || j.needless || j.excess <= 0 || j.score <= 0 {
			continue
		}
		// Permutations would take bursts apart: what may be some has no such test, so
		// long as each counts more than once (see once).
		if dispersion(m.exact.room[0].times, perhaps) >= clumped {
			continue
		}
		j.p = m.striking(ctx, s, sample, c.Score)
		return j, j.p <= permuted*m.options.Alpha
	}
	return judgement{}, false
}
