package interaction

import (
	"math"
	"slices"
)

// tail bounds the probability that a sum of independent trials with at most m
// successes and e expected reaches o: by the binomial with the same mean and
// number of trials, which no such sum exceeds beyond a point above its mean
// (Hoeffding 1956).
func tail(m, o, e float64) float64 {
	m, o = math.Ceil(m-1e-9), math.Ceil(o-1e-9)
	if o <= e+1 || e <= 0 && o <= 0 {
		return 1
	}
	if e <= 0 || o > m {
		return 0
	}
	return binomialTail(m, o, min(e/m, 1))
}

// binomialTail is P(X >= o) for X binomial with m trials of probability p, by
// its series, which falls faster than geometrically above the mean.
func binomialTail(m, o, p float64) float64 {
	switch {
	case o <= 0 || p >= 1:
		return 1
	case o > m || p <= 0:
		return 0
	}
	first := logChoose(m, o) + o*math.Log(p) + (m-o)*math.Log1p(-p)
	sum, t, odds := 1.0, 1.0, p/(1-p)
	for x := o; x < m; x++ {
		t *= (m - x) / (x + 1) * odds
		sum += t
		if t < sum*1e-12 {
			break
		}
	}
	return min(1, math.Exp(first+math.Log(sum)))
}

func logChoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// A proportion is a risk with what its interval needs.
type proportion struct {
	risk float64
	// n is how many observations would give the same precision if none had been
	// sampled.
	n float64
}

// risk estimates the share that fail from failed failures, all of them kept,
// and successes of total weight w with squared weights adding up to w2;
// typical is the weight a success has elsewhere, for when there is none here.
//
// The variance of the logit is 1/failed + w2/w² (failures and successes are
// sampled apart, Kish's effective size for unequal weights), which makes the
// effective n below; without sampling it is the number of observations.
func risk(failed, w, w2, typical float64) proportion {
	switch {
	case failed+w <= 0:
		return proportion{}
	case failed <= 0:
		return proportion{0, w}
	case w <= 0:
		return proportion{1, failed / max(typical, 1)}
	}
	r := failed / (failed + w)
	return proportion{r, 1 / (r * (1 - r) * (1/failed + w2/(w*w)))}
}

// normal95 is the deviate that leaves 2.5 % on either side.
const normal95 = 1.959964

// interval is the 95 % interval of the risk.
func (p proportion) interval() (low, high float64) { return p.score(normal95) }

// score is the interval of so many standard deviations.
func (p proportion) score(z float64) (low, high float64) { return score(p.risk*p.n, p.n, z) }

// Wilson returns the 95 % score interval (Wilson 1927) of a risk of which
// failed of n observations were seen; 0 to 1 if there were none. Both may be
// fractions, as when observations are weighted.
func Wilson(failed, n float64) (low, high float64) { return score(failed, n, normal95) }

func score(failed, n, z float64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	risk := min(1, failed/n)
	d := 1 + z*z/n
	centre := (risk + z*z/(2*n)) / d
	half := z / d * math.Sqrt(risk*(1-risk)/n+z*z/(4*n*n))
	low, high = max(0, centre-half), min(1, centre+half)
	if risk == 0 {
		low = 0
	}
	if risk == 1 {
		high = 1
	}
	return low, high
}

// combinations returns, for each order up to most, how many sets there are
// that take at most one value of each name, when sizes are the numbers of
// values by name: the elementary symmetric polynomials of sizes. If values have
// weights, of which sizes are the sums, sets count by the product of theirs.
func combinations(sizes []float64, most int) []float64 {
	c := make([]float64, most+1)
	c[0] = 1
	for _, s := range slices.Sorted(slices.Values(sizes)) { // so that rounding does not depend on their order
		for k := most; k > 0; k-- {
			c[k] += c[k-1] * s
		}
	}
	return c
}
