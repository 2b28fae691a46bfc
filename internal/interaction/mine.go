package interaction

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// A miner holds what the steps of one run share.
type miner struct {
	options     Options
	table       Table
	groups      grouping
	ledger      *ledger
	classes     *classes
	exact       *exact
	first, last time.Time // of the rows
	tests       []float64 // by order: how many tests a set's p is adjusted for
	price       float64   // of naming one condition, in deviance
	cut         bool      // the search hit its bound
	drawn       sampled   // room for the entries of a round, empty
	certain     bool      // what fails does so for certain (see next)
}

// Mine finds the sets of conditions that explain the failures in t.
//
// It is pure: the same table, in whatever order its rows are, and the same
// options give the same result. When ctx ends it returns its error. An error
// names the first row or option that is not as documented.
func Mine(ctx context.Context, t Table, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("options: %w", err)
	}
	if err := check(t); err != nil {
		return Result{}, fmt.Errorf("table: %w", err)
	}
	o = o.withDefaults()
	r := Result{Findings: []Finding{}, Missing: []string{}}
	for _, row := range t.Rows {
		r.Rows, r.Failed = r.Rows+row.Total, r.Failed+row.Failed
	}
	switch {
	case r.Failed == 0:
		return r, nil
	case r.Failed == r.Rows:
		r.Verdict = NoExplanation
		r.Missing = append(r.Missing, "Everything failed: without "+o.Noun+" that did not fail there is nothing to compare with.")
		return r, nil
	}
	m := &miner{options: o, table: t}
	m.groups = group(t, m.options)
	m.ledger = reduce(t, m.groups)
	m.prepare()
	found, err := m.rounds(ctx)
	if err != nil {
		return Result{}, err
	}
	m.report(&r, found)
	return r, nil
}

// prepare finds the classes and how many tests there are.
func (m *miner) prepare() {
	o := m.options
	least := max(5, int64(math.Ceil(o.MinShare*float64(m.ledger.failed))))
	if m.ledger.failed < 20 {
		least = max(2, min(least, m.ledger.failed/2))
	}
	m.classes = classify(m.table, m.ledger, m.groups, least)
	m.classes.settle(m.table, m.groups)
	m.exact = newExact(m.ledger, m.classes)
	m.tests = combinations(m.classes.sizes, o.MaxOrder)
	for i, r := range m.table.Rows {
		if i == 0 || r.Time.Before(m.first) {
			m.first = r.Time
		}
		if i == 0 || r.Time.After(m.last) {
			m.last = r.Time
		}
	}
	distinct := 0
	for _, n := range m.classes.sizes {
		distinct += n
	}
	m.price = 2 * math.Log(float64(distinct)+1)
	for k := range m.tests {
		m.tests[k] = max(1, m.tests[k]) * float64(o.MaxOrder)
	}
}

// mostBands bounds how many bands of strata the search tells apart.
const mostBands = 24

// sampled are the entries that a search looks at, with what each counts.
type sampled struct {
	band                 []int32 // by stratum, -1 where nothing failed
	fails, oks           []int32
	failCounts, okCounts []int64
	// failUnit and okUnit are how many observations of the table a count of 1
	// stands for.
	failUnit, okUnit float64
}

// draw samples the entries that are alive.
func (m *miner) draw() *sampled {
	d := &sampled{band: make([]int32, len(m.ledger.start)-1)}
	x := &m.drawn
	if x.fails == nil {
		n := len(m.ledger.entries)
		x.oks, x.okCounts = make([]int32, 0, n), make([]int64, 0, n)
		n = int(min(m.ledger.failed, int64(n)))
		x.fails, x.failCounts = make([]int32, 0, n), make([]int64, 0, n)
	}
	d.fails, d.oks, d.failCounts, d.okCounts = x.fails, x.oks, x.failCounts, x.okCounts
	for s, t := range m.exact.strata() {
		d.band[s] = -1
		if t.failed == 0 {
			continue // where nothing failed nothing can be learnt
		}
		rate := float64(t.failed) / (float64(t.failed) + float64(t.units)/float64(m.ledger.scale))
		// Bands are a factor of 1.4 wide, from rates near one down.
		d.band[s] = min(mostBands-1, int32(-2*math.Log2(rate)))
		for i := m.ledger.start[s]; i < m.ledger.start[s+1]; i++ {
			if !m.exact.lives(i) {
				continue
			}
			e := &m.ledger.entries[i]
			if e.failed > 0 {
				d.fails, d.failCounts = append(d.fails, int32(i)), append(d.failCounts, e.failed)
			}
			if e.units > 0 {
				d.oks, d.okCounts = append(d.oks, int32(i)), append(d.okCounts, e.units)
			}
		}
	}
	// Failures and successes are sampled apart; counts of the successes are in
	// units of the scale, which leaves their shares as they are.
	d.fails, d.failCounts, d.failUnit = m.sample(d.fails, d.failCounts, 1)
	d.oks, d.okCounts, d.okUnit = m.sample(d.oks, d.okCounts, m.ledger.scale)
	return d
}

// boards lays out a sample for the search.
func (m *miner) boards(d *sampled) (fails, oks *board) {
	return newBoard(m.ledger, m.classes, d.band, mostBands, d.fails, d.failCounts),
		newBoard(m.ledger, m.classes, d.band, mostBands, d.oks, d.okCounts)
}

// sample keeps at most about Options.Sample of the entries: those that count
// more than a threshold, and of the others each with the chance that its count
// bears to the threshold, which it then counts (threshold sampling: Duffield,
// Lund and Thorup 2005). Which ones depends on their content and the seed, not
// on the order of rows. Counts come in as 1/scale of an observation and come
// back in units of the threshold, rounded; unit is what a count of 1 then
// stands for, in observations.
func (m *miner) sample(entries []int32, counts []int64, scale int64) (kept []int32, keptCounts []int64, unit float64) {
	if len(entries) <= m.options.Sample && scale == 1 {
		return entries, counts, 1
	}
	threshold := float64(scale)
	if len(entries) > m.options.Sample {
		threshold = m.threshold(counts)
	}
	for i, e := range entries {
		n := float64(counts[i]) / threshold
		whole := math.Floor(n)
		u := float64(mix(m.content(e))>>11) / (1 << 53)
		if u < n-whole {
			whole++
		}
		if whole > 0 {
			kept, keptCounts = append(kept, e), append(keptCounts, int64(whole))
		}
	}
	return kept, keptCounts, threshold / float64(scale)
}

// content hashes what an entry is: its conditions and its stratum.
func (m *miner) content(e int32) uint64 {
	x := &m.ledger.entries[e]
	return x.hash ^ mix(m.options.Seed+uint64(x.stratum)<<32)
}

// threshold is the t at which the sum of min(1, count/t) is the sample's size.
func (m *miner) threshold(counts []int64) float64 {
	ascending := slices.Clone(counts)
	slices.Sort(ascending)
	size := m.options.Sample
	var below float64 // sum of the counts up to here
	for i, c := range ascending {
		below += float64(c)
		above := len(ascending) - i - 1 // counted whole
		if above >= size {
			continue
		}
		if t := below / float64(size-above); above == 0 || t <= float64(ascending[i+1]) {
			return max(t, 1)
		}
	}
	return 1
}

// rounds peels off one finding after the other: the best set that holds is
// taken, all rows that have it are put aside, and the rest is searched again.
// What only went along with an earlier finding is at the base risk there.
func (m *miner) rounds(ctx context.Context) ([]judgement, error) {
	limit := make([]float64, m.options.MaxOrder+1)
	for k := m.options.MaxOrder; k > 0; k-- {
		limit[k] = m.options.Alpha / m.tests[k]
		if k < m.options.MaxOrder {
			limit[k] = max(limit[k], limit[k+1])
		}
	}
	s := &search{
		ctx: ctx, classes: m.classes,
		order: m.options.MaxOrder, price: m.price, limit: limit,
		dense: 20*m.ledger.failed >= m.ledger.total,
	}
	var found []judgement
	for len(found) < m.options.Top {
		sample := m.draw()
		s.fails, s.oks = m.boards(sample)
		s.failUnit, s.okUnit = sample.failUnit, sample.okUnit
		s.run()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.cut = m.cut || s.cut
		j, ok := m.next(s)
		if !ok && len(found) == 0 && m.ledger.failed < fewFailures {
			j, ok = m.nearly(s, sample)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		found = append(found, j)
		m.exact.remove(j.set)
	}
	return found, nil
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
		return m.pick(s.pure.list, func(j judgement) bool { return m.pure(j) })
	}
	j, ok := m.pick(s.best.list, func(judgement) bool { return true })
	if !ok {
		return j, false
	}
	if s.dense && !m.contradictory() {
		if m.pure(j) {
			m.certain = true
			return j, true
		}
		if full, ok := m.pick(s.pure.list, func(x judgement) bool { return m.completes(x, j) }); ok {
			m.certain = true
			return full, true
		}
	}
	return m.accompany(m.widen(j)), true
}

// nearly returns the best set that only misses the bound over all sets, if a
// permutation test finds it striking.
func (m *miner) nearly(s *search, sample *sampled) (judgement, bool) {
	for _, c := range s.best.list {
		j := m.judge(c.set)
		if j.p >= 1 || len(j.unneeded) > 0 || j.excess <= 0 || j.score <= 0 {
			continue
		}
		j.p = m.striking(s, sample, c.score)
		return j, j.p <= permuted*m.options.Alpha
	}
	return judgement{}, false
}

// pick returns the best of the candidates, as all rows have it, that holds
// and is suitable.
func (m *miner) pick(list []candidate, suitable func(judgement) bool) (judgement, bool) {
	const together = 24 // judged before they are ranked by their true scores
	for len(list) > 0 {
		n := min(together, len(list))
		m.exact.need(sorted(list[:n]))
		var held []judgement
		for _, c := range list[:n] {
			if j := m.judge(c.set); m.holds(j) && suitable(j) {
				held = append(held, j)
			}
		}
		if len(held) > 0 {
			return slices.MinFunc(held, func(a, b judgement) int {
				return compareCandidates(candidate{a.set, a.score}, candidate{b.set, b.score})
			}), true
		}
		list = list[n:]
	}
	return judgement{}, false
}

// pure reports whether nearly all that have the set failed.
func (m *miner) pure(j judgement) bool {
	return j.table.cells[j.table.whole()].risk(m.ledger.typical).risk >= pure
}

// contradictory reports whether requests with the same conditions both failed
// and did not.
func (m *miner) contradictory() bool {
	return slices.ContainsFunc(m.ledger.entries, func(e entry) bool { return e.failed > 0 && e.ok > 0 })
}

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
	for i, k := range full.set {
		if slices.Contains(part.set, k) {
			mask |= 1 << i
		}
	}
	whole := full.table.whole()
	if !m.pure(full) {
		return false
	}
	t := m.exact.compare(m.exact.outcomes(full.set), func(c int) bool { return c == whole },
		func(c int) bool { return c&mask == mask })
	return t.p()*m.tests[len(full.set)-len(part.set)] <= m.options.Alpha
}
