package interaction

import (
	"slices"

	"example.test/eddy/internal/search"
)

// next returns the finding of a round.
//
// In a table where the same conditions always give the same outcome (builds of
// configurations), a set that sometimes passes is not yet the cause: it mixes
// several. So where a set that always fails is shown to be different from the
// rest of the best set that contains it, that one is taken, and from then on
// only such sets are.
func (m *miner) next(s *search.Search) (judgement, bool) {
	if m.certain {
		j, ok := m.pick(s.Pure(), m.pure)
		return j, ok && m.pure(j)
	}
	j, ok := m.pick(s.Best(), m.upstream)
	if !ok {
		return j, false
	}
	if m.dense && !m.contradictory() {
		if m.pure(j) {
			m.certain = true
			return j, true
		}
		completes := func(x judgement) bool { return m.completes(x, j) }
		if full, ok := m.pick(s.Pure(), completes); ok && completes(full) {
			m.certain = true
			return full, true
		}
	}
	return m.amend(j, true)
}

// amend drops what a set can do without, and adds what it keeps to.
func (m *miner) amend(j judgement, ok bool) (judgement, bool) {
	if ok {
		j = m.accompany(m.widen(j))
	}
	return j, ok
}

// pick returns the best of the candidates, as all rows have it, that holds and is
// suitable; if none is, the best that holds.
func (m *miner) pick(list []search.Candidate, suitable func(judgement) bool) (judgement, bool) {
	const together = 24 // ranked by their true scores before they are judged
	var other []judgement
	for part := range slices.Chunk(list, together) {
		ranked := m.rank(part)
		if len(ranked) == 0 {
			break // as so many are hopeless, those that looked worse will be
		}
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
func (m *miner) rank(list []search.Candidate) []counted {
	sets := make([][]int32, len(list))
	for i := range list {
		sets[i] = list[i].Set
	}
	ranked := slices.DeleteFunc(m.count(sets), func(c counted) bool { return m.hopeless(c.judgement) })
	slices.SortFunc(ranked, func(a, b counted) int { return compareJudgements(a.judgement, b.judgement) })
	return ranked
}

func compareJudgements(a, b judgement) int {
	return search.Compare(search.Candidate{Set: a.set, Score: a.score}, search.Candidate{Set: b.set, Score: b.score})
}

// pure reports whether nearly all that have the set failed.
func (m *miner) pure(j judgement) bool {
	return j.whole().risk(m.ledger.typical).risk >= search.Pure
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
