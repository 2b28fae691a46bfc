package interaction

import (
	"slices"

	"example.test/eddy/internal/search"
)

const (
	// standing is the share of a set's excess risk that, left after an element
	// is taken away, shows that the rest does harm without it.
	standing = 0.1
)

// An aggravator is a condition that makes a finding worse and is not needed.
type aggravator struct {
	k    int32
	risk proportion // of the set with it
}

// widen drops the elements without which the rest still does harm: a version
// that fails for 10 % of requests, and for 40 % on one kind of device, is a
// cause by itself. An element stays where the harm without it is another
// cause's, or where the set fails for certain: then it completes the set.
//
// What all of the set's rows have besides (the version, where the set names a
// pod) is not in the set, as it adds nothing there; it may have to stay in
// place of the element that is dropped.
func (m *miner) widen(j judgement) judgement {
	for {
		in := j.whole().risk(m.ledger.typical)
		if in.risk >= search.Pure {
			return j
		}
		var best judgement
		for i, k := range j.set {
			rest := slices.Delete(slices.Clone(j.set), i, i+1)
			wider := m.wider(j, rest, k)
			if wider.set != nil && (best.set == nil || wider.score > best.score) {
				best = wider
			}
		}
		if best.set == nil {
			return j
		}
		best.worse = append(j.worse, best.worse...)
		j = best
	}
}

// wider returns the best set that does without class k: the rest, or the rest
// with one class that all rows of the set have. Its set is nil if there is none.
func (m *miner) wider(j judgement, rest []int32, k int32) judgement {
	candidates := [][]int32{}
	if len(rest) > 0 {
		candidates = append(candidates, rest)
	}
	if len(rest)+2 <= 6 {
		for _, d := range m.implied(j.set) {
			with := append(slices.Clone(rest), d)
			slices.Sort(with)
			candidates = append(candidates, with)
		}
	}
	var best judgement
	for _, set := range candidates {
		if m.downstream(set) && !m.downstream(j.set) || m.stands(set, k) < standing {
			continue // the first: what follows from a failure is never what is left
		}
		if w := m.judgeOne(set, -1); m.holds(w) && (best.set == nil || w.score > best.score) {
			w.worse = []aggravator{{k, j.whole().risk(m.ledger.typical)}}
			best = w
		}
	}
	return best
}

// implied lists the classes that all living rows of the set have, and others
// have not.
func (m *miner) implied(set []int32) []int32 {
	x := m.exact
	x.spare = x.mask(x.spare, set, false)
	with := make([]sum, len(m.classes.list))
	all := x.l.tally(x.spare)
	x.byClass(x.spare, all, slices.Repeat([]int64{all.total()}, len(with)), with)
	var out []int32
	for k := range m.classes.list {
		k := int32(k)
		if m.classes.list[k].context == varies && !slices.Contains(set, k) && with[k].total() == all.total() {
			out = append(out, k)
		}
	}
	return out
}

// instead reports whether c is another value of what k is, which no entry has beside
// it; ranges of one number may be had together.
func (m *miner) instead(c, k int32) bool {
	if m.classes.list[c].name != m.classes.list[k].name {
		return false
	}
	m.exact.need([]int32{c, k})
	for w, v := range m.exact.class[c] {
		if v&m.exact.class[k][w] != 0 {
			return false
		}
	}
	return true
}

// stands is the share of the excess risk of set with k that set has without
// k; 0 if that could be chance or is another cause's.
func (m *miner) stands(set []int32, k int32) float64 {
	both := append(slices.Clone(set), k)
	t := &m.exact.room[0]
	m.exact.nearly(t, both, 1) // k is the last element
	if t.lacking(len(set)).p() > necessity {
		return 0
	}
	cells := t.table()
	whole, without := cells[len(cells)-1], cells[1<<len(set)-1]
	base := cells[0].risk(m.ledger.typical).risk
	full := whole.risk(m.ledger.typical).risk - base
	if full <= 0 {
		return 0
	}
	share := (without.risk(m.ledger.typical).risk - base) / full
	if share < standing {
		return 0
	}

	// If one more condition takes the harm away with it, the harm is that of
	// another set, which will be found in its turn. Other values of what is
	// dropped are no other cause: they show that it takes no certain value.
	x := m.exact
	x.spare = x.without(x.spare, k, set, false)
	with := make([]sum, len(m.classes.list))
	lacks := x.l.tally(x.spare)
	x.byClass(x.spare, lacks, make([]int64, len(with)), with)
	for c := range m.classes.list {
		if m.classes.list[c].context != varies || slices.Contains(set, int32(c)) || m.instead(int32(c), k) {
			continue
		}
		left := lacks.minus(with[c])
		if left.total() < fewRows || 5*left.total() < lacks.total() {
			continue
		}
		if (left.risk(m.ledger.typical).risk-base)/full < standing/2 {
			return 0
		}
	}
	return share
}
