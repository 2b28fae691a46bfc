package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// A quarter of the callers speak v2.
func speakers(f sim.DataFormat) *sim.Model {
	m := one(100, sim.Service{Instances: 4, Servers: 1000, Speaks: "v1", Calls: []sim.Call{{To: "old"}}})
	m.Services = append(m.Services, sim.Service{ID: "old", Servers: 1000, ServiceTime: sim.ConstDist(10 * time.Millisecond), Format: f})
	m.Conditions = []sim.Condition{{
		ID: "new", Kind: sim.KindDeploy, Target: "s", Apply: []sim.Setting{{Param: "speaks", Value: "v2"}}, Instances: []int{0}, Default: true,
	}}
	return m
}

func TestWhatIsNotUnderstoodFailsOrIsMisread(t *testing.T) {
	numbers(t)
	for _, c := range []struct {
		format          sim.DataFormat
		failed, misread float64
		latency         float64
	}{
		{sim.DataFormat{}, 0, 0, 0.01},
		{sim.DataFormat{Reads: "v1 v2"}, 0, 0, 0.01},
		{sim.DataFormat{Reads: "v1"}, 0.25, 0, 0.01},
		{sim.DataFormat{Reads: "v1", Lenient: true}, 0, 0.25, 0.01},
		{sim.DataFormat{Reads: "v1 v2", Translate: sim.ConstDist(40 * time.Millisecond)}, 0, 0, 0.01 + 0.25*0.04},
	} {
		r := mustRun(t, speakers(c.format), 1, "new")
		n := float64(r.Total(0, r.End).Offered)
		within(t, "share that fails", float64(r.Total(0, r.End).Failed)/n, c.failed, 0.03)
		within(t, "share that is misread", float64(r.Harms["old misread"])/n, c.misread, 0.03)
		within(t, "mean latency", r.Latency.Mean().Seconds(), c.latency, 0.02)
		done, _ := r.Service("old", 0, r.End)
		within(t, "work", done.Work/n, c.latency, 0.02)
	}
}

// A message keeps the format of whoever sent it.
func TestAMessageIsReadInTheFormatOfItsSender(t *testing.T) {
	m := speakers(sim.DataFormat{Reads: "v1"})
	m.Horizon = time.Minute
	m.Services[0].Calls = []sim.Call{{To: "mail"}}
	m.Streams = []sim.Stream{{ID: "mail", To: "old", Partitions: 8, Keys: sim.Keys{N: 64}, MaxDeliveries: 1}}
	r := mustRun(t, m, 1, "new")
	var dead, sent int
	for _, k := range r.Streams[0].Intervals {
		dead, sent = dead+k.Dead, sent+k.Published
	}
	within(t, "share of messages that are given up", float64(dead)/float64(sent), 0.25, 0.03)
}

// Half of the shards have the old schema, and a quarter of the writers write for
// the new one.
func TestAShardRefusesWritesForAnotherSchema(t *testing.T) {
	m := speakers(sim.DataFormat{})
	m.Horizon = 2 * time.Minute
	m.Services[0].Calls = []sim.Call{{To: "db", Write: true}, {To: "db"}}
	m.Stores = []sim.Store{{ID: "db", Servers: 100, Shards: 4, Keys: sim.Keys{N: 4000}}}
	m.Conditions = append(m.Conditions, sim.Condition{
		ID: "old", Kind: sim.KindConfig, Target: "db", Apply: []sim.Setting{{Param: "format.reads", Value: "v1"}}, Instances: []int{0, 1},
	})
	r := mustRun(t, m, 1, "new", "old")
	within(t, "share that fails", float64(r.Total(0, r.End).Failed)/float64(r.Total(0, r.End).Offered), 0.25/2, 0.05)
}
