package sim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/priority"

	"example.test/eddy/internal/sim"
)

// 40 users a second and 360 prefetches meet a limit of 100 attempts of 1 s, which is
// 100 a second. The threshold follows the queue only if it is set anew in much less
// time than that takes to fill.
func TestAPrioritizedLimiterShedsWhatMattersLess(t *testing.T) {
	m := one(0, sim.Service{Servers: 10000, Calls: []sim.Call{{To: "api"}}})
	m.Horizon = 100 * time.Second
	m.Services = append(m.Services, sim.Service{ID: "api", Servers: 100, ServiceTime: sim.ConstDist(time.Second)})
	m.Workloads = []sim.Workload{
		{ID: "users", Rate: sim.Rate{Const: 40}, Entry: "s", Priority: 0},
		{ID: "prefetch", Rate: sim.Rate{Const: 360}, Entry: "s", Priority: 4},
	}
	share := func(prioritized bool, calibrate time.Duration) (users, prefetches float64) {
		m.Policies = []sim.Policy{{From: "s", To: "api", AdaptiveLimiter: sim.AdaptiveLimiter{Min: 100, Max: 100, Initial: 100, Prioritized: prioritized, Calibrate: calibrate}}}
		var ok, all [2]float64
		s, err := sim.New(m, 1, sim.Settings{Ended: func(e sim.Ended) {
			if e.Start < sim.Time(20*time.Second) {
				return
			}
			all[e.Workload]++
			if e.OK {
				ok[e.Workload]++
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		finished(t, s)
		return ok[0] / all[0], ok[1] / all[1]
	}
	users, _ := share(false, 0)
	within(t, "users that succeed without priorities", users, 0.25, 0.1)
	users, prefetches := share(true, 20*time.Millisecond)
	if users < 0.97 {
		t.Errorf("%.3f of the users succeed with priorities, want 0.97 at least", users)
	}
	lazy, _ := share(true, 5*time.Second)
	if lazy > 0.6 {
		t.Errorf("%.3f of the users succeed with a threshold that is set every 5 s, want far fewer", lazy)
	}
	within(t, "prefetches that succeed with priorities", prefetches, 60/360., 0.1)
}

// The threshold is the quantile of the levels that came last, as failsafe-go's
// tracker has it, at the rate of its queue's statistics.
func TestTheThresholdIsThatOfFailsafe(t *testing.T) {
	var ours sim.Levels
	theirs := priority.NewLevelTracker(1000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2500 {
		level := rng.IntN(500)
		ours.Record(level)
		theirs.RecordLevel(level)
		if i%50 != 0 {
			continue
		}
		const limit = 10 // nothing is refused below 20, all from 30 on
		for waiting := range 35 {
			want, rate := 0, min(1, float64(waiting-20)/10)
			if rate > 0 {
				want = theirs.GetLevel(rate)
			}
			if got := ours.Threshold(waiting, limit); got != want {
				t.Fatalf("after %d levels, %d waiting: %d, want %d", i+1, waiting, got, want)
			}
		}
	}
}
