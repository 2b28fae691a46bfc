package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// A Verdict is what an experiment says about a set of factors.
type Verdict string

// The verdicts.
const (
	// ProvenConjunction: the whole set is enough for harm, and with any of its
	// factors missing there is no harm: the interval of the contrast is above 0,
	// that of κ from a half on, and that of the risk of each smaller part within
	// what counts as harmless.
	ProvenConjunction Verdict = "proven conjunction"
	// Amplifying: together the factors do more harm than the sum of the parts,
	// but the parts do some too.
	Amplifying Verdict = "amplifying"
	// Additive: no more harm together is shown than the sum of the parts.
	Additive Verdict = "additive"
	// Antagonistic: together the factors do less harm than the sum of the parts.
	Antagonistic Verdict = "antagonistic"
	// SingleCause: one factor is enough for harm by itself.
	SingleCause Verdict = "single cause"
	// None: no combination of the factors is enough for harm.
	None Verdict = "none"
	// Regardless: there is harm even with all of the factors off.
	Regardless Verdict = "regardless"
	// Undecided: the trials do not tell; what is missing is said.
	Undecided Verdict = "undecided"
)

// A Set is a smallest set of factors that is enough for harm: with it on and
// all other factors off, harm is likely, and with any part of it alone it is
// not.
type Set struct {
	Factors []string `json:"factors"`
	Verdict Verdict  `json:"verdict"`
	Risk    Estimate `json:"risk"` // with the whole set
	// IC is the contrast of the set: for two factors p11 - p10 - p01 + p00.
	IC Estimate `json:"ic"`
	// Kappa is the share of the effect that needs the whole set, 1 for a pure
	// conjunction; nil if there is no effect to share.
	Kappa *Estimate `json:"kappa,omitempty"`
	// Edges say what taking one factor away does.
	Edges []Edge `json:"edges"`
	// Breaks are the other factors that prevent the harm when they are on too:
	// defences, if they can be kept on.
	Breaks []string `json:"breaks"`
}

// An Edge compares a set with the same set less one factor.
type Edge struct {
	Without string   `json:"without"`
	Risk    Estimate `json:"risk"`
	// P is that of the hypothesis that taking the factor away changes nothing
	// (Fisher's exact test, two-sided).
	P float64 `json:"p"`
}

// rule finds the minimal sets among the arms, and gives the verdict.
func (r *Result) rule(arms []Arm) {
	r.Sets, r.Missing = r.Sets[:0], r.Missing[:0]
	minimal := Minimal(arms, func(a Arm) bool { return r.data.risk(a) >= r.options.Sufficient })
	if len(minimal) == 0 {
		r.Verdict = r.nothing(arms)
		return
	}
	if minimal[0] == 0 {
		r.Verdict = Regardless
		r.Missing = append(r.Missing, "with all factors off there is harm too: what causes it is not among the factors")
		return
	}
	for _, set := range minimal {
		r.Sets = append(r.Sets, r.set(set, arms))
	}
	r.Verdict = r.Sets[0].Verdict
}

// nothing is the verdict when no arm is harmful.
func (r *Result) nothing(arms []Arm) Verdict {
	for _, a := range arms {
		harmed, n := r.data.count(a)
		if _, high := r.interval(a); high >= r.options.Sufficient {
			r.Missing = append(r.Missing, fmt.Sprintf("%s with %s: %d of %d, which may still be enough for harm",
				r.Harm, a.text(r.Factors), harmed, n))
			return Undecided
		}
	}
	return None
}

// Minimal returns the arms that are harmful without any arm within them being
// so: the smallest first, then in counting order. Only the arms given are
// looked at.
func Minimal(arms []Arm, harmful func(Arm) bool) []Arm {
	sorted := slices.Clone(arms)
	slices.SortFunc(sorted, func(a, b Arm) int {
		return cmp.Or(cmp.Compare(a.Size(), b.Size()), cmp.Compare(a, b))
	})
	var minimal []Arm
	for _, a := range sorted {
		if !slices.ContainsFunc(minimal, func(m Arm) bool { return m.within(a) }) && harmful(a) {
			minimal = append(minimal, a)
		}
	}
	return minimal
}

// set describes a minimal set.
func (r *Result) set(set Arm, arms []Arm) Set {
	s := Set{Factors: set.names(r.Factors), Risk: r.estimate(set), IC: r.data.conjunction(set, 0), Edges: []Edge{}, Breaks: []string{}}
	if k, ok := r.data.kappa(set, 0); ok {
		s.Kappa = &k
	}
	harmed, n := r.data.count(set)
	for i, f := range r.Factors {
		if set.On(i) {
			less := set &^ (1 << i)
			h, m := r.data.count(less)
			s.Edges = append(s.Edges, Edge{Without: f, Risk: r.estimate(less), P: fisher(harmed, n, h, m)})
			continue
		}
		if more := set | 1<<i; slices.Contains(arms, more) && r.harmless(more) {
			s.Breaks = append(s.Breaks, f)
		}
	}
	s.Verdict = r.ladder(set, s)
	return s
}

// ladder gives the verdict on a minimal set.
func (r *Result) ladder(set Arm, s Set) Verdict {
	if set.Size() == 1 {
		return r.single(set, s)
	}
	switch {
	case s.IC.High < 0:
		return Antagonistic
	case s.IC.Low <= 0 && (s.IC.High-s.IC.Low)/2 <= 2*r.options.HalfWidth:
		return Additive
	case s.IC.Low <= 0:
		r.Missing = append(r.Missing, fmt.Sprintf("whether %s do more together than apart: the contrast is %.2f, %.2f to %.2f",
			set.text(r.Factors), s.IC.Value, s.IC.Low, s.IC.High))
		return Undecided
	}
	parts := subsets(set)
	parts = parts[:len(parts)-1]
	if !slices.ContainsFunc(parts, func(a Arm) bool { return !r.harmless(a) }) && s.Kappa != nil && s.Kappa.Low >= 0.5 {
		return ProvenConjunction
	}
	for _, a := range parts {
		if low, _ := r.interval(a); low > r.options.Harmless {
			return Amplifying
		}
	}
	if s.Kappa != nil && s.Kappa.High < 0.5 {
		return Amplifying
	}
	r.Missing = append(r.Missing, r.short(parts, s))
	return Undecided
}

// single gives the verdict on a set of one: whether it is shown to do more harm
// than there is without it.
func (r *Result) single(set Arm, s Set) Verdict {
	if s.Edges[0].P < 0.05 && s.Risk.Value > r.data.risk(0) {
		return SingleCause
	}
	r.Missing = append(r.Missing, fmt.Sprintf("whether %s does more harm than there is without it: p is %.2f",
		set.text(r.Factors), s.Edges[0].P))
	return Undecided
}

// short says what keeps a conjunction from being proven.
func (r *Result) short(parts []Arm, s Set) string {
	for _, a := range parts {
		if _, high := r.interval(a); high > r.options.Harmless {
			harmed, n := r.data.count(a)
			return fmt.Sprintf("whether there is %s with %s alone: %d of %d may be up to %s, and %s is what counts as harmless",
				r.Harm, a.text(r.Factors), harmed, n, wording.Percent(high), wording.Percent(r.options.Harmless))
		}
	}
	return "whether most of the effect needs all of " + strings.Join(s.Factors, " and ") + ": κ is too uncertain"
}

func (r *Result) harmless(a Arm) bool {
	_, high := r.interval(a)
	return high <= r.options.Harmless
}

func (r *Result) interval(a Arm) (low, high float64) {
	harmed, n := r.data.count(a)
	return interaction.Wilson(float64(harmed), float64(n))
}

func (r *Result) estimate(a Arm) Estimate {
	low, high := r.interval(a)
	return Estimate{Value: r.data.risk(a), Low: low, High: high}
}
