package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// Messages of one size through a link are an M/D/1 queue: of service s and load p
// they wait s*p/(2(1-p)) (Pollaczek, Khinchine).
func TestALinkIsAQueueOfBytes(t *testing.T) {
	numbers(t)
	m := one(80, sim.Service{Servers: 100000})
	m.Horizon = 4000 * time.Second
	m.Links = []sim.Link{{ID: "uplink", Bandwidth: 1e6}}
	m.Policies = []sim.Policy{{From: "u", To: "s", Network: sim.Network{Link: "uplink", Answer: 1e4}}}
	const s = 0.01
	within(t, "mean latency at a load of 0.8", mustRun(t, m, 1).Latency.Mean().Seconds(), s+s*0.8/(2*0.2), 0.03)
	// A copy that takes half of it leaves too little.
	m.Horizon = 100 * time.Second
	m.Conditions = []sim.Condition{{ID: "copy", Kind: sim.KindCron, Target: "uplink", Apply: []sim.Setting{{Param: "take", Value: 0.5}}}}
	r := mustRun(t, m, 1, "copy")
	within(t, "answers a second", float64(r.Total(10*time.Second, m.Horizon).Good)/90, 50, 0.02)
	// With room for 20 answers nobody waits for more than 21 of them.
	m.Links[0].Buffer = 2e5
	m.Policies[0].Timeout = time.Second
	r = mustRun(t, m, 1, "copy")
	if got := r.Latency.Quantile(0.999); got > 440*time.Millisecond {
		t.Errorf("the slowest answer took %v, want 420 ms at most", got)
	}
	within(t, "answers a second", float64(r.Total(10*time.Second, m.Horizon).Good)/90, 50, 0.02)
}
