package accuracy

import (
	"cmp"
	"math"
	"slices"
)

// A study explains an incident by its change against the minutes before, as the
// engine does, in a plain way that lets one choice at a time be another. The
// choices were made on the even-numbered incidents.
type study struct {
	name string
	// expect is how many bad events of a part of the minute its history lets
	// expect.
	expect func(p, all part) float64
	// surprise scores a part by its bad events and what was expected.
	surprise func(p, all part) float64
	// shrink is how many events at the overall rate a history starts from.
	shrink float64
	// rest is the part of the first set's excess that another must have to be
	// listed as another cause, and not among the rivals of the first.
	rest float64
	// rivals says that the runners-up to the first set are listed at the end.
	rivals bool
}

// studies lists the method of the engine, and what each choice is worth.
func studies() []study {
	variant := func(name string, change func(s *study)) study {
		s := study{name, byLeaf, stable, 10, 0.1, true}
		change(&s)
		s.name = name
		return s
	}
	return []study{
		variant("as chosen", func(*study) {}),
		variant("the history of the set, not of each combination", func(s *study) { s.expect = bySet(s.shrink) }),
		variant("no history", func(s *study) { s.expect = byNothing }),
		variant("a history starts from 0.1 events", func(s *study) { s.shrink = 0.1 }),
		variant("a history starts from 1,000 events", func(s *study) { s.shrink = 1000 }),
		variant("Poisson deviance", func(s *study) { s.surprise = poisson }),
		variant("deviance of the rest counts too", func(s *study) { s.surprise = bothSides }),
		variant("what rose elsewhere is a factor", func(s *study) { s.surprise = factor }),
		variant("another cause from 5 % of the excess", func(s *study) { s.rest = 0.05 }),
		variant("another cause from 20 % of the excess", func(s *study) { s.rest = 0.2 }),
		variant("no rivals", func(s *study) { s.rivals = false }),
	}
}

const (
	// dearer is what a condition costs, in deviance, among the rivals.
	dearer = 8
	// longest is how many conditions a set may have, and mostAnswers how many
	// sets an answer has.
	longest     = 3
	mostAnswers = 8
)

// A part is what some of the traffic counts: in the minute, before it, and how
// many bad events its combinations let expect in the minute.
type part struct {
	now, bad    float64
	before, was float64
	leaves      float64
	expected    float64 // by the study
}

func (p *part) plus(o part) {
	p.now, p.bad = p.now+o.now, p.bad+o.bad
	p.before, p.was = p.before+o.before, p.was+o.was
	p.leaves += o.leaves
}

func byLeaf(p, _ part) float64 { return p.leaves }

func bySet(shrink float64) func(p, all part) float64 {
	return func(p, all part) float64 { return p.now * (p.was + shrink*all.was/all.before) / (p.before + shrink) }
}

func byNothing(part, part) float64 { return 0 }

// measure is what a part's bad events are measured by: what its history lets
// expect and, for each event, what the rest of the traffic has beyond its own.
func measure(p, all part) float64 {
	out := all.now - p.now
	if out <= 0 {
		return p.expected
	}
	return p.expected + p.now*max(0, all.bad-p.bad-all.expected+p.expected)/out
}

// stable is the excess in standard deviations, squared: the square root of a
// count has nearly the same variance whatever its mean (Anscombe 1948).
func stable(p, all part) float64 {
	expected := measure(p, all)
	if p.bad <= expected {
		return 0
	}
	d := math.Sqrt(p.bad+3./8) - math.Sqrt(expected+3./8)
	return 4 * d * d
}

// poisson is the deviance of the part's bad events.
func poisson(p, all part) float64 {
	expected := max(measure(p, all), 1e-9)
	if p.bad <= expected {
		return 0
	}
	return 2 * (p.bad*math.Log(p.bad/expected) - p.bad + expected)
}

// twoSides is the deviance of the split of all bad events between part and rest.
func twoSides(p, all part, expected float64) float64 {
	if p.bad <= expected || expected <= 0 || expected >= all.bad {
		return 0
	}
	g := p.bad * math.Log(p.bad/expected)
	if rest := all.bad - p.bad; rest > 0 {
		g += rest * math.Log(rest/(all.bad-expected))
	}
	return 2 * g
}

// bothSides compares the part and the rest with the same excess for all.
func bothSides(p, all part) float64 {
	return twoSides(p, all, p.expected+p.now*(all.bad-all.expected)/all.now)
}

// factor compares them with the same growth for all.
func factor(p, all part) float64 {
	return twoSides(p, all, p.expected*all.bad/all.expected)
}

// A leaf is all that has the same attributes: the finest part there is.
type leaf struct {
	set       Set
	part      part
	explained bool
}

func (s *study) leaves(i *Incident) []leaf {
	at := make(map[string]int)
	var leaves []leaf
	var all part
	for _, c := range i.Cells {
		k, ok := at[c.Set.String()]
		if !ok {
			k = len(leaves)
			at[c.Set.String()] = k
			leaves = append(leaves, leaf{set: c.Set})
		}
		p := part{before: float64(c.All), was: float64(c.Bad)}
		if c.Minute == minutes-1 {
			p = part{now: float64(c.All), bad: float64(c.Bad)}
		}
		leaves[k].part.plus(p)
		all.plus(p)
	}
	for k := range leaves {
		p := &leaves[k].part
		p.leaves = bySet(s.shrink)(*p, all)
	}
	return leaves
}

// A ranked set is one with its score.
type ranked struct {
	set    Set
	score  float64
	excess float64
}

func (r ranked) compare(o ranked, price float64) int {
	return cmp.Or(cmp.Compare(o.score-price*float64(len(o.set)), r.score-price*float64(len(r.set))),
		cmp.Compare(len(r.set), len(o.set)), cmp.Compare(r.set.String(), o.set.String()))
}

// score lists the sets that the leaves not yet explained have.
func (s *study) score(leaves []leaf) []ranked {
	parts, sets := make(map[string]*part), make(map[string]Set)
	var all part
	for _, l := range leaves {
		if l.explained {
			continue
		}
		all.plus(l.part)
		each(l.set, longest, func(set Set) {
			key := set.String()
			if parts[key] == nil {
				parts[key], sets[key] = &part{}, slices.Clone(set)
			}
			parts[key].plus(l.part)
		})
	}
	all.expected = s.expect(all, all)
	var list []ranked
	for key, p := range parts {
		p.expected = s.expect(*p, all)
		if x := s.surprise(*p, all); x > 0 {
			list = append(list, ranked{sets[key], x, p.bad - p.expected})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int { return a.compare(b, 0) })
	return list
}

// explain names the best set, then the best of what it leaves as long as that
// is much, then the rivals of the first.
func (s *study) explain(i *Incident) []Set {
	leaves := s.leaves(i)
	first := s.score(leaves)
	var answer []Set
	for list := first; len(list) > 0 && len(answer) < mostAnswers; list = s.score(leaves) {
		best := list[0]
		if best.excess < s.rest*first[0].excess {
			break
		}
		answer = append(answer, best.set)
		for k := range leaves {
			leaves[k].explained = leaves[k].explained || leaves[k].set.Contains(best.set)
		}
	}
	if !s.rivals {
		return answer
	}
	slices.SortFunc(first, func(a, b ranked) int { return a.compare(b, dearer) })
	for _, r := range first {
		if len(answer) < mostAnswers && index(answer, r.set) < 0 {
			answer = append(answer, r.set)
		}
	}
	return answer
}
