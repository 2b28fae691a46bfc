package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// copies is a store of three copies that is written and read.
func copies(read, write int) *sim.Model {
	m := one(50, sim.Service{Servers: 100000, Calls: []sim.Call{{To: "db"}}})
	m.Horizon = 200 * time.Second
	m.Services = append(m.Services, sim.Service{ID: "writer", Servers: 100000, Calls: []sim.Call{{To: "db", Write: true}}})
	m.Workloads = append(m.Workloads, sim.Workload{ID: "w", Rate: sim.Rate{Const: 10}, Entry: "writer"})
	m.Stores = []sim.Store{{
		ID: "db", Servers: 100000, Read: sim.ExpDist(30 * time.Millisecond), Write: sim.ExpDist(30 * time.Millisecond),
		Replicas: 2, Quorum: sim.Quorum{Read: read, Write: write}, Keys: sim.Keys{N: 20},
	}}
	m.Rules = []sim.Rule{{ID: "r", At: "s", When: []sim.Atom{{Entity: "db", Dimension: "read", Value: "stale"}}, Harm: "stale"}}
	m.Conditions = []sim.Condition{
		{ID: "one cut off", Kind: sim.KindFault, Target: "db", Instances: []int{0}, Apply: []sim.Setting{{Param: "down", Value: true}}, Windows: []sim.Window{{From: 50 * time.Second, To: 100 * time.Second}}},
		{ID: "two cut off", Kind: sim.KindFault, Target: "db", Instances: []int{0, 1}, Apply: []sim.Setting{{Param: "down", Value: true}}, Windows: []sim.Window{{From: 50 * time.Second, To: 100 * time.Second}}},
	}
	return m
}

// The second of three exponentials comes after (1/3 + 1/2) of their mean.
func TestAQuorumWaitsForSoManyCopies(t *testing.T) {
	numbers(t)
	for need, want := range map[int]float64{1: 1 / 3., 2: 1/3. + 1/2., 3: 1/3. + 1/2. + 1} {
		m := copies(need, 1)
		m.Workloads = m.Workloads[:1]
		within(t, "mean latency of reads", mustRun(t, m, 1).Latency.Mean().Seconds(), 0.03*want, 0.03)
	}
}

func TestAReadIsNeverStaleIfReadAndWriteOverlap(t *testing.T) {
	for _, q := range []struct {
		read, write int
		on          string
		fresh       bool
		down        bool
	}{
		{2, 2, "one cut off", true, false},
		{1, 3, "one cut off", true, true},
		{3, 1, "one cut off", true, true},
		{1, 1, "one cut off", false, false},
		{2, 2, "two cut off", true, true},
		{1, 1, "two cut off", false, false},
	} {
		r := mustRun(t, copies(q.read, q.write), 1, q.on)
		if stale := r.Harms["stale"]; (stale == 0) != q.fresh {
			t.Errorf("%d to read, %d to write, %s: %d stale reads; want none: %t", q.read, q.write, q.on, stale, q.fresh)
		}
		if failed := r.Total(0, r.End).Failed; (failed > 0) != q.down {
			t.Errorf("%d to read, %d to write, %s: %d failed; want some: %t", q.read, q.write, q.on, failed, q.down)
		}
	}
}

// Half of the requests are about one key of four shards: its shard gets half and a
// quarter of the rest, or, if it is spread over all, a quarter.
func TestAHotKeyThatIsSplitBurdensAllShardsAlike(t *testing.T) {
	m := one(100, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "db"}}})
	m.Horizon = 100 * time.Second
	m.Stores = []sim.Store{{ID: "db", Servers: 1, Read: sim.ConstDist(20 * time.Millisecond), Shards: 4, Keys: sim.Keys{N: 4000, Hot: 0.5}}}
	m.Policies = []sim.Policy{{From: "s", To: "db", Timeout: time.Second}}
	// 50 a second and shard: of the 62.5 of the hot one most wait too long.
	if u := mustRun(t, m, 1).Total(20*time.Second, m.Horizon); u.Failed < u.Offered/3 {
		t.Errorf("%d of %d failed, want most of those about the hot key", u.Failed, u.Offered)
	}
	m.Stores[0].Split = 4
	if u := mustRun(t, m, 1).Total(20*time.Second, m.Horizon); u.Failed > 0 {
		t.Errorf("%d of %d failed with the key split, want 0", u.Failed, u.Offered)
	}
}
