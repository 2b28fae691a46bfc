package interaction

import (
	"cmp"
	"context"
	"slices"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/search"
)

// A changeSearch goes through the sets of a round.
type changeSearch struct {
	m      *miner
	ctx    context.Context
	all    sum
	due    float64      // expected of all
	masks  [][]uint64   // by depth, of the entries that have the prefix
	past   [][]uint64   // the same of before
	fails  search.Board // the living failures
	failed [][]uint64   // by depth, of those that have the prefix
	prefix []int32
	best   []tried
	nodes  int
}

// tryAll returns the best sets among what is alive, best first.
func (m *miner) tryAll(ctx context.Context) []tried {
	before, depths := m.change.before, m.options.MaxOrder+1
	s := &changeSearch{m: m, ctx: ctx, masks: growRows(nil, depths, m.ledger.words), past: growRows(nil, depths, before.l.words)}
	copy(s.masks[0], m.exact.alive)
	copy(s.past[0], before.alive)
	s.all = m.ledger.tally(s.masks[0])
	s.due = m.change.expected(s.masks[0], s.past[0], s.all)
	var ks []int32
	for k := range m.classes.list {
		if m.classes.list[k].context == varies {
			ks = append(ks, int32(k))
		}
	}
	m.exact.need(ks)
	before.need(ks)
	s.layFailures()
	s.descend(0, s.all, ks)
	s.trim()
	return s.best
}

// layFailures lays out the living failures by themselves, all of them in one band.
func (s *changeSearch) layFailures() {
	entries, units := s.m.failures(nil, nil)
	counts := make([]int64, len(units))
	for i, n := range units {
		counts[i] = int64(n)
	}
	s.fails.Lay(s.m.classes.searched, make([]int32, s.m.ledger.strata), entries, counts)
	s.failed = growRows(nil, s.m.options.MaxOrder+1, len(s.fails.Alive()))
	copy(s.failed[0], s.fails.Alive())
}

// descend tries each class of rest after the prefix of the given depth.
func (s *changeSearch) descend(depth int, before sum, rest []int32) {
	m := s.m
	for i, k := range rest {
		if s.nodes++; s.nodes&255 == 0 && s.ctx.Err() != nil {
			return
		}
		if s.nodes > search.Most {
			m.cut = true
			return
		}
		if slices.ContainsFunc(s.prefix, func(p int32) bool { return m.classes.list[p].name == m.classes.list[k].name }) {
			continue
		}
		if failed := s.fails.Common(s.failed[depth], s.fails.Class(k)); failed < m.classes.least.Of(depth+1) || s.hopeless(failed) {
			continue // most end here, and failures are few
		}
		mask := s.masks[depth+1]
		popcount.And(mask, s.masks[depth], m.exact.class[k])
		now := m.ledger.tally(mask)
		if now.total() == before.total() {
			continue // it adds nothing to the prefix
		}
		popcount.And(s.failed[depth+1], s.failed[depth], s.fails.Class(k))
		popcount.And(s.past[depth+1], s.past[depth], m.change.before.class[k])
		s.prefix = append(s.prefix, k)
		e := m.change.expected(mask, s.past[depth+1], now)
		if score, due := surprise(now, e, s.all, s.due); score > 0 {
			s.offer(tried{slices.Sorted(slices.Values(s.prefix)), score, now, due})
		}
		if depth+1 < m.options.MaxOrder {
			s.descend(depth+1, now, rest[i+1:])
		}
		s.prefix = s.prefix[:depth]
	}
}

// hopeless reports whether no set with these failures at most can be among the
// best: not even one that should have had none.
func (s *changeSearch) hopeless(failed int64) bool {
	return len(s.best) >= search.Kept && anscombe(float64(failed), 0) <= s.best[search.Kept-1].score
}

func (s *changeSearch) offer(t tried) {
	s.best = append(s.best, t)
	if len(s.best) >= 2*search.Kept {
		s.trim()
	}
}

func (s *changeSearch) trim() {
	slices.SortFunc(s.best, func(a, b tried) int { return a.compare(b, 0) })
	s.best = s.best[:min(len(s.best), search.Kept)]
}

// compare orders sets by their scores at a price per element.
func (t tried) compare(o tried, price float64) int {
	return cmp.Or(cmp.Compare(o.score-price*float64(len(o.set)), t.score-price*float64(len(t.set))),
		cmp.Compare(len(t.set), len(o.set)), slices.Compare(t.set, o.set))
}
