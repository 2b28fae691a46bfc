package experiment

import (
	"math"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/interaction"
)

// A Cell is what one arm did.
type Cell struct {
	// On are the factors that were on; all others were off.
	On []string `json:"on"`
	// Harmed of N trials did harm; Risk is that share, Low and High its 95 %
	// interval (Wilson 1927).
	Harmed   int       `json:"harmed"`
	N        int       `json:"n"`
	Risk     float64   `json:"risk"`
	Low      float64   `json:"low"`
	High     float64   `json:"high"`
	Measures []Measure `json:"measures,omitempty"`
}

// A Measure is what one of the further responses was in an arm.
type Measure struct {
	Name string `json:"name"`
	// N is how many trials defined it. Those that did not are left out below.
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	// Low and High are the 95 % bootstrap interval of the mean.
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// cell describes one arm.
func (s *sample) cell(a Arm) Cell {
	c := Cell{On: a.names(s.options.Factors)}
	c.Harmed, c.N = s.count(a)
	c.Risk = s.risk(a)
	c.Low, c.High = interaction.Wilson(float64(c.Harmed), float64(c.N))
	for m, name := range s.options.Measures {
		values := s.values(a, m)
		if len(values) == 0 {
			continue
		}
		q := Measure{Name: name, N: len(values), Mean: mean(values)}
		q.Low, q.High = bootstrap(values, s.options.Seed)
		slices.Sort(values)
		q.Median, q.P99, q.Max = Quantile(values, 0.5), Quantile(values, 0.99), values[len(values)-1]
		c.Measures = append(c.Measures, q)
	}
	return c
}

// values returns the finite values of measure m in an arm, in order of seeds.
func (s *sample) values(a Arm, m int) []float64 {
	var out []float64
	for _, o := range s.outcomes[a] {
		if v := o.Values[m]; finite(v) {
			out = append(out, v)
		}
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// Quantile returns the value that the share q, 0 to 1, of sorted does not
// exceed: the smallest such of the values, and NaN of none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// resamples is how many samples a bootstrap draws: enough for the ends of a
// 95 % interval, which rest on the outer 25 on either side.
const resamples = 1000

// bootstrap returns the 95 % percentile interval of the mean of values, one a
// seed, by drawing seeds with replacement (Efron 1979). Of values that are all
// the same it is that value; intervals of risks do not rest on it alone.
func bootstrap(values []float64, seed uint64) (low, high float64) {
	r := rand.New(rand.NewPCG(seed, uint64(len(values))))
	means := make([]float64, resamples)
	for i := range means {
		var sum float64
		for range values {
			sum += values[r.IntN(len(values))]
		}
		means[i] = sum / float64(len(values))
	}
	slices.Sort(means)
	return Quantile(means, 0.025), Quantile(means, 0.975)
}
