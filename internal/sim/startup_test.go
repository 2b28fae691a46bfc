package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// Each of four instances is restarted for 2 s and takes 5 s to be ready: without
// a gate a quarter of the requests of those 20 s fails.
func TestRequestsFailAtAnInstanceThatIsNotReadyUnlessAGateKeepsThemAway(t *testing.T) {
	m := one(200, sim.Service{Instances: 4, Servers: 100, ServiceTime: sim.ConstDist(time.Millisecond), Startup: sim.Startup{Takes: sim.ConstDist(5 * time.Second)}})
	m.Horizon = time.Minute
	m.Conditions = []sim.Condition{{
		ID: "rollout", Kind: sim.KindDeploy, Target: "s", Windows: []sim.Window{{From: 10 * time.Second}}, Stagger: 10 * time.Second, Drain: time.Second, Restart: 2 * time.Second,
	}}
	if u := mustRun(t, m, 1).Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d fail without a rollout, want 0", u.Failed)
	}
	r := mustRun(t, m, 1, "rollout")
	within(t, "failed without a gate", float64(r.Total(0, m.Horizon).Failed), 200*20/4., 0.1)
	if s, _ := r.Service("s", 0, m.Horizon); s.Unready != r.Total(0, m.Horizon).Failed {
		t.Errorf("%d came too early and %d failed, want the same", s.Unready, r.Total(0, m.Horizon).Failed)
	}
	m.Services[0].Startup.Gate = true
	if u := mustRun(t, m, 1, "rollout").Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d fail behind a gate, want 0", u.Failed)
	}
}

// The load is high and low for a minute each. With a cooldown of 10 s the
// autoscaler turns with each, with one of 10 min it stays up.
func TestAnAutoscalerWithoutCooldownFlaps(t *testing.T) {
	m := one(0, sim.Service{
		Instances: 2, Servers: 10, ServiceTime: sim.ExpDist(100 * time.Millisecond),
		Scale: sim.Scale{Min: 2, Max: 10, Target: 0.5, Startup: sim.ConstDist(5 * time.Second), Cooldown: 10 * time.Second},
	})
	m.Horizon = 10 * time.Minute
	for i := range 10 {
		m.Workloads[0].Rate.Steps = append(m.Workloads[0].Rate.Steps, sim.Step{At: time.Duration(i) * time.Minute, Rate: []float64{50, 300}[i%2]})
	}
	m.Conditions = []sim.Condition{{ID: "patient", Kind: sim.KindConfig, Target: "s", Apply: []sim.Setting{{Param: "scale.cooldown", Value: 10 * time.Minute}}}}
	hasty, patient := mustRun(t, m, 1).Scalers[0], mustRun(t, m, 1, "patient").Scalers[0]
	if hasty.Flips < 7 || patient.Flips > 0 {
		t.Errorf("%d flips with a cooldown of 10 s and %d with 10 min, want one a change of load and none", hasty.Flips, patient.Flips)
	}
	if hasty.Seconds > 0.8*patient.Seconds {
		t.Errorf("%.0f instance seconds with flapping and %.0f without, want much less", hasty.Seconds, patient.Seconds)
	}
}
