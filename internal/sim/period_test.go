package sim_test

import (
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// What happens again and again must let time pass, or a run would never end.
func TestNothingHappensAgainAtOnce(t *testing.T) {
	m := one(1, sim.Service{Instances: 1, Servers: 1, Scale: sim.Scale{Max: 2, Target: 0.5, Every: time.Nanosecond}})
	m.Workloads = append(m.Workloads, sim.Workload{ID: "jobs", Entry: "s", Schedule: sim.Schedule{Every: time.Nanosecond, Jobs: 1 << 20}})
	m.Distributions = []sim.Distribution{{ID: "config", Poll: time.Nanosecond}}
	m.Services[0].Calls = []sim.Call{{To: "s", Hops: 1 << 20}}
	m.Conditions = []sim.Condition{
		{ID: "a", Kind: sim.KindConfig, Target: "s", Apply: []sim.Setting{{Param: "scale.every", Value: -time.Second}}},
		{ID: "b", Kind: sim.KindConfig, Target: "config", Apply: []sim.Setting{{Param: "poll", Value: time.Nanosecond}}},
		{ID: "c", Kind: sim.KindConfig, Target: "jobs", Apply: []sim.Setting{{Param: "schedule.jobs", Value: 1 << 20}}},
	}
	err := m.Validate()
	if err == nil {
		t.Fatal("the model is valid, want eight things to be wrong with it")
	}
	for _, want := range []string{
		"scale.every 1ns: want 1ms or more", "schedule.every 1ns: want 1ms or more", "schedule.jobs 1048576: want 10000 at most", "poll 1ns: want 1ms or more",
		"hops 1048576 of the call to s: want 64 at most", "scale.every: -1s: want a duration of 1ms or more", "poll: 1ns: want a duration of 1ms or more",
		"schedule.jobs: 1048576: want a whole number from 0 to 10000",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks: %s", err, want)
		}
	}
}
