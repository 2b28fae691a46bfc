package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// Tokens of any age up to 100 s are held when the key is rotated at 200 s, and
// those of the old key are accepted for another 40 s: between 40 and 100 s after
// it a share of 1-x/100 is refused, which makes 18 s of all requests.
func TestTokensOfARotatedKeyAreRefusedUntilTheyHaveRunOut(t *testing.T) {
	numbers(t)
	m := one(100, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "api"}}})
	m.Horizon = 400 * time.Second
	m.Services = append(m.Services, sim.Service{ID: "api", Servers: 1000})
	m.Issuers = []sim.Issuer{{ID: "auth", Key: 1, TTL: 100 * time.Second, Subjects: 500, Overlap: 40 * time.Second}}
	m.Policies = []sim.Policy{{From: "s", To: "api", Token: "auth"}}
	m.Conditions = []sim.Condition{{
		ID: "rotation", Kind: sim.KindPolicy, Target: "auth", Apply: []sim.Setting{{Param: "key", Value: 2}}, Windows: []sim.Window{{From: 200 * time.Second}},
	}}
	if u := mustRun(t, m, 1).Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d are refused without a rotation, want 0", u.Failed)
	}
	r := mustRun(t, m, 1, "rotation")
	within(t, "refused", float64(r.Total(0, m.Horizon).Failed), 100*60*60/200., 0.1)
	if early := r.Total(0, 240*time.Second).Failed; early > 0 {
		t.Errorf("%d are refused while the old key is accepted, want 0", early)
	}
	m.Issuers[0].Overlap = 100 * time.Second
	if u := mustRun(t, m, 1, "rotation").Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d are refused with an overlap as long as tokens live, want 0", u.Failed)
	}
	m.Issuers[0].Overlap = 0
	m.Issuers[0].Renew = true
	m.Policies[0].Retry.MaxAttempts = 2
	if u := mustRun(t, m, 1, "rotation").Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d fail if who is refused asks for a new token and tries again, want 0", u.Failed)
	}
}

// Who checks asks for the keys every 20 s, and knows no key that is newer: for 10 s
// on average it refuses the new one, unless that is published so long before.
func TestANewKeyIsRefusedUntilItIsKnown(t *testing.T) {
	numbers(t)
	m := one(200, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "api"}}})
	m.Horizon = 100 * time.Second
	m.Services = append(m.Services, sim.Service{ID: "api", Instances: 20, Servers: 1000})
	m.Issuers = []sim.Issuer{{ID: "auth", Key: 1, TTL: time.Millisecond, Overlap: time.Minute, Fetch: 20 * time.Second}}
	m.Policies = []sim.Policy{{From: "s", To: "api", Token: "auth"}}
	m.Conditions = []sim.Condition{{
		ID: "rotation", Kind: sim.KindPolicy, Target: "auth", Apply: []sim.Setting{{Param: "key", Value: 2}}, Windows: []sim.Window{{From: 50 * time.Second}},
	}}
	within(t, "refused", float64(mustRun(t, m, 1, "rotation").Total(0, m.Horizon).Failed), 200*10, 0.3)
	m.Issuers[0].Ahead = 20 * time.Second
	if u := mustRun(t, m, 1, "rotation").Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d are refused if the key was published 20 s ahead, want 0", u.Failed)
	}
}
