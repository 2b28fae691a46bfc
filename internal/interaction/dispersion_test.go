package interaction_test

import (
	"math/rand/v2"
	"testing"

	"example.test/eddy/internal/interaction"
)

// dispersed is the share of sets, failing with these risks in sixty buckets of so many
// requests, of which failures are taken for more dispersed than by chance.
func dispersed(requests int, risk func(rng *rand.Rand, bucket int) float64) float64 {
	const sets, buckets = 2000, 60
	rng := rand.New(rand.NewPCG(1, uint64(requests)))
	found := 0
	failed, total := make([]int64, buckets), make([]int64, buckets)
	for range sets {
		for b := range buckets {
			failed[b], total[b] = 0, int64(requests)
			r := risk(rng, b)
			for range requests {
				if rng.Float64() < r {
					failed[b]++
				}
			}
		}
		if interaction.Dispersion(failed, total) > 1 {
			found++
		}
	}
	return float64(found) / sets
}

func TestFailuresThatComeOneByOneAreSeldomTakenForBursts(t *testing.T) {
	for _, requests := range []int{40, 80, 200, 1000} {
		got := dispersed(requests, func(*rand.Rand, int) float64 { return 0.02 })
		// Two looks, at single buckets and at pairs, of 0.6 % each.
		if got > 0.015 {
			t.Errorf("%d requests in a bucket: %.2f %% of sets are taken for bursts, want 1.5 %% at most", requests, 100*got)
		}
	}
}

func TestFailuresThatComeInBurstsAreTakenForBursts(t *testing.T) {
	for _, requests := range []int{80, 200, 1000} {
		got := dispersed(requests, func(rng *rand.Rand, _ int) float64 {
			if rng.IntN(10) == 0 {
				return 0.1
			}
			return 0.011
		})
		if got < 0.8 {
			t.Errorf("%d requests in a bucket: %.0f %% of sets are taken for bursts, want 80 %% at least", requests, 100*got)
		}
	}
}
