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

// late is 1 for what comes after all other findings.
func (m *miner) late(j judgement) int {
	if m.downstream(j.set) {
		return 1
	}
	return 0
}

// next returns the finding of a round.
//
// In a table where the same conditions always give the same outcome (builds of
// configurations), a set that sometimes passes is not yet the cause: it mixes
// several. So where a set that always fails is shown to be different from the
// rest of the best set that contains it, that one is taken, and from then on
// only such sets are.
func (m *miner) next(s *search) (judgement, bool) {
	if m.certain {
		j, ok := m.pick(s.pure.list, m.pure)
		return j, ok && m.pure(j)
	}
	j, ok := m.pick(s.best.list, m.upstream)
	if !ok {
		return j, false
	}
	if s.dense && !m.contradictory() {
		if m.pure(j) {
			m.certain = true
			return j, true
		}
		completes := func(x judgement) bool { return m.completes(x, j) }
		if full, ok := m.pick(s.pure.list, completes); ok && completes(full) {
			m.certain = true
			return full, true
		}
	}
	return m.accompany(m.widen(j)), true
}

// upstream reports whether a set names something that does not follow from a
// failure. If it names something that does as well, the rest must do no harm without
// that, or it would be the cause; and the set must be more than the part of what
// follows that happened to be in it: of all the ways to add as many conditions, none
// would be expected to differ as much.
func (m *miner) upstream(j judgement) bool {
	var follows []int32
	mask := 0
	for i, k := range j.set {
		if m.downstream([]int32{k}) {
			follows = append(follows, k)
			mask |= 1 << i
		}
	}
	switch len(follows) {
	case 0:
		return true
	case len(j.set):
		return false
	}
	t := m.exact.cross(j.set, false)
	whole := t.whole()
	alone := m.exact.compare(t, func(c int) bool { return c == whole&^mask }, func(c int) bool { return c&mask == 0 })
	if alone.p() <= necessity {
		return false
	}
	c := m.exact.compare(t, func(c int) bool { return c == whole }, func(c int) bool { return c&mask == mask })
	rest := slices.DeleteFunc(slices.Clone(j.set), func(k int32) bool { return slices.Contains(follows, k) })
	return c.p()*m.multiplicity(rest) <= m.options.Alpha
}

// downstream reports whether a set names only what follows from a failure.
func (m *miner) downstream(set []int32) bool {
	for _, k := range set {
		if !slices.Contains(m.options.Downstream, m.condition(k).Dimension) {
			return false
		}
	}
	return true
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

// pick returns the best of the candidates, as all rows have it, that holds and is
// suitable; if none is, the best that holds.
func (m *miner) pick(list []candidate, suitable func(judgement) bool) (judgement, bool) {
	const together = 24 // ranked by their true scores before they are judged
	var other []judgement
	for part := range slices.Chunk(list, together) {
		ranked := m.rank(part)
		// Mostly it is one of the first, or none.
		for n := len(m.exact.room); len(ranked) > 0; n = together {
			next := ranked[:min(n, len(ranked))]
			ranked = ranked[len(next):]
			for _, j := range m.judge(next, -1) {
				switch {
				case !m.holds(j):
				case suitable(j):
					return j, true
				default:
					other = append(other, j)
				}
			}
		}
	}
	if len(other) == 0 {
		return judgement{}, false
	}
	return slices.MinFunc(other, compareJudgements), true
}

// rank counts the candidates and returns those that are not hopeless, the best first as
// all rows have it.
func (m *miner) rank(list []candidate) []counted {
	sets := make([][]int32, len(list))
	for i := range list {
		sets[i] = list[i].set
	}
	ranked := slices.DeleteFunc(m.count(sets), func(c counted) bool { return m.hopeless(c.judgement) })
	slices.SortFunc(ranked, func(a, b counted) int { return compareJudgements(a.judgement, b.judgement) })
	return ranked
}

func compareJudgements(a, b judgement) int {
	return compareCandidates(candidate{a.set, a.score}, candidate{b.set, b.score})
}

// pure reports whether nearly all that have the set failed.
func (m *miner) pure(j judgement) bool {
	return j.whole().risk(m.ledger.typical).risk >= pure
}

// contradictory reports whether requests with the same conditions both failed
// and did not.
func (m *miner) contradictory() bool {
	for w := range m.ledger.words {
		if anyDigit(m.ledger.bad, w)&anyDigit(m.ledger.fine, w) != 0 {
			return true
		}
	}
	return false
}

// completing is the part of Alpha at which a set that always fails takes the place
// of the set that it completes: what sometimes passed may have by chance.
const completing = 0.1

// completes reports whether full has all elements of part, always fails, and
// is not just the part of it that happened to: of all the ways to extend part
// by as many conditions, none would be expected to differ as much from the rest.
// What the same conditions give again and again is one observation here.
func (m *miner) completes(full, part judgement) bool {
	for _, k := range part.set {
		if !slices.Contains(full.set, k) {
			return false
		}
	}
	var mask int
	var added []int32
	for i, k := range full.set {
		if slices.Contains(part.set, k) {
			mask |= 1 << i
		} else {
			added = append(added, k)
		}
	}
	whole := len(full.cells) - 1
	if !m.pure(full) {
		return false
	}
	t := m.exact.compare(m.exact.outcomes(full.set), func(c int) bool { return c == whole },
		func(c int) bool { return c&mask == mask })
	return t.p()*m.multiplicity(added) <= completing*m.options.Alpha
}
