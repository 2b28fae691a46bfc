package interaction

import (
	"cmp"
	"context"
	"math"
	"slices"
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
	certain bool      // what fails does so for certain (see next)
	scratch *scratch
	change  *change // nil unless failures are explained by what changed
}

// A scratch is room that one run after the other works in.
type scratch struct {
	ledger     ledger
	exact      exact
	drawn      sampled
	fails, oks board
	search     search
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
	least := supports{m.support(o.MinShare / 2), m.support(o.MinShare)}
	least[2] = max(least[1], min(m.support(o.MinShare*3/2), fewInFour))
	m.classes = classify(m.ledger, least)
	m.exact.view(m.ledger, m.classes)
	m.classes.settle(m.ledger)
	m.tests = make([]float64, o.MaxOrder+1)
	for k := range m.tests {
		m.tests[k] = combinations(m.classes.sizes[width(k)], k)[k]
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

// dear is what a set costs, in deviance, for naming rare conditions.
func (c *classes) dear(set []int32) (sum float64) {
	for _, k := range set {
		sum += c.list[k].dear
	}
	return sum
}

// multiplicity is how many tests the p of a set is adjusted for.
func (m *miner) multiplicity(set []int32) float64 {
	return m.tests[len(set)] * math.Exp(m.classes.dear(set)/2)
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
func (m *miner) begin(ctx context.Context) *search {
	most := m.options.MaxOrder
	s := &m.scratch.search
	s.ctx, s.classes = ctx, m.classes
	s.order, s.price = most, m.price
	s.limit, s.cheapest = make([]float64, most+1), slices.Clone(m.price)
	for k := most; k > 0; k-- {
		s.limit[k] = math.Log(m.options.Alpha / m.tests[k])
		if k < most {
			s.limit[k] = max(s.limit[k], s.limit[k+1])
			s.cheapest[k] = min(s.cheapest[k], s.cheapest[k+1])
		}
	}
	s.dense = 20*float64(m.ledger.failed) >= m.ledger.requests
	return s
}

// look searches a sample of what is alive; again says that it has before.
func (m *miner) look(s *search, again bool) *sampled {
	sample := m.draw(again)
	s.fails, s.oks = m.boards(sample, &m.scratch.fails, &m.scratch.oks)
	s.failUnit, s.okUnit = sample.failUnit, sample.okUnit
	s.run()
	m.cut = m.cut || s.cut
	return sample
}

// rounds peels off one finding after the other: the best set that holds is
// taken, all rows that have it are put aside, and the rest is searched again.
// What only went along with an earlier finding is at the base risk there.
func (m *miner) rounds(ctx context.Context) ([]judgement, error) {
	s := m.begin(ctx)
	var found []judgement
	for len(found) < m.options.Top {
		sample := m.look(s, len(found) > 0)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		j, ok := m.next(s)
		if !ok && len(found) == 0 && m.ledger.failed < fewFailures {
			if j, ok = m.nearly(s, sample); !ok {
				j, ok = m.once(s, sample)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		j.after = len(found)
		found = append(found, j)
		m.exact.remove(j.set)
	}
	slices.SortStableFunc(found, func(a, b judgement) int {
		return cmp.Compare(m.late(a), m.late(b))
	})
	return found, nil
}

// nearly returns the best set that only misses the bound over all sets, if a
// permutation test finds it striking.
func (m *miner) nearly(s *search, sample *sampled) (judgement, bool) {
	for _, c := range s.best.list {
		if len(c.set) > mostPermuted {
			continue
		}
		j := m.judgeOne(c.set, -1)
		if j.p >= 1 || j.needless || j.excess <= 0 || j.score <= 0 {
			continue
		}
		// Permutations would take bursts apart: what may be some has no such test, so
		// long as each counts more than once (see once).
		if dispersion(m.exact.room[0].times, perhaps) >= clumped {
			continue
		}
		j.p = m.striking(s, sample, c.score)
		return j, j.p <= permuted*m.options.Alpha
	}
	return judgement{}, false
}
