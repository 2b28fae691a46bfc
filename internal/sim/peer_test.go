package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// One of ten instances fails all it gets. It is taken out after five, for 30 s,
// 60 s, 90 s and so on: five times in 400 s.
func TestAnInstanceThatFailsIsTakenOutForLongerEachTime(t *testing.T) {
	m := one(100, sim.Service{Instances: 10, Servers: 100, ServiceTime: sim.ConstDist(10 * time.Millisecond)})
	m.Horizon = 400 * time.Second
	m.Policies = []sim.Policy{{From: "u", To: "s", Balance: sim.Balance{Ejection: sim.Ejection{Failures: 5}}}}
	m.Conditions = []sim.Condition{
		{ID: "bad", Kind: sim.KindFault, Target: "s", Instances: []int{3}, Apply: []sim.Setting{{Param: "error", Value: 1.0}}},
		{ID: "all", Kind: sim.KindFault, Target: "s", Apply: []sim.Setting{{Param: "error", Value: 1.0}}, Windows: []sim.Window{{From: 100 * time.Second, To: 101 * time.Second}}},
	}
	r := mustRun(t, m, 1, "bad")
	if e := r.Edge("u", "s", 0, m.Horizon); e.Ejected != 5 || r.Total(0, m.Horizon).Failed != 25 {
		t.Errorf("taken out %d times, %d failed; want 5 times, after 5 each", e.Ejected, r.Total(0, m.Horizon).Failed)
	}
	// One in ten at most: when all fail, nine stay.
	r = mustRun(t, m, 1, "all")
	if e := r.Edge("u", "s", 0, m.Horizon); e.Ejected != 1 {
		t.Errorf("%d were taken out, want 1", e.Ejected)
	}
	m.Policies[0].Balance.Ejection.Max = 1
	r = mustRun(t, m, 1, "all")
	if u := r.Total(105*time.Second, 125*time.Second); u.Good > 0 {
		t.Errorf("%d of %d were answered although all were taken out for 30 s, want none", u.Good, u.Offered)
	}
}

// One of ten instances takes ten times as long. Turns give it a tenth of the
// requests; who looks at the answers gives it hardly any.
func TestEWMAKeepsAwayFromASlowInstance(t *testing.T) {
	m := one(200, sim.Service{Instances: 10, Servers: 20, ServiceTime: sim.ExpDist(10 * time.Millisecond)})
	m.Horizon = 100 * time.Second
	m.Conditions = []sim.Condition{{ID: "slow", Kind: sim.KindFault, Target: "s", Instances: []int{3}, Apply: []sim.Setting{{Param: "speed", Value: 0.1}}}}
	mean := func(a sim.Balancing) float64 {
		m.Policies = []sim.Policy{{From: "u", To: "s", Balance: sim.Balance{Algorithm: a}}}
		return mustRun(t, m, 1, "slow").Latency.Mean().Seconds()
	}
	within(t, "mean latency in turns", mean(sim.RoundRobin), 0.9*0.01+0.1*0.1, 0.05)
	if got := mean(sim.EWMA); got > 0.012 {
		t.Errorf("mean latency %.4f s by the answers, want 0.012 s at most", got)
	}
}
