package incident

import (
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
)

// clearly is how much likelier (in log-likelihood) two rates must be than one
// for a change of rate to be believed: about p < 0.001 for the best of a
// hundred splits.
const clearly = 12

// onset returns which of the failures, that are by time, is the first after
// their rate rose: what came before it is the usual rate, and no part of the
// trouble. It is the split with the largest binomial likelihood ratio among the
// requests; 0 if the rate did not clearly rise.
func onset(failures []*condition.Observation, requests []condition.Observation) int {
	if len(failures) == 0 {
		return 0
	}
	at := make([]time.Time, len(requests))
	for i := range requests {
		at[i] = requests[i].Time
	}
	slices.SortFunc(at, time.Time.Compare)
	all, bad := float64(len(at)), float64(len(failures))
	one := likelihood(bad, all)
	best, most := 0, one+clearly
	for i := 1; i < len(failures); i++ {
		before, _ := slices.BinarySearchFunc(at, failures[i].Time, time.Time.Compare)
		n0, k0 := float64(before), float64(i)
		n1, k1 := all-n0, bad-k0
		if n0 <= 0 || n1 <= 0 || k0/n0 >= k1/n1 {
			continue
		}
		if two := likelihood(k0, n0) + likelihood(k1, n1); two > most {
			best, most = i, two
		}
	}
	return best
}

// likelihood is the log of the largest binomial likelihood of k in n, less what
// does not depend on the rate.
func likelihood(k, n float64) float64 {
	if k <= 0 || k >= n {
		return 0
	}
	return k*math.Log(k/n) + (n-k)*math.Log(1-k/n)
}
