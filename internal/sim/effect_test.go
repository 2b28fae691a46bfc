package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// With a loss of p each way, an attempt does its work with probability 1-p and is
// known to have done so with (1-p)²: tried until it is, the work is done 1/(1-p)
// times.
func TestAnEffectIsRepeatedAsOftenAsAnswersAreLost(t *testing.T) {
	numbers(t)
	const p = 0.1
	m := one(100, sim.Service{Servers: 1000, ServiceTime: sim.ConstDist(time.Millisecond), Effect: "charge"})
	m.Policies = []sim.Policy{{From: "u", To: "s", Timeout: 50 * time.Millisecond, Retry: sim.Retry{MaxAttempts: -1}, Network: sim.Network{Loss: p}}}
	r := mustRun(t, m, 1)
	n := float64(r.Total(0, m.Horizon).Offered)
	within(t, "charges that are repeated, a request", float64(r.Harms["charge repeated"])/n, p/(1-p), 0.03)
	m.Services[0].Idempotent = true
	if r := mustRun(t, m, 1); r.Harms["charge repeated"] != 0 {
		t.Errorf("%d charges are repeated by an idempotent service, want 0", r.Harms["charge repeated"])
	}
}

// An order reserves and then charges, which fail with r and e. It stays half done
// if the reservation came about, the charge did not, and, where an effect is
// taken back once, if that failed as well.
func TestASagaStaysHalfDoneAsOftenAsNobodyTakesItBack(t *testing.T) {
	numbers(t)
	const r, e = 0.2, 0.3
	for _, c := range []struct {
		saga sim.Saga
		want float64
	}{{sim.SagaNone, 0}, {sim.SagaAlone, (1 - r) * e}, {sim.SagaCompensate, (1 - r) * e * r}, {sim.SagaOutbox, 0}} {
		m := one(100, sim.Service{Servers: 1000, Saga: c.saga, Calls: []sim.Call{{To: "stock"}, {To: "pay"}}})
		m.Services = append(m.Services,
			sim.Service{ID: "stock", Servers: 1000, ServiceTime: sim.ConstDist(time.Millisecond), Effect: "reservation", Error: r},
			sim.Service{ID: "pay", Servers: 1000, ServiceTime: sim.ConstDist(time.Millisecond), Effect: "charge", Error: e})
		run := mustRun(t, m, 1)
		n := float64(run.Total(0, m.Horizon).Offered)
		within(t, "half done with saga "+string(c.saga), float64(run.Harms["half done"])/n, c.want, 0.05)
		// An outbox answers before it has taken anything back, and the others fail as often.
		within(t, "failed with saga "+string(c.saga), float64(run.Total(0, m.Horizon).Failed)/n, 1-(1-r)*(1-e), 0.02)
	}
}

// The charge comes about after its caller has given up and taken it back. Only
// who knows that it was taken back does not do it then.
func TestALateEffectIsTakenBackByWhoRemembers(t *testing.T) {
	m := one(10, sim.Service{Servers: 1000, Saga: sim.SagaCompensate, Calls: []sim.Call{{To: "stock"}, {To: "pay"}}})
	m.Horizon = 20 * time.Second
	m.Services = append(m.Services,
		sim.Service{ID: "stock", Servers: 1000, ServiceTime: sim.ConstDist(time.Millisecond), Effect: "reservation"},
		sim.Service{ID: "pay", Servers: 1000, ServiceTime: sim.Dist{Shape: sim.Choice, Values: []time.Duration{10 * time.Millisecond, time.Second}, Weights: []float64{0.5, 0.5}}, Effect: "charge"})
	m.Policies = []sim.Policy{{From: "s", To: "pay", Timeout: 200 * time.Millisecond}}
	forgetful := mustRun(t, m, 1)
	m.Services[2].Idempotent = true
	mindful := mustRun(t, m, 1)
	if forgetful.Harms["half done"] == 0 || mindful.Harms["half done"] != 0 {
		t.Errorf("%d half done without and %d with an idempotent charge; want some, and none", forgetful.Harms["half done"], mindful.Harms["half done"])
	}
}
