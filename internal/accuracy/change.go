package accuracy

import (
	"cmp"
	"math"
	"slices"
)

// This is a study of how an incident is explained by its change against the
// minutes before. Its few choices were made on the even-numbered incidents; the
// table shows both halves.

const (
	// shrink is how many observations at the overall rate a leaf's history
	// starts from. From 0.1 to 1,000 the result is the same within two cases.
	shrink = 10
	// rest is the part of the first set's excess that the next must have to be
	// listed as another cause, and not after the rivals of the first.
	rest = 0.1
	// dearer is what a condition costs, in deviance, among the rivals.
	dearer = 8
	// longest is how many conditions a set may have, and mostAnswers how many
	// sets an answer has.
	longest     = 3
	mostAnswers = 8
)

// A leaf is all that has the same attributes: the finest cell there is.
type leaf struct {
	set         Set
	now, bad    float64 // events of the minute, and the bad ones
	before, was float64 // the same of the minutes before
	expected    float64 // bad events of the minute at the rate before
	explained   bool
}

func (i *Incident) leaves() []leaf {
	at := make(map[string]int)
	var leaves []leaf
	var bad, all float64
	for _, c := range i.Cells {
		k, ok := at[c.Set.String()]
		if !ok {
			k = len(leaves)
			at[c.Set.String()] = k
			leaves = append(leaves, leaf{set: c.Set})
		}
		l := &leaves[k]
		if c.Minute == minutes-1 {
			l.now, l.bad = l.now+float64(c.All), l.bad+float64(c.Bad)
			continue
		}
		l.before, l.was = l.before+float64(c.All), l.was+float64(c.Bad)
		all, bad = all+float64(c.All), bad+float64(c.Bad)
	}
	for k := range leaves {
		l := &leaves[k]
		l.expected = l.now * (l.was + shrink*bad/all) / (l.before + shrink)
	}
	return leaves
}

// A part is what some leaves count in the minute.
type part struct{ now, bad, expected float64 }

func (p *part) add(l *leaf) {
	p.now, p.bad, p.expected = p.now+l.now, p.bad+l.bad, p.expected+l.expected
}

// surprise is the deviance of the bad events in p from what was to be expected:
// their own history and, for each event, what the rest of the traffic has beyond
// its own. The square root makes the variance nearly one (Anscombe 1948).
func (p part) surprise(all part) float64 {
	expected := p.expected
	if out := all.now - p.now; out > 0 {
		expected += p.now * max(0, all.bad-p.bad-all.expected+p.expected) / out
	}
	if p.bad <= expected {
		return 0
	}
	d := math.Sqrt(p.bad+3./8) - math.Sqrt(expected+3./8)
	return 4 * d * d
}

// A ranked set is one with its score.
type ranked struct {
	set    Set
	score  float64
	excess float64
}

func (r ranked) less(o ranked, price float64) int {
	return cmp.Or(cmp.Compare(o.score-price*float64(len(o.set)), r.score-price*float64(len(r.set))),
		cmp.Compare(len(r.set), len(o.set)), cmp.Compare(r.set.String(), o.set.String()))
}

// scored lists the sets that the leaves not yet explained have.
func scored(leaves []leaf) []ranked {
	parts, sets := make(map[string]*part), make(map[string]Set)
	var all part
	for k := range leaves {
		l := &leaves[k]
		if l.explained {
			continue
		}
		all.add(l)
		each(l.set, longest, func(s Set) {
			key := s.String()
			if parts[key] == nil {
				parts[key], sets[key] = &part{}, slices.Clone(s)
			}
			parts[key].add(l)
		})
	}
	var list []ranked
	for key, p := range parts {
		if x := p.surprise(all); x > 0 {
			list = append(list, ranked{sets[key], x, p.bad - p.expected})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int { return a.less(b, 0) })
	return list
}

// change explains an incident by what changed: the best set, then the best of
// what it leaves as long as that is much, then the rivals of the first.
func (i *Incident) change() []Set {
	leaves := i.leaves()
	first := scored(leaves)
	var answer []Set
	for list := first; len(list) > 0 && len(answer) < mostAnswers; list = scored(leaves) {
		best := list[0]
		if best.excess < rest*first[0].excess {
			break
		}
		answer = append(answer, best.set)
		for k := range leaves {
			leaves[k].explained = leaves[k].explained || leaves[k].set.Contains(best.set)
		}
	}
	slices.SortFunc(first, func(a, b ranked) int { return a.less(b, dearer) })
	for _, r := range first {
		if len(answer) < mostAnswers && index(answer, r.set) < 0 {
			answer = append(answer, r.set)
		}
	}
	return answer
}
