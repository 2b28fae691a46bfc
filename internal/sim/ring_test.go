package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// ring is two services that call each other, the first one only for what has come
// from outside if hops is 1.
func ring(rate float64, hops int) *sim.Model {
	m := one(rate, sim.Service{Servers: 8, ServiceTime: sim.ConstDist(10 * time.Millisecond), Calls: []sim.Call{{To: "b", Hops: hops}}})
	m.Horizon = time.Minute
	m.Services = append(m.Services, sim.Service{ID: "b", Servers: 100, ServiceTime: sim.ConstDist(10 * time.Millisecond), Calls: []sim.Call{{To: "s"}}})
	m.Policies = []sim.Policy{{From: "s", To: "b", Timeout: time.Second}}
	return m
}

func TestARingIsLeftAfterSoManyHops(t *testing.T) {
	m := ring(5, 1)
	r := mustRun(t, m, 1)
	u := r.Total(0, m.Horizon)
	s, _ := r.Service("s", 0, m.Horizon)
	if u.Failed > 0 || r.Latency.Quantile(0.5) < 30*time.Millisecond || s.Done < 2*u.Good {
		t.Errorf("%d of %d failed, median %v, %d times at s; want none, 30 ms, twice a request", u.Failed, u.Offered, r.Latency.Quantile(0.5), s.Done)
	}
}

// Without a bound a request is refused at the 65th call along the ring, also if
// nobody waits for it any more.
func TestARingWithoutABoundEndsAtTheLimit(t *testing.T) {
	m := ring(0.2, 0)
	m.Services[0].Servers = 1000
	r := mustRun(t, m, 1)
	u, sb, bs := r.Total(0, m.Horizon), r.Edge("s", "b", 0, m.Horizon), r.Edge("b", "s", 0, m.Horizon)
	if u.Good > 0 || sb.Calls+bs.Calls != 65*u.Offered {
		t.Errorf("%d good of %d, %d calls along the ring; want none, and 65 a request", u.Good, u.Offered, sb.Calls+bs.Calls)
	}
}

// Eight requests from outside hold all servers of s, and what b asks s for them
// finds none: nothing goes on until they time out.
func TestARingStandsStillWhenItsOwnRequestsHoldAllServers(t *testing.T) {
	m := ring(40, 1)
	if u := mustRun(t, m, 1).Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d of %d failed while there are free servers, want 0", u.Failed, u.Offered)
	}
	m.Workloads[0].Rate.Steps = []sim.Step{{At: 20 * time.Second, Rate: 1500}, {At: 21 * time.Second, Rate: 40}}
	u := mustRun(t, m, 1).Total(25*time.Second, 55*time.Second)
	if ended := u.Good + u.Failed; ended == 0 || 10*u.Good > ended {
		t.Errorf("%d of %d are good after a second of too many; want next to none", u.Good, ended)
	}
}
