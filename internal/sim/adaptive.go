package sim

import (
	"math"
	"slices"
	"time"
)

// An AdaptiveLimiter bounds how many attempts are under way, by how the time they
// take, and what gets done, follow from how many there are. It is failsafe-go's
// adaptivelimiter with its defaults; quantiles are exact here and estimated there.
type AdaptiveLimiter struct {
	Min, Max, Initial int           // 1, 200, 20. Max 0: there is no limiter
	MaxFactor         float64       // the limit is no more than this many times those under way: 5
	WindowMin         time.Duration // how long it looks before it decides: 1 s
	WindowMax         time.Duration // 30 s
	MinSamples        int           // and at how many attempts at least: 50
	// Prioritized lets attempts wait when it is full, and refuses those of low
	// priority when too many do.
	Prioritized bool
	Calibrate   time.Duration // how often it decides which: 1 s
}

func (a AdaptiveLimiter) withDefaults() AdaptiveLimiter {
	set := func(to *int, v int) {
		if *to == 0 {
			*to = v
		}
	}
	set(&a.Min, 1)
	set(&a.Initial, 20)
	set(&a.MinSamples, 50)
	if a.MaxFactor == 0 {
		a.MaxFactor = 5
	}
	if a.WindowMin == 0 {
		a.WindowMin = time.Second
	}
	if a.WindowMax == 0 {
		a.WindowMax = 30 * time.Second
	}
	return a
}

// Constants of failsafe-go's limiter.
const (
	adaptiveQuantile   = 0.9
	adaptiveSmoothing  = 5
	adaptiveWarmup     = 10
	adaptiveBaseline   = 10
	adaptiveCorrelated = 50
)

// An adaptive is the state of an AdaptiveLimiter.
type adaptive struct {
	spec       AdaptiveLimiter
	limit      float64
	inside     int
	samples    []float64 // seconds taken since the last decision
	least      float64
	most       int // under way, of these
	due        Time
	median     []float64 // the last quantiles
	recent     average
	baseline   average
	throughput correlation
	latency    correlation
}

func newAdaptive(spec AdaptiveLimiter) adaptive {
	spec = spec.withDefaults()
	return adaptive{
		spec: spec, limit: float64(spec.Initial), recent: newAverage(adaptiveSmoothing), baseline: newAverage(adaptiveBaseline),
	}
}

// permit reports whether an attempt may go on, and how many then are under way.
func (a *adaptive) permit() (int, bool) {
	if a.inside >= int(a.limit) {
		return 0, false
	}
	a.inside++
	return a.inside, true
}

// record takes how long an attempt took that began with so many under way. What
// was dropped says nothing about that.
func (a *adaptive) record(now, took Time, inside int, dropped bool) {
	if !dropped {
		s := took.Seconds()
		if len(a.samples) == 0 {
			a.least, a.most = s, inside
		}
		a.least, a.most = min(a.least, s), max(a.most, inside)
		a.samples = append(a.samples, s)
	}
	if now > a.due && len(a.samples) >= a.spec.MinSamples {
		a.decide()
		next := max(seconds(2*a.least), Time(a.spec.WindowMin))
		a.due = now + min(next, Time(a.spec.WindowMax))
		a.samples = a.samples[:0]
	}
	a.inside--
}

// decide moves the limit.
func (a *adaptive) decide() {
	slices.Sort(a.samples)
	q := a.samples[min(int(adaptiveQuantile*float64(len(a.samples))), len(a.samples)-1)]
	recent := a.recent.add(a.filter(q))
	baseline := a.baseline.add(recent)
	queue := int(math.Ceil(a.limit * (1 - baseline/recent)))
	throughput, cv := a.throughput.add(float64(a.most), float64(a.most)/recent)
	latency, _ := a.latency.add(float64(a.most), recent)
	full := a.inside >= int(a.limit)
	// From 1 on, the logarithm of the limit is 1.
	log := max(1, int(math.Log10(a.limit)))
	limit := a.limit
	switch {
	case queue > 6*log,
		full && throughput < 0,
		full && throughput < .3 && latency > .5,
		full && cv < .2 && latency > .5:
		limit -= float64(log)
	case queue < 3*log:
		limit += float64(log)
	}
	if most := float64(a.most) * a.spec.MaxFactor; limit > most {
		if a.limit > most {
			limit = a.limit - float64(log)
		} else {
			limit = most
		}
	}
	a.limit = max(float64(a.spec.Min), min(float64(a.spec.Max), limit))
}

// filter is the median of the last few quantiles.
func (a *adaptive) filter(q float64) float64 {
	a.median = append(a.median, q)
	if len(a.median) < adaptiveSmoothing {
		return q
	}
	a.median = a.median[len(a.median)-adaptiveSmoothing:]
	sorted := slices.Clone(a.median)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// An average is a plain one at first and then one that forgets.
type average struct {
	weight float64
	n      int
	value  float64
}

func newAverage(age int) average { return average{weight: 2 / (float64(age) + 1)} }

func (a *average) add(x float64) float64 {
	if a.n < adaptiveWarmup {
		a.n++
		a.value += (x - a.value) / float64(a.n)
	} else {
		a.value += (x - a.value) * a.weight
	}
	return a.value
}

// A correlation is that of the last pairs.
type correlation struct {
	x, y []float64
}

// add returns the correlation, or 0 while there are too few pairs or they hardly
// vary, and the coefficient of variation of y.
func (c *correlation) add(x, y float64) (r, cv float64) {
	c.x, c.y = append(c.x, x), append(c.y, y)
	if n := len(c.x); n > adaptiveCorrelated {
		c.x, c.y = c.x[n-adaptiveCorrelated:], c.y[n-adaptiveCorrelated:]
	}
	n := float64(len(c.x))
	if len(c.x) < adaptiveWarmup {
		return 0, 0
	}
	var sx, sy, sxx, syy, sxy float64
	for i := range c.x {
		sx += c.x[i]
		sy += c.y[i]
		sxx += c.x[i] * c.x[i]
		syy += c.y[i] * c.y[i]
		sxy += c.x[i] * c.y[i]
	}
	mx, my := sx/n, sy/n
	vx, vy := sxx/n-mx*mx, syy/n-my*my
	if vx < 0 || vy < 0 || mx == 0 || my == 0 {
		return 0, 0
	}
	cvx, cvy := math.Sqrt(vx)/mx, math.Sqrt(vy)/my
	if cvx < .01 || cvy < .01 {
		return 0, cvy
	}
	return (sxy/n - mx*my) / math.Sqrt(vx*vy), cvy
}
