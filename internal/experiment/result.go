package experiment

import (
	"math"
	"slices"
	"strconv"
)

// A Result is the answer, with what it rests on.
type Result struct {
	Factors []string `json:"factors"`
	Harm    string   `json:"harm"`
	// Verdict is that of the first of Sets; None, Regardless or Undecided when
	// there is none.
	Verdict Verdict `json:"verdict"`
	// Sets are the smallest sets of factors that are enough for harm with all
	// others off: the small ones first.
	Sets []Set `json:"sets"`
	// Crossed are the factors of Cells: all, or those that the screen left.
	Crossed []string `json:"crossed"`
	Cells   []Cell   `json:"cells"`
	// Contrasts are the effects of all sets of crossed factors, averaged over
	// the arms of the others.
	Contrasts []Contrast `json:"contrasts"`
	// Seeds are the first and the last seed of the crossed arms, Replications
	// how many that makes.
	Seeds        [2]uint64 `json:"seeds"`
	Replications int       `json:"replications"`
	Trials       int       `json:"trials"`
	// Stopped says why no more replications were made.
	Stopped string  `json:"stopped"`
	Screen  *Screen `json:"screen,omitempty"`
	// Missing says, in sentences, what would be needed to say more.
	Missing []string `json:"missing"`

	options Options
	data    *sample
	crossed []int // indexes of Crossed into Factors
}

// Proven returns the sets that are proven conjunctions.
func (r *Result) Proven() [][]string {
	var out [][]string
	for _, s := range r.Sets {
		if s.Verdict == ProvenConjunction {
			out = append(out, s.Factors)
		}
	}
	return out
}

// Kappa returns the conjunction index of a set of factors while those of at are
// on and all others off, and NaN where it is not defined or was not measured.
func (r *Result) Kappa(set, at []string) float64 {
	a, okA := r.arm(set)
	b, okB := r.arm(at)
	if !okA || !okB {
		return math.NaN()
	}
	for _, part := range subsets(a) {
		if _, n := r.data.count(part | b&^a); n == 0 {
			return math.NaN()
		}
	}
	k, ok := r.data.kappa(a, b&^a)
	if !ok {
		return math.NaN()
	}
	return k.Value
}

// Sharing returns the geometric mean of what sharing seeds gains (see
// Contrast.Sharing) over the effects of single factors and pairs on a response,
// and over how many; 0 if there is none.
func (r *Result) Sharing(response string) (ratio float64, n int) {
	var logs float64
	for _, c := range r.Contrasts {
		if c.Response == response && len(c.Factors) <= 2 && c.Sharing > 0 {
			logs += math.Log(c.Sharing)
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return math.Exp(logs / float64(n)), n
}

// arm returns the arm with the given factors on; false if one is not a factor.
func (r *Result) arm(on []string) (Arm, bool) {
	var a Arm
	for _, f := range on {
		i := slices.Index(r.Factors, f)
		if i < 0 {
			return 0, false
		}
		a |= 1 << i
	}
	return a, true
}

// round keeps six digits, so that results do not show noise of floating point.
func (r *Result) round() {
	six := func(values ...*float64) {
		for _, v := range values {
			// It is a number as Format wrote it.
			*v, _ = strconv.ParseFloat(strconv.FormatFloat(*v, 'g', 6, 64), 64)
		}
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		six(&c.Risk, &c.Low, &c.High)
		for k := range c.Measures {
			m := &c.Measures[k]
			six(&m.Mean, &m.Low, &m.High, &m.Median, &m.P99, &m.Max)
		}
	}
	for i := range r.Contrasts {
		c := &r.Contrasts[i]
		six(&c.Effect, &c.Low, &c.High, &c.P, &c.Sharing)
	}
	for i := range r.Sets {
		s := &r.Sets[i]
		six(&s.Risk.Value, &s.Risk.Low, &s.Risk.High, &s.IC.Value, &s.IC.Low, &s.IC.High)
		if s.Kappa != nil {
			six(&s.Kappa.Value, &s.Kappa.Low, &s.Kappa.High)
		}
		for k := range s.Edges {
			e := &s.Edges[k]
			six(&e.Risk.Value, &e.Risk.Low, &e.Risk.High, &e.P)
		}
	}
}
