package experiment

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"example.test/eddy/internal/interaction"
)

// A Contrast is the effect of a set of factors on one response, averaged over
// the arms of the other factors: for one factor how much more it is on than
// off, for several half the difference that the last one makes to the effect of
// those before (Box, Hunter and Hunter 2005). Of k factors it is 2^(1-k) times
// the sum over all arms of the response with the sign of the set.
type Contrast struct {
	Factors  []string `json:"factors"`
	Response string   `json:"response"`
	N        int      `json:"n"` // seeds
	Effect   float64  `json:"effect"`
	// Low and High are the 95 % bootstrap interval, drawn by seed.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// P is that of a paired t test by seed, Significant whether it stands when
	// all contrasts of the result are counted (Benjamini and Hochberg 1995).
	P           float64 `json:"p"`
	Significant bool    `json:"significant"`
	// Sharing is how much arms that share their seeds gain: the variance that the
	// effect would have if each arm had seeds of its own, over the one that it has
	// (common random numbers: Law 2015). Below 1 sharing costs precision. It is 0
	// where one of the two is.
	Sharing float64 `json:"sharing"`
}

// contrasts returns the effects of all sets of the crossed factors on all
// responses, small sets first.
func (s *sample) contrasts(crossed []int, arms []Arm) []Contrast {
	sets := slices.Clone(arms[1:])
	slices.SortStableFunc(sets, func(a, b Arm) int { return cmp.Compare(a.Size(), b.Size()) })
	var out []Contrast
	for m := -1; m < len(s.options.Measures); m++ {
		for _, set := range sets {
			if c, ok := s.contrast(set, arms, m, len(crossed)); ok {
				out = append(out, c)
			}
		}
	}
	significant(out, s.options.Q)
	return out
}

// contrast returns the effect of a set on measure m, -1 being harm; false if
// too few seeds define it in all arms.
func (s *sample) contrast(set Arm, arms []Arm, m, k int) (Contrast, bool) {
	c := Contrast{Factors: set.names(s.options.Factors), Response: s.options.Harm}
	if m >= 0 {
		c.Response = s.options.Measures[m]
	}
	effects := s.bySeed(arms, m, func(a Arm) float64 {
		sign := 1 - 2*float64((set.Size()-(a&set).Size())&1)
		return sign * math.Exp2(float64(1-k))
	})
	if len(effects) < 2 {
		return c, false
	}
	c.N, c.Effect, c.P = len(effects), mean(effects), paired(effects)
	c.Low, c.High = bootstrap(effects, s.options.Seed)
	if shared := variance(effects); shared > 1e-18*c.Effect*c.Effect {
		c.Sharing = s.apart(arms, m, k) / shared
	}
	return c, true
}

// apart is the variance that an effect of k factors would have, seed for seed, if
// the arms moved independently of each other: the sum of their own variances,
// each times the square of its coefficient.
func (s *sample) apart(arms []Arm, m, k int) float64 {
	var sum float64
	for _, a := range arms {
		var values []float64
		for _, o := range s.outcomes[a] {
			if v := o.value(m); finite(v) {
				values = append(values, v)
			}
		}
		if len(values) > 1 {
			sum += variance(values)
		}
	}
	return sum * math.Exp2(2*float64(1-k))
}

// variance is that of a population of which values are a sample.
func variance(values []float64) float64 {
	m := mean(values)
	var squares float64
	for _, v := range values {
		squares += (v - m) * (v - m)
	}
	return squares / float64(len(values)-1)
}

// bySeed returns, for each seed that defines measure m in all arms, the sum of
// the arms' values times their coefficients.
func (s *sample) bySeed(arms []Arm, m int, coefficient func(Arm) float64) []float64 {
	n := len(s.outcomes[arms[0]])
	sums := make([]float64, n)
	for _, a := range arms {
		of := coefficient(a)
		for i, o := range s.outcomes[a][:n] {
			sums[i] += of * o.value(m)
		}
	}
	return slices.DeleteFunc(sums, func(v float64) bool { return !finite(v) })
}

// value is measure m, or harm as 0 or 1 if m is -1.
func (o Outcome) value(m int) float64 {
	switch {
	case m >= 0:
		return o.Values[m]
	case o.Harm:
		return 1
	}
	return 0
}

// paired is the p of the hypothesis that the mean of the differences is 0: that
// of the t test or, where all are the same and it has no scale, of the signs.
func paired(differences []float64) float64 {
	n := float64(len(differences))
	m, v := mean(differences), variance(differences)
	switch {
	case m == 0:
		return 1
	case v*(n-1) <= 1e-18*m*m:
		return math.Exp2(1 - n)
	}
	t := math.Abs(m) / math.Sqrt(v/n)
	return 2 * distuv.StudentsT{Sigma: 1, Nu: n - 1}.Survival(t)
}

// significant marks the contrasts that stand when a share q of them may be
// false.
func significant(all []Contrast, q float64) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[a].P, all[b].P) })
	last := -1
	for rank, i := range order {
		if all[i].P <= q*float64(rank+1)/float64(len(all)) {
			last = rank
		}
	}
	for _, i := range order[:last+1] {
		all[i].Significant = true
	}
}

// Mean returns the mean of values, with the 95 % interval of the t distribution;
// of fewer than two it is that value.
func Mean(values []float64) Estimate {
	n := float64(len(values))
	e := Estimate{Value: mean(values)}
	e.Low, e.High = e.Value, e.Value
	if n >= 2 {
		half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * math.Sqrt(variance(values)/n)
		e.Low, e.High = e.Value-half, e.Value+half
	}
	return e
}

// An Estimate is a number with its 95 % interval.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// conjunction returns the contrast IC of a set while the factors of at are on
// and the others off: the risk with the whole set, less those with all but one,
// plus those with all but two, and so on. Of two factors it is
// p11 - p10 - p01 + p00.
//
// Its interval is recovered from those of the arms (Newcombe 1998, for any
// contrast Zou and Donner 2008), which takes the arms as independent, and
// widened to the bootstrap by seed where that reaches further, since arms that
// share a seed may move against each other.
func (s *sample) conjunction(set, at Arm) Estimate {
	parts := subsets(set)
	for i := range parts {
		parts[i] |= at
	}
	coefficient := func(a Arm) float64 { return 1 - 2*float64((set.Size()-(a&set).Size())&1) }
	var e Estimate
	var below, above float64
	for _, a := range parts {
		harmed, n := s.count(a)
		risk := s.risk(a)
		low, high := interaction.Wilson(float64(harmed), float64(n))
		of := coefficient(a)
		e.Value += of * risk
		if of < 0 {
			low, high = high, low
		}
		below += (risk - low) * (risk - low)
		above += (high - risk) * (high - risk)
	}
	low, high := bootstrap(s.bySeed(parts, -1, coefficient), s.options.Seed)
	e.Low = min(low, e.Value-math.Sqrt(below))
	e.High = max(high, e.Value+math.Sqrt(above))
	return e
}

// kappa returns the share of a set's effect that needs the whole set: IC over
// the risk with all of it less that with none. 1 is a pure conjunction, 0
// additive, less than 0 antagonistic. It is false where whole and none cannot
// be told apart, so that there is no effect to share.
//
// The interval is that of the ratio when the risks are drawn from their
// posteriors under Jeffreys' prior, whose intervals of a risk cover as stated
// even at 0 and 1 (Brown, Cai and DasGupta 2001).
func (s *sample) kappa(set, at Arm) (Estimate, bool) {
	const draws = 4000
	parts := subsets(set)
	source := rand.NewPCG(s.options.Seed, uint64(set|at))
	var e Estimate
	contrasts, effects := make([]float64, draws), make([]float64, draws)
	for _, part := range parts {
		harmed, n := s.count(part | at)
		of := 1 - 2*float64((set.Size()-part.Size())&1)
		e.Value += of * s.risk(part|at)
		risk := distuv.Beta{Alpha: float64(harmed) + 0.5, Beta: float64(n-harmed) + 0.5, Src: source}
		for i := range draws {
			p := risk.Rand()
			contrasts[i] += of * p
			switch part {
			case set:
				effects[i] += p
			case 0:
				effects[i] -= p
			}
		}
	}
	whole := s.risk(set|at) - s.risk(at)
	ratios := contrasts
	for i, effect := range effects {
		if (effect > 0) != (whole > 0) { // cannot be told from none
			ratios[i] = math.NaN()
			continue
		}
		ratios[i] = contrasts[i] / effect
	}
	ratios = slices.DeleteFunc(ratios, math.IsNaN)
	if whole == 0 || len(ratios) < draws*975/1000 {
		return Estimate{}, false
	}
	slices.Sort(ratios)
	e.Value /= whole
	e.Low, e.High = min(Quantile(ratios, 0.025), e.Value), max(Quantile(ratios, 0.975), e.Value)
	return e, true
}

// subsets returns all subsets of a set, the set itself last.
func subsets(set Arm) []Arm {
	var factors []int
	for rest := uint64(set); rest != 0; rest &= rest - 1 {
		factors = append(factors, bits.TrailingZeros64(rest))
	}
	return full(factors)
}

// fisher is the two-sided p of the hypothesis that two arms have the same risk:
// the chance, given how many trials did harm in both together, of a table as
// unlikely as this one (Fisher 1935).
func fisher(harmedA, nA, harmedB, nB int) float64 {
	harmed, n := harmedA+harmedB, nA+nB
	log := func(x int) float64 {
		return logChoose(harmed, x) + logChoose(n-harmed, nA-x) - logChoose(n, nA)
	}
	seen := log(harmedA)
	var p float64
	for x := max(0, nA-(n-harmed)); x <= min(harmed, nA); x++ {
		if l := log(x); l <= seen+1e-9 {
			p += math.Exp(l)
		}
	}
	return min(1, p)
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
