package interaction

import (
	"context"
	"slices"
)

// A Scored is a set of classes and its score in a search.
type Scored struct {
	Set   []int32
	Score float64
}

// FirstSearch returns what the first search of a table put on its shortlist, and,
// from counting every set there is, what belongs there.
func FirstSearch(ctx context.Context, t Table, o Options) (got, want []Scored, err error) {
	o = o.withDefaults()
	w, err := cut(ctx, t, o)
	if err != nil {
		return nil, nil, err
	}
	w.line()
	m := &miner{options: w.options, ledger: &w.scratch.ledger, exact: &w.scratch.exact, scratch: &w.scratch}
	m.prepare()
	s := m.begin(ctx)
	m.look(s)
	for _, c := range s.best.list {
		got = append(got, Scored{c.set, c.score})
	}
	for _, c := range s.exhaust() {
		want = append(want, Scored{c.set, c.score})
	}
	return got, want, nil
}

// exhaust scores every set of classes that has enough failures, from the bits alone.
func (s *search) exhaust() []candidate {
	var found []candidate
	var extend func(set, rest []int32)
	extend = func(set, rest []int32) {
		for i, k := range rest {
			if slices.ContainsFunc(set, func(p int32) bool { return s.classes.list[p].name == s.classes.list[k].name }) {
				continue
			}
			with := append(slices.Clone(set), k)
			now, e, surprise := s.countAll(with)
			if now.failed < s.least.small {
				continue
			}
			minimal := true
			for drop := range with {
				less, _, _ := s.countAll(slices.Delete(slices.Clone(with), drop, drop+1))
				minimal = minimal && (len(with) == 1 || less != now)
			}
			score := deviance(float64(now.failed), e, float64(now.failed+now.ok), s.f, s.n) - s.price[len(with)]
			likely := -surprise*max(1, s.failUnit, s.okUnit) <= s.limit[len(with)]
			if minimal && likely && now.failed >= s.least.of(len(with)) && score > 0 {
				found = append(found, candidate{slices.Sorted(slices.Values(with)), score})
			}
			if len(with) < s.order {
				extend(with, rest[i+1:])
			}
		}
	}
	extend(nil, s.searched)
	slices.SortFunc(found, compareCandidates)
	return found[:min(len(found), keepBest)]
}

// countAll counts a set, without any of what the walk keeps.
func (s *search) countAll(set []int32) (t tally, expected, surprise float64) {
	fails, oks := slices.Clone(s.fails.alive), slices.Clone(s.oks.alive)
	for _, k := range set {
		for w := range fails {
			fails[w] &= s.fails.class[k][w]
		}
		for w := range oks {
			oks[w] &= s.oks.class[k][w]
		}
	}
	f, ok := s.fails.sums(fails), s.oks.sums(oks)
	for band := range f {
		t.failed, t.ok = t.failed+f[band], t.ok+ok[band]
		expected += float64(f[band]+ok[band]) * s.rate[band]
		surprise += float64(f[band]) * s.surprise[band]
	}
	return t, expected, surprise
}

// ContrastP is the one-sided p of a contrast of risks, of which failed of n were
// seen each, with these coefficients.
func ContrastP(of, failed, n []float64) float64 {
	var c contrast
	for i := range of {
		c = append(c, part{of[i], risk(failed[i], n[i]-failed[i], n[i]-failed[i], 1)})
	}
	return c.p()
}
