package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// Instances ask every 20 s at times of their own, so they hear of a change 10 s
// later on average; if half of the answers get lost, 20 s later than that.
func TestAChangeReachesInstancesWhenTheyAsk(t *testing.T) {
	numbers(t)
	m := one(400, sim.Service{Version: "1", Instances: 40, Servers: 1000})
	m.Horizon = 200 * time.Second
	m.Rules = []sim.Rule{{ID: "seen", At: "s", When: []sim.Atom{{Entity: "s", Dimension: "version", Value: "2"}}, Harm: "on 2"}}
	m.Distributions = []sim.Distribution{{ID: "config", Poll: 20 * time.Second}}
	m.Conditions = []sim.Condition{
		{ID: "new", Kind: sim.KindConfig, Target: "s", Via: "config", Apply: []sim.Setting{{Param: "version", Value: "2"}}, Windows: []sim.Window{{From: 20 * time.Second}}},
		{ID: "down", Kind: sim.KindFault, Target: "config", Apply: []sim.Setting{{Param: "down", Value: true}}, Windows: []sim.Window{{From: 10 * time.Second, To: 80 * time.Second}}},
	}
	within(t, "requests on version 2", float64(mustRun(t, m, 1, "new").Harms["on 2"]), 400*(180-10), 0.02)
	// All but 60 s of the outage, after which the next time to ask is 10 s later.
	within(t, "requests on version 2 after an outage", float64(mustRun(t, m, 1, "new", "down").Harms["on 2"]), 400*(180-60-10), 0.02)
	m.Distributions[0].Loss = 0.5
	within(t, "requests on version 2 with losses", float64(mustRun(t, m, 1, "new").Harms["on 2"]), 400*(180-10-20), 0.1)
	// Whoever is told, is told at once, and asks every second after an outage.
	m.Distributions[0] = sim.Distribution{ID: "config"}
	within(t, "requests on version 2 if told", float64(mustRun(t, m, 1, "new").Harms["on 2"]), 400*180, 0.02)
	within(t, "requests on version 2 if told after an outage", float64(mustRun(t, m, 1, "new", "down").Harms["on 2"]), 400*120, 0.02)
}
