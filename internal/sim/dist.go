package sim

import (
	"fmt"
	"math"
	"time"
)

// Shape names a family of distributions.
type Shape string

// Shapes of a Dist.
const (
	Constant    Shape = "const"
	Exponential Shape = "exp"
	LogNormal   Shape = "lognormal"
	Uniform     Shape = "uniform"
	Choice      Shape = "choice"
	Quantile    Shape = "quantiles"
)

// A Dist is a distribution of durations. The zero Dist is always 0.
type Dist struct {
	Shape Shape
	Mean  time.Duration // const, exp, lognormal
	CV    float64       // lognormal: standard deviation over mean
	Low   time.Duration // uniform
	High  time.Duration // uniform
	// Values are what is chosen from, with Weights (choice), or the quantiles at
	// 0, 1/(n-1), ..., 1 between which values lie on straight lines (quantiles).
	Values  []time.Duration
	Weights []float64
}

// ConstDist is always d.
func ConstDist(d time.Duration) Dist { return Dist{Shape: Constant, Mean: d} }

// ExpDist is exponential.
func ExpDist(mean time.Duration) Dist { return Dist{Shape: Exponential, Mean: mean} }

// LogNormalDist is log-normal with a mean and a coefficient of variation.
func LogNormalDist(mean time.Duration, cv float64) Dist {
	return Dist{Shape: LogNormal, Mean: mean, CV: cv}
}

// UniformDist is uniform between two durations.
func UniformDist(low, high time.Duration) Dist { return Dist{Shape: Uniform, Low: low, High: high} }

func (d Dist) zero() bool { return d.Shape == "" }

// validate says what is wrong with a distribution.
func (d Dist) validate() error {
	switch d.Shape {
	case "", Constant, Exponential:
		if d.Mean < 0 {
			return fmt.Errorf("mean %v: want 0 or more", d.Mean)
		}
	case LogNormal:
		if d.Mean <= 0 || d.CV < 0 || math.IsNaN(d.CV) || math.IsInf(d.CV, 0) {
			return fmt.Errorf("lognormal with mean %v and cv %v: want a mean above 0 and a cv of 0 or more", d.Mean, d.CV)
		}
	case Uniform:
		if d.Low < 0 || d.High < d.Low {
			return fmt.Errorf("uniform from %v to %v: want 0 <= low <= high", d.Low, d.High)
		}
	case Choice, Quantile:
		return d.validateValues()
	default:
		return fmt.Errorf("dist %q: want %s, %s, %s, %s, %s or %s", d.Shape, Constant, Exponential, LogNormal, Uniform, Choice, Quantile)
	}
	return nil
}

func (d Dist) validateValues() error {
	if len(d.Values) == 0 {
		return fmt.Errorf("%s without values", d.Shape)
	}
	if d.Shape == Choice && len(d.Weights) != len(d.Values) {
		return fmt.Errorf("choice of %d values with %d weights: want as many", len(d.Values), len(d.Weights))
	}
	sum := 0.0
	for i, v := range d.Values {
		if v < 0 || d.Shape == Quantile && i > 0 && v < d.Values[i-1] {
			return fmt.Errorf("value %v: want 0 or more, and quantiles in rising order", v)
		}
		if d.Shape == Choice {
			if !(d.Weights[i] >= 0) {
				return fmt.Errorf("weight %v: want 0 or more", d.Weights[i])
			}
			sum += d.Weights[i]
		}
	}
	if d.Shape == Choice && sum <= 0 {
		return fmt.Errorf("choice whose weights are all 0")
	}
	return nil
}

// A sampler is a Dist made ready: it turns one uniform number into seconds. One
// draw a sample, by inversion, is what keeps two runs in step.
type sampler struct {
	shape     Shape
	mean      float64
	mu, sigma float64 // lognormal
	low, span float64 // uniform
	values    []float64
	upto      []float64 // choice: cumulated weights up to 1
}

func newSampler(d Dist) sampler {
	s := sampler{shape: d.Shape, mean: d.Mean.Seconds(), low: d.Low.Seconds(), span: (d.High - d.Low).Seconds()}
	if d.Shape == LogNormal {
		v := math.Log1p(d.CV * d.CV)
		s.mu, s.sigma = math.Log(s.mean)-v/2, math.Sqrt(v)
	}
	sum := 0.0
	for _, v := range d.Values {
		s.values = append(s.values, v.Seconds())
	}
	for _, w := range d.Weights {
		sum += w
		s.upto = append(s.upto, sum)
	}
	for i := range s.upto {
		s.upto[i] /= sum
	}
	return s
}

// at returns the quantile u in seconds.
func (s *sampler) at(u float64) float64 {
	switch s.shape {
	case Constant:
		return s.mean
	case Exponential:
		return s.mean * expOf(u)
	case LogNormal:
		return math.Exp(s.mu + s.sigma*normalOf(u))
	case Uniform:
		return s.low + u*s.span
	case Choice:
		for i, w := range s.upto {
			if u < w {
				return s.values[i]
			}
		}
		return s.values[len(s.values)-1]
	case Quantile:
		x := u * float64(len(s.values)-1)
		i := int(x)
		if i+1 >= len(s.values) {
			return s.values[i]
		}
		return s.values[i] + (x-float64(i))*(s.values[i+1]-s.values[i])
	}
	return 0
}

// normalOf turns a uniform number into one of the standard normal distribution.
// A uniform 0 would be infinitely far out.
func normalOf(u float64) float64 {
	return math.Sqrt2 * math.Erfinv(2*max(u, 0x1p-54)-1)
}

// Quantile returns the value below which a share u of the distribution lies.
func (d Dist) Quantile(u float64) time.Duration {
	s := newSampler(d)
	return time.Duration(seconds(s.at(u)))
}
