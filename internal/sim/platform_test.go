package sim_test

import (
	"math"
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

func TestAnAutoscalerFollowsTheLoadLate(t *testing.T) {
	m := one(0, sim.Service{
		Instances: 2, Servers: 10, ServiceTime: sim.ExpDist(100 * time.Millisecond),
		Scale: sim.Scale{Min: 2, Max: 10, Target: 0.5, Startup: sim.ConstDist(30 * time.Second), Cooldown: time.Minute},
	})
	m.Horizon = 10 * time.Minute
	m.Workloads[0].Rate = sim.Rate{Const: 50, Steps: []sim.Step{{At: 2 * time.Minute, Rate: 300}, {At: 6 * time.Minute, Rate: 50}}}
	r := mustRun(t, m, 1)
	// 300 a second of 100 ms are 30 servers, at half load 60: six instances.
	waiting := func(at int) int { return r.Services[0].Intervals[at].Waiting }
	if waiting(140) < 500 {
		t.Errorf("%d wait 20 s into the surge, want hundreds: new instances take 30 s", waiting(140))
	}
	if waiting(300) > 20 {
		t.Errorf("%d wait 3 min into the surge, want next to none", waiting(300))
	}
	all, _ := received(t, m)
	scaled := map[string]string{}
	for _, c := range all.Changes {
		scaled[c.Dimension] = c.Value // the last
	}
	if scaled["replicas"] != "2" || len(all.Changes) < 2 {
		t.Errorf("%d changes, the last to %s replicas; want some up and then down to 2", len(all.Changes), scaled["replicas"])
	}
}

// Requests come a minute apart on average, and a function stays for a minute: the
// gap is longer for exp(-1) of them.
func TestAFunctionStartsColdAfterItsTimeToLive(t *testing.T) {
	m := one(1./60, sim.Service{Servers: 10, ServiceTime: sim.ConstDist(time.Millisecond), ColdStart: sim.ColdStart{Takes: sim.ConstDist(2 * time.Second), KeepAlive: time.Minute}})
	m.Horizon = 100 * time.Hour
	s, err := sim.New(m, 1, sim.Settings{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := finished(t, s)
	c, _ := r.Service("s", 0, r.End)
	within(t, "cold starts", float64(c.Cold)/float64(c.Done), math.Exp(-1), 0.05)
}

func TestAQuotaIsSharedByAllWhoCallUnderIt(t *testing.T) {
	numbers(t)
	m := one(80, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "maps"}}})
	m.Services = append(m.Services, sim.Service{ID: "other", Servers: 1000, Calls: []sim.Call{{To: "maps"}}}, sim.Service{ID: "maps", Servers: 1000})
	m.Workloads = append(m.Workloads, sim.Workload{ID: "batch", Rate: sim.Rate{Const: 80}, Entry: "other"})
	m.Quotas = []sim.Quota{{ID: "account", Rate: 100, Burst: 10}}
	m.Policies = []sim.Policy{{From: "s", To: "maps", Quota: "account"}, {From: "other", To: "maps", Quota: "account"}}
	r := mustRun(t, m, 1)
	c, _ := r.Service("maps", 0, r.End)
	within(t, "calls a second of 160 that are let through", float64(c.Done)/r.End.Seconds(), 100, 0.01)
	m.Workloads = m.Workloads[:1]
	if e := mustRun(t, m, 1).Edge("s", "maps", 0, m.Horizon); float64(e.Shed) > 0.01*float64(e.Calls) {
		t.Errorf("%d of %d calls are refused if one calls alone, want hardly any", e.Shed, e.Calls)
	}
}

func TestAnOutageOfDNSIsFeltWhenTheTimeToLiveIsOver(t *testing.T) {
	m := one(20, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "db"}}})
	m.Horizon = 3 * time.Minute
	m.Stores = []sim.Store{{ID: "db", Servers: 1000}}
	m.Policies = []sim.Policy{{From: "s", To: "db", DNS: sim.DNS{TTL: 30 * time.Second, Latency: sim.ConstDist(time.Millisecond), Timeout: 2 * time.Second, Negative: 5 * time.Second}}}
	m.Conditions = []sim.Condition{{
		ID: "outage", Kind: sim.KindDNS, Target: "s->db", Apply: []sim.Setting{{Param: "dns.error", Value: 1.0}},
		Windows: []sim.Window{{From: 65 * time.Second, To: 125 * time.Second}},
	}}
	r := mustRun(t, m, 1, "outage")
	if u := r.Total(0, 88*time.Second); u.Failed > 0 {
		t.Errorf("%d fail while the address is known, want 0", u.Failed)
	}
	if u := r.Total(100*time.Second, 120*time.Second); u.Good > 0 {
		t.Errorf("%d succeed without an address, want 0", u.Good)
	}
	if u := r.Total(140*time.Second, 170*time.Second); u.Failed > 0 {
		t.Errorf("%d fail after the outage, want 0", u.Failed)
	}
	m.Policies[0].DNS.ServeStale = time.Hour
	if u := mustRun(t, m, 1, "outage").Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d fail although old answers are served, want 0", u.Failed)
	}
}

// A leader that is cut off from who grants the lease believes to hold it for as
// long as its clock is slow after another one has it; fencing refuses what it does.
func TestALeaderWithASlowClockAndItsSuccessorOverlapUnlessFenced(t *testing.T) {
	m := one(200, sim.Service{Instances: 3, Servers: 100, ServiceTime: sim.ConstDist(time.Millisecond)})
	m.Horizon = 2 * time.Minute
	m.Leases = []sim.Lease{{ID: "leader", Of: "s", TTL: 10 * time.Second, Renew: time.Second, Drift: 0.5}}
	m.Policies = []sim.Policy{{From: "u", To: "s", Balance: sim.Balance{Algorithm: sim.ToLeader, Discovery: sim.ConstDist(20 * time.Second)}}}
	m.Conditions = []sim.Condition{
		{ID: "cut off", Kind: sim.KindFault, Target: "leader", Instances: []int{0}, Apply: []sim.Setting{{Param: "partitioned", Value: true}}, Windows: []sim.Window{{From: 30 * time.Second}}},
		{ID: "fencing", Kind: sim.KindConfig, Target: "leader", Apply: []sim.Setting{{Param: "fencing", Value: true}}},
	}
	calm := mustRun(t, m, 1).Leases[0]
	if calm.Grants != 1 || calm.Stale > 0 || calm.Others > 0 {
		t.Errorf("%+v without a fault; want one grant and nothing else", calm)
	}
	split := mustRun(t, m, 1, "cut off").Leases[0]
	if split.Grants != 2 || split.Stale < 50 || split.Fenced > 0 {
		t.Errorf("%+v after a cut; want a second grant, and requests worked on by a leader that is none", split)
	}
	fenced := mustRun(t, m, 1, "cut off", "fencing").Leases[0]
	if fenced.Fenced != split.Stale {
		t.Errorf("%d of %d stale requests are fenced, want all", fenced.Fenced, split.Stale)
	}
}

// In the shop a request fails if the flag is on. Some of them would also have
// failed by chance.
func TestBlameFallsOnWhatWouldHaveMadeADifference(t *testing.T) {
	m := shop()
	m.Services[1].Error = 0.1
	m.Policies[0].Retry.MaxAttempts = 1
	on := map[string]bool{"flag": true, "deploy": true, "silent": false, "slow": true}
	found, err := sim.Pair(t.Context(), m, 1, sim.Settings{On: on})
	if err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, m, 1, "flag", "deploy", "slow")
	blames := found.Blames
	for _, b := range blames {
		if len(b.Conditions) != 1 || b.Conditions[0] != "flag" || b.OK || b.Together || b.Start.Seconds() < 9.9 || b.Start.Seconds() > 15 {
			t.Fatalf("%+v; want only requests that failed between 10 and 15 s, because of the flag", b)
		}
	}
	if n := found.Without["flag"].Total(10*time.Second, 15*time.Second).Failed + len(blames); n != r.Total(10*time.Second, 15*time.Second).Failed {
		t.Errorf("failures without the flag and those that it is to blame for are %d together, which is not what failed with it", n)
	}
	failed := r.Total(10*time.Second, 15*time.Second).Failed
	within(t, "share of failures that the flag is to blame for", float64(len(blames))/float64(failed), 0.9, 0.05)
}

// Either of two faults is enough, so neither alone is to blame.
func TestWhatTwoConditionsDoEachIsBlamedOnThemTogether(t *testing.T) {
	m := one(20, sim.Service{Instances: 1, Servers: 100, ServiceTime: sim.ConstDist(time.Millisecond)})
	m.Horizon = 20 * time.Second
	for _, id := range []string{"first", "second"} {
		m.Conditions = append(m.Conditions, sim.Condition{
			ID: id, Kind: sim.KindFault, Target: "s", Apply: []sim.Setting{{Param: "down", Value: true}}, Windows: []sim.Window{{From: 5 * time.Second, To: 10 * time.Second}},
		})
	}
	found, err := sim.Pair(t.Context(), m, 1, sim.Settings{On: map[string]bool{"first": true, "second": true}})
	if err != nil {
		t.Fatal(err)
	}
	if failed := found.With.Total(0, m.Horizon).Failed; failed == 0 || len(found.Blames) != failed {
		t.Fatalf("%d of %d failures have a blame", len(found.Blames), failed)
	}
	for _, b := range found.Blames {
		if !b.Together || len(b.Conditions) != 2 {
			t.Fatalf("%+v; want both together", b)
		}
	}
}
