package search

import (
	"cmp"
	"slices"
)

// Kept is how many sets of a search are kept at most.
const Kept = 64

// A Candidate is a set of classes, ascending, and how it scored in the search.
type Candidate struct {
	Set   []int32
	Score float64
}

// Compare orders candidates: those that score most first, then the smallest.
func Compare(a, b Candidate) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(len(a.Set), len(b.Set)),
		slices.Compare(a.Set, b.Set))
}

// A shortlist keeps the best candidates that it is offered.
type shortlist struct {
	list  []Candidate
	worst float64 // the score that another one must beat
}

// reset empties the list; another candidate must beat worst.
func (l *shortlist) reset(worst float64) { l.list, l.worst = l.list[:0], worst }

func (l *shortlist) offer(set []int32, score float64) {
	if score <= l.worst {
		return
	}
	set = slices.Clone(set)
	slices.Sort(set)
	l.list = append(l.list, Candidate{set, score})
	if len(l.list) >= 2*Kept {
		l.trim()
		l.worst = l.list[Kept-1].Score
	}
}

func (l *shortlist) trim() {
	slices.SortFunc(l.list, Compare)
	l.list = l.list[:min(len(l.list), Kept)]
}

// join adds what another list has, and raises the bar.
func (l *shortlist) join(o shortlist) {
	l.list = append(l.list, o.list...)
	slices.SortFunc(l.list, Compare)
	l.list = slices.CompactFunc(l.list, func(a, b Candidate) bool { return slices.Equal(a.Set, b.Set) })
	if len(l.list) >= Kept {
		l.list = l.list[:Kept]
		l.worst = l.list[Kept-1].Score
	}
}
