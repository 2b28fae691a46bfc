package search_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/search"
)

// A sample is entries that failed and others, with what each counts, to be searched.
type sample struct {
	classes              search.Classes
	terms                search.Terms
	band                 []int32
	fails, oks           []search.Entry
	failCounts, okCounts []int64
	failUnit, okUnit     float64
	failMasks, okMasks   []mask
}

// A mask is the classes of an entry, or of a set; a class has the number of its condition.
type mask [4]uint64

func maskOf[T ~int32 | ~uint32](list []T) (m mask) {
	for _, k := range list {
		m[k/64] |= 1 << (k % 64)
	}
	return m
}

// has reports whether all of another mask is in m.
func (m *mask) has(o *mask) bool {
	return o[0]&^m[0]|o[1]&^m[1]|o[2]&^m[2]|o[3]&^m[3] == 0
}

// A plan says what a sample is like.
type plan struct {
	rows, columns, values, implied, order int
	risk                                  float64
	alone                                 bool // each entry counts one
	thin                                  int  // one success in so many is sampled
	share                                 float64
	just                                  bool // the set that fails covers just as much as it must
	follows                               bool // in half of the failures, and few others, a try is the second
}

// build makes a sample in which a set of three fails, among columns of so many values,
// and some that the first two of the set imply; risks differ between its strata.
func (p plan) build(seed uint64) *sample {
	rng := rand.New(rand.NewPCG(seed, 11))
	const strata = 4
	s := &sample{failUnit: 1, okUnit: float64(max(1, p.thin))}
	s.terms.Order = p.order
	ids, names := make(map[string]condition.ID), make(map[string]int)
	var failed, total [strata]float64
	var planted int64
	for i := range p.rows {
		e := search.Entry{Stratum: int32(i * strata / p.rows)}
		add := func(name string, value any) {
			key := fmt.Sprint(name, "=", value)
			id, known := ids[key]
			if !known {
				id = condition.ID(len(ids))
				ids[key] = id
				if _, known := names[name]; !known {
					names[name] = len(names)
				}
				s.classes.List = append(s.classes.List, search.Class{
					First: id, Name: names[name], Alone: name != "lone", Follows: name == "try", Dear: rng.Float64() * 3,
				})
			}
			e.Conditions = append(e.Conditions, id)
		}
		v, z, f := rng.IntN(3) == 0, rng.IntN(3) == 0, rng.IntN(3) == 0
		add("v", v)
		add("z", z)
		add("f", f)
		for k := range p.implied {
			add(fmt.Sprint("i", k), v && z || rng.IntN(5) == 0)
		}
		for k := range p.columns {
			add(fmt.Sprint("c", k), rng.IntN(p.values))
		}
		add("lone", rng.IntN(4))
		count := int64(1)
		if !p.alone {
			count += int64(rng.IntN(3))
		}
		risk := 0.01 * float64(1+e.Stratum)
		fails := rng.Float64() < risk || v && z && f && rng.Float64() < p.risk
		if p.follows {
			add("try", fails && rng.IntN(2) == 0 || rng.IntN(20) == 0)
		}
		total[e.Stratum] += float64(count)
		switch {
		case fails:
			failed[e.Stratum] += float64(count)
			if v && z && f {
				planted += count
			}
			s.fails, s.failCounts, s.failMasks = append(s.fails, e), append(s.failCounts, count), append(s.failMasks, maskOf(e.Conditions))
		case p.thin < 2 || i%p.thin == 0:
			s.oks, s.okCounts, s.okMasks = append(s.oks, e), append(s.okCounts, count), append(s.okMasks, maskOf(e.Conditions))
		}
	}
	s.classes.Conditions = len(ids)
	var all float64
	for i := range failed {
		s.band = append(s.band, search.BandOf(failed[i]/total[i]))
		all += failed[i]
	}
	least := func(share float64) int64 { return max(5, int64(share*all)) }
	s.terms.Least = search.Supports{least(p.share / 2), least(p.share), least(p.share * 3 / 2)}
	if p.just {
		s.terms.Least[1] = planted
	}
	sets := 1.0
	s.terms.Price, s.terms.Limit = []float64{0}, []float64{0}
	for k := 1; k <= p.order; k++ {
		sets *= float64(len(s.classes.List)-k+1) / float64(k)
		s.terms.Price = append(s.terms.Price, 2*math.Log(sets))
		s.terms.Limit = append(s.terms.Limit, math.Log(0.01/sets))
	}
	return s
}

// boards lays the sample out.
func (s *sample) boards() (fails, oks *search.Board) {
	fails, oks = &search.Board{}, &search.Board{}
	fails.Lay(&s.classes, s.band, s.fails, s.failCounts)
	oks.Lay(&s.classes, s.band, s.oks, s.okCounts)
	return fails, oks
}

// A tally is what a set counts.
type tally struct {
	failed, ok         int64
	expected, surprise float64
}

// count counts a set, entry by entry.
func (s *sample) count(set []int32, rate []float64) (t tally) {
	want := maskOf(set)
	for i := range s.fails {
		if n := s.failCounts[i]; s.failMasks[i].has(&want) {
			r := rate[s.band[s.fails[i].Stratum]]
			t.failed += n
			t.expected += float64(n) * r
			t.surprise -= float64(n) * math.Log(r)
		}
	}
	for i := range s.oks {
		if n := s.okCounts[i]; s.okMasks[i].has(&want) {
			t.ok += n
			t.expected += float64(n) * rate[s.band[s.oks[i].Stratum]]
		}
	}
	return t
}

// exhaust scores every set of classes that has enough failures, from the entries alone: the
// best of all, and the best of those that name nothing that follows from failures.
func (s *sample) exhaust() (found, next []search.Candidate) {
	var failed, total [search.Bands]float64
	for i, e := range s.fails {
		failed[s.band[e.Stratum]] += float64(s.failCounts[i])
		total[s.band[e.Stratum]] += float64(s.failCounts[i])
	}
	for i, e := range s.oks {
		total[s.band[e.Stratum]] += float64(s.okCounts[i])
	}
	rate := make([]float64, search.Bands)
	for band := range rate {
		rate[band] = failed[band] / max(1, total[band])
	}
	all := s.count(nil, rate)
	f, n := float64(all.failed), float64(all.failed+all.ok)
	var extend func(set []int32, first int)
	extend = func(set []int32, first int) {
		for k := int32(first); int(k) < len(s.classes.List); k++ {
			class := &s.classes.List[k]
			if !class.Alone || slices.ContainsFunc(set, func(p int32) bool { return s.classes.List[p].Name == class.Name }) {
				continue
			}
			with := append(slices.Clone(set), k)
			now := s.count(with, rate)
			if now.failed < s.terms.Least.Least() {
				continue
			}
			dear := s.classes.Dear(with)
			score := search.Deviance(float64(now.failed), now.expected, float64(now.failed+now.ok), f, n) - s.terms.Price[len(with)] - dear
			limit := slices.Max(s.terms.Limit[len(with):]) // of so many elements or more
			likely := -now.surprise*max(1, s.failUnit, s.okUnit) <= limit-dear/2
			following := slices.DeleteFunc(slices.Clone(with), func(k int32) bool { return !s.classes.List[k].Follows })
			if likely && now.failed >= s.terms.Least.Of(len(with)) && score > -search.Short && s.minimal(with, now, rate) {
				if score > 0 && s.beyond(with, following, now, rate) {
					found = append(found, search.Candidate{Set: with, Score: score})
				}
				if len(following) == 0 && float64(now.failed) > now.expected {
					next = append(next, search.Candidate{Set: with, Score: score})
				}
			}
			if len(with) < s.terms.Order {
				extend(with, int(k)+1)
			}
		}
	}
	extend(nil, 0)
	slices.SortFunc(found, search.Compare)
	slices.SortFunc(next, search.Compare)
	return found[:min(len(found), search.Kept)], next[:min(len(next), search.Kept)]
}

// beyond reports whether a set explains more than the one thing in it that follows from
// failures: that those failures which have this keep to the rest of the set.
func (s *sample) beyond(set, following []int32, now tally, rate []float64) bool {
	if len(following) != 1 || len(set) == 1 {
		return true
	}
	alone := s.count(following, rate)
	all := float64(alone.failed)
	within := search.Deviance(float64(now.failed), now.expected*all/alone.expected, float64(now.failed+now.ok), all, float64(alone.failed+alone.ok))
	return within > s.terms.Price[len(set)-1]+s.classes.Dear(set)-s.classes.Dear(following)-search.Short
}

// minimal reports whether a set has other entries than it has without any of its classes.
func (s *sample) minimal(set []int32, now tally, rate []float64) bool {
	for drop := range set {
		less := s.count(slices.Delete(slices.Clone(set), drop, drop+1), rate)
		if len(set) > 1 && less.failed == now.failed && less.ok == now.ok {
			return false
		}
	}
	return true
}

func TestASearchFindsWhatCountingAllSetsFinds(t *testing.T) {
	for _, x := range []struct {
		name string
		plan plan
	}{
		{"pairs", plan{rows: 2000, columns: 4, values: 8, order: 2, risk: 0.2}},
		{"triples, of a sample", plan{rows: 3000, columns: 3, values: 6, implied: 2, order: 3, risk: 0.2, thin: 4}},
		{"what two of the set imply", plan{rows: 2000, columns: 1, values: 3, implied: 6, order: 3, risk: 0.3}},
		{"fours", plan{rows: 2000, columns: 3, values: 2, order: 4, risk: 0.3}},
		{"rare values, and larger sets that must cover more", plan{rows: 3000, columns: 2, values: 60, order: 3, risk: 0.6, share: 0.3}},
		{"a set that covers just as much as it must", plan{rows: 2000, columns: 3, values: 6, order: 3, risk: 0.3, just: true}},
		{"what follows from failures, among pairs", plan{rows: 2000, columns: 4, values: 8, order: 2, risk: 0.2, follows: true}},
		{"what follows from failures, among threes", plan{rows: 2000, columns: 3, values: 4, order: 3, risk: 0.3, follows: true}},
		{"nothing to find but what follows", plan{rows: 2000, columns: 3, values: 4, order: 3, follows: true}},
		{"nothing to find", plan{rows: 2000, columns: 3, values: 6, order: 3}},
		{"fives", plan{rows: 2000, columns: 2, values: 2, order: 5, risk: 0.5}},
		{"more pairs than are counted at once", plan{rows: 500, columns: 36, values: 3, order: 3, risk: 0.5}},
	} {
		t.Run(x.name, func(t *testing.T) {
			for seed := range uint64(6) {
				p := x.plan
				p.alone = seed%2 == 1
				s := p.build(seed)
				fails, oks := s.boards()
				var found search.Search
				found.Begin(t.Context(), &s.classes, s.terms)
				found.Run(fails, oks, s.failUnit, s.okUnit)
				best, next := s.exhaust()
				same(t, fmt.Sprintf("seed %d", seed), found.Best(), best)
				got, kept := found.Next()
				if kept != p.follows {
					t.Errorf("seed %d: sets without what follows are kept: %v", seed, kept)
				}
				if kept {
					same(t, fmt.Sprintf("seed %d, without what follows", seed), got, next)
				}
			}
		})
	}
}

// same reports an error if candidates are not the same, in the same order of scores.
func same(t *testing.T, what string, got, want []search.Candidate) {
	t.Helper()
	ok := slices.EqualFunc(got, want, func(a, b search.Candidate) bool { return math.Abs(a.Score-b.Score) < 1e-6 })
	for _, g := range got {
		ok = ok && slices.ContainsFunc(want, func(w search.Candidate) bool { return slices.Equal(w.Set, g.Set) })
	}
	if !ok {
		t.Errorf("%s: the search gave %d sets, counting all %d:\n%v\n%v", what, len(got), len(want), got, want)
	}
}
