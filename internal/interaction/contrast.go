package interaction

import (
	"math"

	"example.test/eddy/internal/search"
)

// A contrast is a sum of risks, each with a coefficient.
type contrast []part

// A part is a risk with its coefficient in a contrast.
type part struct {
	of    float64
	value proportion
}

// estimate is the sum.
func (c contrast) estimate() (sum float64) {
	for _, p := range c {
		sum += p.of * p.value.risk
	}
	return sum
}

// interval is that of so many standard deviations, recovered from the score
// intervals of the parts (MOVER: Zou and Donner 2008).
func (c contrast) interval(z float64) (low, high float64) {
	var down, up float64
	for _, p := range c {
		l, h := p.value.score(z)
		if p.of < 0 {
			l, h = h, l
		}
		down += square(p.of * (p.value.risk - l))
		up += square(p.of * (h - p.value.risk))
	}
	e := c.estimate()
	return e - math.Sqrt(down), e + math.Sqrt(up)
}

func square(x float64) float64 { return x * x }

const (
	// farOut is the p below which intervals are no longer to be trusted.
	farOut = 1e-4
	// farDeviate is as many standard deviations as no p is smaller than.
	farDeviate = 40
)

// p is the one-sided probability of a contrast as high if it were zero: that at
// which its interval would begin at zero. In the tail, where intervals go by the
// shape of the likelihood near its top, it is that of a likelihood-ratio test, and
// no more than where the tail begins.
func (c contrast) p() float64 {
	if c.estimate() <= 0 {
		return 1
	}
	z := zero(0, farDeviate, func(z float64) float64 {
		low, _ := c.interval(z)
		return low
	})
	if p := upper(z); p >= farOut {
		return p
	}
	return min(farOut, upper(math.Sqrt(c.ratio())))
}

// upper is the probability of a normal deviate above z.
func upper(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// ratio is twice the logarithm of how much likelier what was seen is under the
// risks as they are than under those that make the contrast zero. Of the latter the
// likeliest are found with one Lagrange multiplier: at a given one, each risk is the
// root of a quadratic equation.
func (c contrast) ratio() float64 {
	risks := make([]float64, len(c))
	at := func(multiplier float64) float64 {
		sum := 0.0
		for i, p := range c {
			risks[i] = constrained(p.value.risk*p.value.n, p.value.n, multiplier*p.of)
			sum += p.of * risks[i]
		}
		return sum
	}
	// The contrast falls with the multiplier, from above zero at zero.
	far := 1.0
	for at(far) > 0 && far < 1e15 {
		far *= 4
	}
	at(zero(0, far, at))
	g := 0.0
	for i, p := range c {
		x := p.value.risk * p.value.n
		g += search.Term(x, risks[i]*p.value.n) + search.Term(p.value.n-x, (1-risks[i])*p.value.n)
	}
	return 2 * max(0, g)
}

// constrained is the risk r at which the derivative of the likelihood of x in n,
// x/r − (n−x)/(1−r), is m.
func constrained(x, n, m float64) float64 {
	if m == 0 || n == 0 {
		return min(1, x/max(n, 1e-300))
	}
	// m r² − (n + m) r + x = 0, by the root that is between 0 and 1.
	b := n + m
	root := math.Sqrt(max(0, b*b-4*m*x))
	switch {
	case x == 0 && b >= 0:
		return 0 // and not 0/0, if m is just -n
	case b >= 0:
		return min(1, max(0, 2*x/(b+root)))
	}
	return min(1, max(0, (b-root)/(2*m)))
}

// zero is where a function that falls from low to high passes through zero.
func zero(low, high float64, f func(float64) float64) float64 {
	for range 100 {
		middle := (low + high) / 2
		if f(middle) > 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}
