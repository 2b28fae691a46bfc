package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

func TestASlotRunsOnceOrOnEachInstance(t *testing.T) {
	m := one(0, sim.Service{Instances: 3, Servers: 10, ServiceTime: sim.ConstDist(time.Millisecond)})
	m.Workloads[0].Schedule = sim.Schedule{Every: 10 * time.Second}
	c := mustRun(t, m, 1).Schedules[0]
	if c.Slots != 100 || c.Runs != 99 || c.Doubled != 0 || c.Missed != 0 {
		t.Errorf("%+v; want 100 slots, of which all but the last, at the end of the run, ran once", c)
	}
	m.Workloads[0].Schedule.Each = true
	if c = mustRun(t, m, 1).Schedules[0]; c.Runs != 3*99 || c.Doubled != 2*99 {
		t.Errorf("%+v; want each slot to run three times", c)
	}
	// Only the leader, of which there is one.
	m.Leases = []sim.Lease{{ID: "leader", Of: "s", TTL: 9 * time.Second}}
	if c = mustRun(t, m, 1).Schedules[0]; c.Runs != 99 || c.Doubled != 0 {
		t.Errorf("%+v; want each slot to run once", c)
	}
}

// A leader that is cut off goes on for as long as its clock is slow: of a drift of
// 0.5 and a lease of 20 s up to 10 s, less the second until its successor renews.
func TestASlotRunsTwiceWhileTwoBelieveToLead(t *testing.T) {
	m := one(0, sim.Service{Instances: 3, Servers: 10, ServiceTime: sim.ConstDist(time.Millisecond)})
	m.Horizon = 2 * time.Minute
	m.Workloads[0].Schedule = sim.Schedule{Every: 500 * time.Millisecond, Each: true}
	m.Leases = []sim.Lease{{ID: "leader", Of: "s", TTL: 20 * time.Second, Renew: time.Second}}
	m.Conditions = []sim.Condition{
		{ID: "cut", Kind: sim.KindFault, Target: "leader", Instances: []int{0}, Apply: []sim.Setting{{Param: "partitioned", Value: true}}, Windows: []sim.Window{{From: 30 * time.Second}}},
		{ID: "slow clock", Kind: sim.KindFault, Target: "leader", Apply: []sim.Setting{{Param: "drift", Value: 0.5}}},
		{ID: "fencing", Kind: sim.KindConfig, Target: "leader", Apply: []sim.Setting{{Param: "fencing", Value: true}}},
	}
	sum := 0
	for seed := range uint64(20) {
		for _, on := range [][]string{{"cut"}, {"slow clock"}, {"cut", "slow clock", "fencing"}} {
			if c := mustRun(t, m, seed, on...).Schedules[0]; c.Doubled != 0 {
				t.Errorf("%d slots ran twice with %v, want 0", c.Doubled, on)
			}
		}
		sum += mustRun(t, m, seed, "cut", "slow clock").Schedules[0].Doubled
	}
	within(t, "slots that ran twice, a run", float64(sum)/20, 2*(5-0.5), 0.3)
}

func TestAStageWaitsForTheOneBeforeUnlessTheyAreParallel(t *testing.T) {
	m := one(50, sim.Service{Servers: 100, Version: "1"})
	m.Horizon = time.Minute
	m.Rules = []sim.Rule{
		{ID: "deployed", At: "s", When: []sim.Atom{{Entity: "s", Dimension: "version", Value: "2"}}, Harm: "on 2"},
	}
	m.Conditions = []sim.Condition{
		{ID: "migrate", Kind: sim.KindCron, Target: "s", Default: true},
		{ID: "deploy", Kind: sim.KindDeploy, Target: "s", Apply: []sim.Setting{{Param: "version", Value: "2"}}, Default: true},
		{ID: "parallel", Kind: sim.KindConfig, Target: "delivery", Apply: []sim.Setting{{Param: "parallel", Value: true}}},
	}
	m.Pipelines = []sim.Pipeline{{ID: "delivery", Start: 10 * time.Second, Stages: []sim.Stage{
		{Condition: "migrate", Takes: sim.ConstDist(20 * time.Second)}, {Condition: "deploy", Takes: sim.ConstDist(5 * time.Second)},
	}}}
	for _, c := range []struct {
		on      []string
		migrate time.Duration
		deploy  time.Duration
	}{
		{[]string{"migrate", "deploy"}, 30 * time.Second, 35 * time.Second},
		{[]string{"migrate", "deploy", "parallel"}, 30 * time.Second, 15 * time.Second},
		{[]string{"deploy"}, -1, 15 * time.Second},
	} {
		r := mustRun(t, m, 1, c.on...)
		began := map[string]time.Duration{"migrate": -1, "deploy": -1}
		for _, g := range r.Toggles {
			began[g.ID] = g.From
		}
		if began["migrate"] != c.migrate || began["deploy"] != c.deploy {
			t.Errorf("with %v migrate is done at %v and deploy at %v, want %v and %v", c.on, began["migrate"], began["deploy"], c.migrate, c.deploy)
		}
		within(t, "requests on version 2", float64(r.Harms["on 2"]), 50*(m.Horizon-c.deploy).Seconds(), 0.1)
	}
}
