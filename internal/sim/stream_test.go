package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/telemetry"
)

// orders is a shop that puts orders into a stream, which a worker takes.
func orders(rate float64, s sim.Stream, worker sim.Service) *sim.Model {
	s.ID, s.To, worker.ID = "orders", "worker", "worker"
	return &sim.Model{
		Name: "orders", Horizon: 200 * time.Second,
		Services:  []sim.Service{{ID: "shop", Servers: 1000, Calls: []sim.Call{{To: "orders"}}}, worker},
		Streams:   []sim.Stream{s},
		Workloads: []sim.Workload{{ID: "users", Rate: sim.Rate{Const: rate, Steps: []sim.Step{{At: 180 * time.Second}}}, Entry: "shop"}},
	}
}

func streamed(r *sim.Result) sim.StreamCount {
	var sum sim.StreamCount
	for _, c := range r.Streams[0].Intervals {
		sum.Published += c.Published
		sum.Refused += c.Refused
		sum.Delivered += c.Delivered
		sum.Redelivered += c.Redelivered
		sum.Done += c.Done
		sum.Duplicates += c.Duplicates
		sum.Suppressed += c.Suppressed
		sum.Lost += c.Lost
		sum.Dead += c.Dead
		sum.Waiting = c.Waiting
	}
	return sum
}

func TestPartitionsBoundHowMuchIsWorkedOnAtATime(t *testing.T) {
	m := orders(100, sim.Stream{Partitions: 4, Keys: sim.Keys{N: 1000}}, sim.Service{Instances: 4, Servers: 100, ServiceTime: sim.ConstDist(100 * time.Millisecond)})
	m.Workloads[0].Rate = sim.Rate{Const: 100}
	c := streamed(mustRun(t, m, 1))
	within(t, "messages a second through 4 partitions", float64(c.Done)/200, 40, 0.01)
	within(t, "left at the end", float64(c.Waiting), 60*200, 0.05)
	m.Streams[0].Bound = 10
	c = streamed(mustRun(t, m, 1))
	within(t, "refused a second", float64(c.Refused)/200, 60, 0.05)
}

func TestAMessageThatFailsIsLostOrHandedOverAgainAsItsAckSays(t *testing.T) {
	worker := sim.Service{Servers: 100, ServiceTime: sim.ConstDist(time.Millisecond), Error: 0.2}
	for _, c := range []struct {
		name                           string
		s                              sim.Stream
		lost, dead, redelivered, ended float64 // shares of those published
	}{
		{"before", sim.Stream{Partitions: 8, Keys: sim.Keys{N: 100}, Ack: sim.AckBefore}, 0.2, 0, 0, 0.8},
		{"after", sim.Stream{Partitions: 8, Keys: sim.Keys{N: 100}, RedeliverAfter: time.Millisecond}, 0, 0, 0.25, 1},
		{"after, two deliveries", sim.Stream{Partitions: 8, Keys: sim.Keys{N: 100}, MaxDeliveries: 2, RedeliverAfter: time.Millisecond}, 0, 0.04, 0.2, 0.96},
	} {
		got := streamed(mustRun(t, orders(100, c.s, worker), 1))
		n := float64(got.Published)
		within(t, c.name+": lost", float64(got.Lost)/n, c.lost, 0.05)
		within(t, c.name+": dead letters", float64(got.Dead)/n, c.dead, 0.1)
		within(t, c.name+": handed over again", float64(got.Redelivered)/n, c.redelivered, 0.05)
		within(t, c.name+": worked on", float64(got.Done)/n, c.ended, 0.02)
		if got.Done+got.Lost+got.Dead != got.Published || got.Waiting != 0 {
			t.Errorf("%s: of %d messages %d are done, %d lost, %d dead, %d wait; want all accounted for", c.name, got.Published, got.Done, got.Lost, got.Dead, got.Waiting)
		}
	}
}

// A worker that takes longer than the timeout does its work, and is handed it
// again: the double charge.
func TestATimeoutMakesAMessageBeWorkedOnTwice(t *testing.T) {
	m := orders(10, sim.Stream{Partitions: 50, Keys: sim.Keys{N: 1000}}, sim.Service{Servers: 1000, ServiceTime: sim.Dist{Shape: sim.Choice, Values: []time.Duration{10 * time.Millisecond, time.Second}, Weights: []float64{0.9, 0.1}}})
	m.Policies = []sim.Policy{{From: "orders", To: "worker", Timeout: 500 * time.Millisecond}}
	m.Rules = []sim.Rule{{ID: "charge", At: "worker", Harm: "charge"}}
	r := mustRun(t, m, 1)
	c := streamed(r)
	within(t, "duplicates", float64(c.Duplicates)/float64(c.Published), 0.1/0.9, 0.15)
	if r.Harms["charge"] != c.Done+c.Duplicates {
		t.Errorf("%d charges, want one each time: %d", r.Harms["charge"], c.Done+c.Duplicates)
	}
	m.Streams[0].Idempotent = true
	r = mustRun(t, m, 1)
	if c := streamed(r); r.Harms["charge"] != c.Published || c.Suppressed == 0 {
		t.Errorf("%d charges for %d messages with an idempotent worker, want as many", r.Harms["charge"], c.Published)
	}
}

func TestARebalanceStopsTheStreamAndRepeatsWhatWasUnderWay(t *testing.T) {
	m := orders(100, sim.Stream{Partitions: 32, Keys: sim.Keys{N: 10000}, Rebalance: 5 * time.Second}, sim.Service{Instances: 4, Servers: 100, ServiceTime: sim.ConstDist(100 * time.Millisecond)})
	m.Conditions = []sim.Condition{{
		ID: "crash", Kind: sim.KindFault, Target: "worker", Instances: []int{0}, Apply: []sim.Setting{{Param: "down", Value: true}},
		Windows: []sim.Window{{From: 50 * time.Second}},
	}}
	r := mustRun(t, m, 1, "crash")
	c := streamed(r)
	if c.Duplicates == 0 || c.Done != c.Published || c.Waiting != 0 {
		t.Errorf("%d duplicates, %d of %d done, %d wait; want some, all and none", c.Duplicates, c.Done, c.Published, c.Waiting)
	}
	for i := 51; i < 54; i++ {
		if d := r.Streams[0].Intervals[i].Delivered; d > 0 {
			t.Errorf("%d messages were handed over in second %d, want none before 55 s", d, i)
		}
	}
}

func TestAConsumerIsTracedByItselfAndLinkedToTheSender(t *testing.T) {
	m := orders(20, sim.Stream{Publish: sim.ConstDist(time.Millisecond)}, sim.Service{Servers: 100, ServiceTime: sim.ConstDist(time.Millisecond)})
	m.Horizon = 10 * time.Second
	batch, _ := received(t, m)
	producers := make(map[telemetry.SpanID]bool)
	consumers := 0
	for _, s := range batch.Spans {
		if s.Kind == telemetry.KindProducer {
			producers[s.ID] = true
		}
	}
	for _, s := range batch.Spans {
		if s.Kind != telemetry.KindConsumer {
			continue
		}
		consumers++
		if !s.Parent.IsZero() || len(s.Links) != 1 || !producers[s.Links[0].Span] || s.Links[0].Trace == s.Trace {
			t.Fatalf("a consumer has parent %v and links %v; want none, and one to a producer in another trace", s.Parent, s.Links)
		}
	}
	if consumers < 150 || len(producers) < 150 {
		t.Errorf("%d producers and %d consumers, want about 200 of each", len(producers), consumers)
	}
}
