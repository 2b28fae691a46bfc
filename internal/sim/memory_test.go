package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// 400 MB are free, and 50 requests a second leave 0.5 MB each behind: after 16 s
// the instance is killed, and is up again 4 s later.
func TestALeakKillsAsSoonAsTheLimitIsReached(t *testing.T) {
	m := one(50, sim.Service{Servers: 100, ServiceTime: sim.ConstDist(time.Millisecond), Memory: sim.Memory{Limit: 500, Base: 100, Leak: 0.5, Restart: 4 * time.Second}})
	m.Horizon = 200 * time.Second
	r := mustRun(t, m, 1)
	s, _ := r.Service("s", 0, m.Horizon)
	if s.Killed < 9 || s.Killed > 10 {
		t.Errorf("killed %d times in 200 s, want every 20 s", s.Killed)
	}
	within(t, "share that fails", float64(r.Total(0, m.Horizon).Failed)/float64(r.Total(0, m.Horizon).Offered), 4/20., 0.1)
	m.Services[0].Memory.Recycle = 500
	r = mustRun(t, m, 1)
	if s, _ := r.Service("s", 0, m.Horizon); s.Killed > 0 || r.Total(0, m.Horizon).Failed > 0 {
		t.Errorf("killed %d times, %d failed, although what leaked is given back every 500 requests; want none", s.Killed, r.Total(0, m.Horizon).Failed)
	}
}

// At 80 % full a collector of 0.25 halves the speed.
func TestACollectorSlowsDownWhatHasLittleMemoryLeft(t *testing.T) {
	numbers(t)
	m := one(20, sim.Service{Servers: 1000, ServiceTime: sim.ConstDist(10 * time.Millisecond), Memory: sim.Memory{Limit: 500, Base: 400, Collector: 0.25}})
	within(t, "mean latency", mustRun(t, m, 1).Latency.Mean().Seconds(), 0.02, 0.01)
}
