package experiment_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"example.test/eddy/internal/experiment"
)

// noisy makes a trial of a latency to which the seed adds as much in all arms,
// and the arm by itself another part.
func noisy(shared, own float64) experiment.Trial {
	return func(_ context.Context, a experiment.Arm, seed uint64) (experiment.Outcome, error) {
		all, arm := rand.New(rand.NewPCG(seed, 99)), rand.New(rand.NewPCG(seed, uint64(a)))
		v := 10 + 3*float64(a.Size()) + shared*all.NormFloat64() + own*arm.NormFloat64()
		return experiment.Outcome{Values: []float64{v}}, nil
	}
}

// Where the seed moves all arms alike, comparing within it takes that part out:
// the variance falls from shared² + own² to own².
func TestWhatSharingSeedsGainsIsMeasured(t *testing.T) {
	o := experiment.Options{Factors: factors(2), Measures: []string{"latency"}, Min: 200, Max: 200, Seed: 1}
	for _, c := range []struct {
		shared, own, least, most float64
	}{
		{2, 1, 4, 6.3}, // 5
		{0, 1, 0.8, 1.25},
	} {
		r := run(t, o, noisy(c.shared, c.own))
		ratio, n := r.Sharing("latency")
		if ratio < c.least || ratio > c.most || n != 3 {
			t.Errorf("shared %v, own %v: the ratio is %v over %d contrasts, want %v to %v over 3", c.shared, c.own, ratio, n, c.least, c.most)
		}
	}
}

// With seeds of their own arms move independently, so the gain is gone and the
// intervals are as wide as the ratio says; the effects are the same.
func TestArmsApartHaveSeedsOfTheirOwn(t *testing.T) {
	o := experiment.Options{Factors: factors(2), Measures: []string{"latency"}, Min: 200, Max: 200, Seed: 1}
	shared := run(t, o, noisy(2, 1))
	o.Apart = true
	apart := run(t, o, noisy(2, 1))
	if ratio, _ := apart.Sharing("latency"); ratio < 0.8 || ratio > 1.25 {
		t.Errorf("apart the ratio is %v, want about 1", ratio)
	}
	width := func(r experiment.Result) float64 {
		c := r.Contrasts[slices.IndexFunc(r.Contrasts, func(c experiment.Contrast) bool { return c.Response == "latency" })]
		if c.Low > 3 || c.High < 3 {
			t.Errorf("the effect of one factor is %v to %v, want 3 in it", c.Low, c.High)
		}
		return c.High - c.Low
	}
	gain := width(apart) / width(shared)
	if gain < 1.8 || gain > 2.8 { // the root of 5 is 2.24
		t.Errorf("intervals apart are %v times as wide, want about 2.2", gain)
	}
}
