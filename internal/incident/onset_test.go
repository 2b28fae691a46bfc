// This test stands inside the package: the onset is seen from outside only as
// the time of an incident's first failure.
package incident

import (
	"math/rand/v2"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
)

// stretch makes n requests of a second each, of which a share fails.
func stretch(r *rand.Rand, from time.Time, n int, share float64) (all []condition.Observation) {
	for i := range n {
		o := condition.Observation{Time: from.Add(time.Duration(i) * time.Second)}
		if r.Float64() < share {
			o.Outcome = request.Failed
		}
		all = append(all, o)
	}
	return all
}

func failed(all []condition.Observation) (bad []*condition.Observation) {
	for i := range all {
		if all[i].Outcome == request.Failed {
			bad = append(bad, &all[i])
		}
	}
	return bad
}

func TestTroubleBeginsWhereTheRateRises(t *testing.T) {
	start := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		all := append(stretch(r, start, 600, 0.01), stretch(r, start.Add(600*time.Second), 200, 0.3)...)
		bad := failed(all)
		got := bad[onset(bad, all)].Time.Sub(start)
		if got < 570*time.Second || got > 630*time.Second {
			t.Errorf("seed %d: trouble begins after %s, want about 600 s", seed, got)
		}
	}
}

func TestAnEvenRateHasNoOnset(t *testing.T) {
	start := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	found := 0
	for seed := range uint64(200) {
		all := stretch(rand.New(rand.NewPCG(seed, 2)), start, 500, 0.1)
		if onset(failed(all), all) != 0 {
			found++
		}
	}
	if found > 2 {
		t.Errorf("an even rate was found to rise in %d of 200 cases, want at most 2", found)
	}
}
