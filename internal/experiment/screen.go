package experiment

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.test/eddy/internal/wording"
)

// maxFraction is how many factors are screened by a fraction; above, by pairs.
const maxFraction = 15

// A Screen is how many factors became few enough to be crossed in full.
type Screen struct {
	// Design is "resolution V" or "pairs".
	Design string `json:"design"`
	Arms   int    `json:"arms"`
	// Harmful is how many of them were enough for harm, Unexplained how many of
	// those hold none of the sets that were found.
	Harmful      int `json:"harmful"`
	Unexplained  int `json:"unexplained"`
	Replications int `json:"replications"` // of each arm
	// Left are factors that seem to matter too, and were not crossed because
	// there were too many.
	Left []string `json:"left,omitempty"`

	arms []Arm
}

// screen chooses the factors to cross.
func (r *Result) screen(ctx context.Context) error {
	if len(r.Factors) <= maxFraction {
		return r.screenFraction(ctx)
	}
	return r.screenPairs(ctx)
}

// screenFraction keeps the factors with the largest effects, of their own or
// in pairs.
func (r *Result) screenFraction(ctx context.Context) error {
	arms := fraction(len(r.Factors))
	// An effect compares one half of all trials with the other.
	n := max(3, 8*r.options.Min/len(arms))
	if err := r.data.extend(ctx, arms, n); err != nil {
		return err
	}
	r.Screen = &Screen{Design: "resolution V", Arms: len(arms), Replications: n, arms: arms}
	effect := r.effects(arms)
	var largest float64
	sets := r.mainAndPairs()
	for _, set := range sets {
		largest = max(largest, effect(set))
	}
	// Own effects are tried before those of pairs: a conjunction of three shows
	// in all its own effects, and through its aliases in pairs of bystanders.
	// Three standard errors of an effect between halves of risk 1/2.
	least := max(largest/5, 3/math.Sqrt(float64(n*len(arms))))
	sets = slices.DeleteFunc(sets, func(a Arm) bool { return effect(a) < least })
	slices.SortStableFunc(sets, func(a, b Arm) int {
		return cmp.Or(cmp.Compare(a.Size(), b.Size()), cmp.Compare(effect(b), effect(a)))
	})
	r.keep(sets)
	return nil
}

// effects returns the size of the effect of a set on harm over arms of a
// fraction.
func (r *Result) effects(arms []Arm) func(Arm) float64 {
	return func(set Arm) float64 {
		var sum float64
		for _, a := range arms {
			sum += (1 - 2*float64((set.Size()-(a&set).Size())&1)) * r.data.risk(a)
		}
		return math.Abs(2 * sum / float64(len(arms)))
	}
}

func (r *Result) mainAndPairs() []Arm {
	var sets []Arm
	for i := range r.Factors {
		sets = append(sets, 1<<i)
		for j := range i {
			sets = append(sets, 1<<i|1<<j)
		}
	}
	return sets
}

// screenPairs shrinks the harmful arms of a covering array, the smallest first,
// until each holds a set that is known.
func (r *Result) screenPairs(ctx context.Context) error {
	arms := pairs(len(r.Factors))
	n := max(3, r.options.Min/4)
	if err := r.data.extend(ctx, arms, n); err != nil {
		return err
	}
	r.Screen = &Screen{Design: "pairs", Arms: len(arms), Replications: n, arms: arms}
	slices.SortStableFunc(arms, func(a, b Arm) int { return cmp.Compare(a.Size(), b.Size()) })
	var sets []Arm
	for _, a := range arms {
		if !r.harmful(a) || slices.ContainsFunc(sets, func(s Arm) bool { return s.within(a) }) {
			continue
		}
		set, err := r.shrink(ctx, a, n)
		if err != nil {
			return err
		}
		sets = append(sets, set)
	}
	r.keep(sets)
	return nil
}

func (r *Result) harmful(a Arm) bool { return r.data.risk(a) >= r.options.Sufficient }

// shrink takes factors out of a harmful arm, in ever smaller groups, as long as
// it stays harmful (delta debugging: Zeller and Hildebrandt 2002).
func (r *Result) shrink(ctx context.Context, a Arm, n int) (Arm, error) {
	for groups := 2; a.Size() > 0; {
		smaller := false
		for _, group := range divide(a, groups) {
			less := a &^ group
			if err := r.data.extend(ctx, []Arm{less}, n); err != nil {
				return 0, err
			}
			if r.harmful(less) {
				a, smaller = less, true
				break
			}
		}
		switch {
		case smaller:
			groups = max(2, min(groups-1, a.Size()))
		case groups >= a.Size():
			return a, nil
		default:
			groups = min(2*groups, a.Size())
		}
	}
	return a, nil
}

// divide returns the factors of an arm in at most the given number of groups.
func divide(a Arm, groups int) []Arm {
	out := make([]Arm, min(groups, a.Size()))
	n := 0
	for i := range 64 {
		if a.On(i) {
			out[n*len(out)/a.Size()] |= 1 << i
			n++
		}
	}
	return out
}

// keep crosses the factors of the sets, as long as they fit, the first sets
// first.
func (r *Result) keep(sets []Arm) {
	var kept, left Arm
	for _, set := range sets {
		if (kept | set).Size() <= maxCrossed {
			kept |= set
		} else {
			left |= set &^ kept
		}
	}
	if left &^= kept; left != 0 {
		r.Screen.Left = left.names(r.Factors)
	}
	r.crossed = r.crossed[:0]
	for i := range r.Factors {
		if kept.On(i) {
			r.crossed = append(r.crossed, i)
		}
	}
}

// compare holds what was found against the arms of the screen.
func (r *Result) compare() {
	if r.Screen == nil {
		return
	}
	var sets []Arm
	for _, s := range r.Sets {
		a, _ := r.arm(s.Factors)
		sets = append(sets, a)
	}
	for _, a := range r.Screen.arms {
		if !r.harmful(a) {
			continue
		}
		r.Screen.Harmful++
		if !slices.ContainsFunc(sets, func(s Arm) bool { return s.within(a) }) {
			r.Screen.Unexplained++
		}
	}
	if n := r.Screen.Unexplained; n > 0 {
		r.Missing = append(r.Missing, fmt.Sprintf("%s of the screen did harm without any of the sets found: other factors matter too",
			wording.Plural(n, "arm")))
	}
	if left := r.Screen.Left; len(left) > 0 {
		r.Missing = append(r.Missing, fmt.Sprintf("%s seem to matter too, and %d factors are the most that are crossed: ask about fewer",
			strings.Join(left, ", "), maxCrossed))
	}
}
