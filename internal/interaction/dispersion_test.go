package interaction_test

import (
	"math/rand/v2"
	"testing"

	"example.test/eddy/internal/interaction"
)

// A clock is sixty buckets of ten seconds: how many of a set came in each, and failed.
type clock struct{ failed, total []int64 }

func newClock(requests int) clock {
	const buckets = 60
	c := clock{make([]int64, buckets), make([]int64, buckets)}
	for b := range c.total {
		c.total[b] = int64(requests)
	}
	return c
}

// fail lets so many fail, each at some time from a bucket on until before another.
func (c clock) fail(rng *rand.Rand, failures, from, to int) {
	for range failures {
		c.failed[from+rng.IntN(to-from)]++
	}
}

func (c clock) dispersion() float64 { return interaction.Dispersion(c.failed, c.total) }

// dispersions are those of sets of so many requests in a bucket, failing as fill says.
type dispersions []float64

func measure(requests int, fill func(rng *rand.Rand, c clock)) dispersions {
	const sets = 2000
	rng := rand.New(rand.NewPCG(1, uint64(requests)))
	out := make(dispersions, sets)
	for i := range out {
		c := newClock(requests)
		fill(rng, c)
		out[i] = c.dispersion()
	}
	return out
}

// above is the share that are more than so much.
func (d dispersions) above(much float64) float64 {
	n := 0
	for _, phi := range d {
		if phi > much {
			n++
		}
	}
	return float64(n) / float64(len(d))
}

// byRisk lets the requests of each bucket fail at a risk.
func byRisk(risk func(rng *rand.Rand) float64) func(rng *rand.Rand, c clock) {
	return func(rng *rand.Rand, c clock) {
		for b := range c.failed {
			r := risk(rng)
			for range c.total[b] {
				if rng.Float64() < r {
					c.failed[b]++
				}
			}
		}
	}
}

func TestFailuresThatComeOneByOneAreSeldomTakenForBursts(t *testing.T) {
	steady := byRisk(func(*rand.Rand) float64 { return 0.02 })
	for _, x := range []struct {
		requests int
		quarter  float64
	}{{5, 0.03}, {10, 0.03}, {20, 0.03}, {40, 0.015}, {80, 0.015}, {200, 0.015}, {1000, 0.015}} {
		// Two looks, at single buckets and at pairs, of 0.6 % each, and four at whether
		// any failed in stretches of time, of 2 %, which are much alike; of more than a
		// few failures these make hardly a difference.
		d := measure(x.requests, steady)
		for _, much := range []struct{ than, most float64 }{{1, 0.04}, {1.25, x.quarter}} {
			if got := d.above(much.than); got > much.most {
				t.Errorf("%d requests in a bucket: %.2f %% of sets are more dispersed than %v, want %.1f %% at most", x.requests, 100*got, much.than, 100*much.most)
			}
		}
	}
}

func TestFailuresThatComeInBurstsAreTakenForBursts(t *testing.T) {
	for _, requests := range []int{80, 200, 1000} {
		got := measure(requests, byRisk(func(rng *rand.Rand) float64 {
			if rng.IntN(10) == 0 {
				return 0.1
			}
			return 0.011
		})).above(1)
		if got < 0.8 {
			t.Errorf("%d requests in a bucket: %.0f %% of sets are taken for bursts, want 80 %% at least", requests, 100*got)
		}
	}
}

func TestABurstCountsForLittleHoweverLongItIs(t *testing.T) {
	for _, x := range []struct {
		failures, buckets int
		least             float64 // how many times fewer they count as
	}{{5, 4, 2}, {10, 4, 3}, {20, 8, 3}, {36, 8, 2}} {
		got := measure(100, func(rng *rand.Rand, c clock) {
			from := rng.IntN(len(c.failed) - 2*x.buckets)
			c.fail(rng, x.failures, from, from+x.buckets)
		}).above(x.least)
		if got < 0.8 {
			t.Errorf("%d failures within %d buckets: %.0f %% count as %v times fewer, want 80 %% at least", x.failures, x.buckets, 100*got, x.least)
		}
	}
}

func TestWhatBeganAndGoesOnIsNoBurst(t *testing.T) {
	for _, x := range []struct{ failures, since int }{{20, 12}, {20, 30}, {28, 10}, {40, 12}} {
		got := measure(100, func(rng *rand.Rand, c clock) {
			from := len(c.failed) - x.since
			c.fail(rng, x.failures, from, len(c.failed))
			c.failed[from], c.failed[len(c.failed)-1] = c.failed[from]+1, c.failed[len(c.failed)-1]+1
		}).above(1.25)
		if got > 0.05 {
			t.Errorf("%d failures in the last %d buckets: %.1f %% are taken for bursts, want 5 %% at most", x.failures, x.since, 100*got)
		}
	}
}

func TestALargeNumberOfFailuresAtOnceIsMoreThanABurst(t *testing.T) {
	for _, failures := range []int{150, 400, 2000} {
		got := measure(1000, func(rng *rand.Rand, c clock) { c.fail(rng, failures, 20, 32) }).above(1.4)
		if got > 0.02 {
			t.Errorf("%d failures within two minutes: %.1f %% are more dispersed than 1.4, want 2 %% at most", failures, 100*got)
		}
	}
}

func TestWithoutFailuresThereIsNoBurst(t *testing.T) {
	for _, requests := range []int{0, 100} {
		if got := newClock(requests).dispersion(); got != 1 {
			t.Errorf("%d requests in a bucket, none failed: got a dispersion of %v, want 1", requests, got)
		}
	}
}
