package sim

import (
	"fmt"
	"math"
	"time"
)

// A Rate is how many requests arrive in a second, as a Poisson process. Const
// holds unless one of the others is set.
type Rate struct {
	Const   float64
	Diurnal Diurnal
	// Steps are the rates from their times on; before the first it is Const.
	Steps []Step
	// Burst multiplies the rate, whatever it is, now and then.
	Burst Burst
}

// A Diurnal rate rises from Base to Peak at PeakAt and falls again, as a Gaussian
// bell whose standard deviation is Width.
type Diurnal struct {
	Base, Peak    float64
	PeakAt, Width time.Duration
}

// A Step is a rate that holds from a time on.
type Step struct {
	At   time.Duration
	Rate float64
}

// Burst is a rate that is Factor times as high for exponential stretches of mean
// For, which come after exponential stretches of mean Every (a Markov-modulated
// Poisson process with two states).
type Burst struct {
	Factor     float64
	Every, For time.Duration
}

func (r *Rate) validate() error {
	for _, x := range []float64{r.Const, r.Diurnal.Base, r.Diurnal.Peak, r.Burst.Factor} {
		if !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%v a second: want 0 or more", x)
		}
	}
	if r.Diurnal.Peak > 0 && (r.Diurnal.Width <= 0 || r.Diurnal.Peak < r.Diurnal.Base) {
		return fmt.Errorf("diurnal from %v to %v within %v: want a peak above the base, and a width above 0",
			r.Diurnal.Base, r.Diurnal.Peak, r.Diurnal.Width)
	}
	for i, s := range r.Steps {
		if !(s.Rate >= 0) || math.IsInf(s.Rate, 0) || i > 0 && s.At <= r.Steps[i-1].At {
			return fmt.Errorf("step to %v at %v: want a rate of 0 or more, and rising times", s.Rate, s.At)
		}
	}
	if r.Burst.Factor > 0 && (r.Burst.Every <= 0 || r.Burst.For <= 0) {
		return fmt.Errorf("burst every %v for %v: want more than 0", r.Burst.Every, r.Burst.For)
	}
	return nil
}

// at is the rate at a time, without bursts.
func (r *Rate) at(t Time) float64 {
	if d := &r.Diurnal; d.Peak > 0 {
		x := float64(t-Time(d.PeakAt)) / float64(d.Width)
		return d.Base + (d.Peak-d.Base)*math.Exp(-x*x/2)
	}
	rate := r.Const
	for _, s := range r.Steps {
		if Time(s.At) > t {
			break
		}
		rate = s.Rate
	}
	return rate
}

// peak is a rate that is never exceeded, without bursts.
func (r *Rate) peak() float64 {
	if r.Diurnal.Peak > 0 {
		return r.Diurnal.Peak
	}
	most := r.Const
	for _, s := range r.Steps {
		most = max(most, s.Rate)
	}
	return most
}

// varies reports whether arrivals must be thinned out of the peak rate.
func (r *Rate) varies() bool { return r.Diurnal.Peak > 0 || len(r.Steps) > 0 }
