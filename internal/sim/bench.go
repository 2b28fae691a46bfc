package sim

import (
	"context"
	"hash"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// Names of benchmarks.
const (
	BenchEngine    = "events and timeouts alone"
	BenchRun       = "users, timeouts, retries, 30 servers"
	BenchTelemetry = "two services, about a span an event"
	BenchNaive     = "goroutine for each request and timeout"
)

// A Speed is how fast something was.
type Speed struct {
	Name        string        `json:"name"`
	Events      uint64        `json:"events"`
	CPU         time.Duration `json:"cpu_ns"` // processor time
	PerSecond   float64       `json:"events_per_second"`
	Allocations float64       `json:"allocations_per_event"`
	Spans       float64       `json:"spans_per_event"`
	RealTime    float64       `json:"times_real_time"` // virtual time over processor time
}

// Bench measures, for about so long each, events a second of processor time of
// one core: of the engine alone, of a model without and with telemetry, and of
// the same model written with a goroutine for each process, in the way of SimPy.
func Bench(ctx context.Context, each time.Duration) ([]Speed, error) {
	var out []Speed
	for _, b := range []struct {
		name string
		run  func(ctx context.Context) (Speed, error)
	}{{BenchEngine, benchEngine}, {BenchRun, benchRun}, {BenchTelemetry, benchTelemetry}, {BenchNaive, benchNaive}} {
		s, err := measure(ctx, each, b.run)
		if err != nil {
			return nil, err
		}
		s.Name = b.name
		out = append(out, s)
	}
	return out, nil
}

// measure repeats something until it has taken long enough. The first time warms
// up and does not count.
func measure(ctx context.Context, each time.Duration, run func(context.Context) (Speed, error)) (Speed, error) {
	if _, err := run(ctx); err != nil {
		return Speed{}, err
	}
	var sum Speed
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuTime()
	for sum.CPU < each {
		s, err := run(ctx)
		if err != nil {
			return Speed{}, err
		}
		sum.Events += s.Events
		sum.Spans += s.Spans
		sum.RealTime += s.RealTime
		sum.CPU = cpuTime() - began
	}
	runtime.ReadMemStats(&after)
	n := float64(sum.Events)
	sum.PerSecond = n / sum.CPU.Seconds()
	sum.Allocations = float64(after.Mallocs-before.Mallocs) / n
	sum.Spans /= n
	sum.RealTime /= sum.CPU.Seconds()
	return sum, nil
}

// benchModel is two services under load with a retry storm in it. Of its traces
// two thirds are kept, which makes about a span an event.
func benchModel(length time.Duration) *Model {
	m := &Model{
		Name: "bench", Horizon: length, SLO: SLO{Under: time.Second}, Telemetry: Telemetry{Sampling: .65},
		Services: []Service{
			{ID: "checkout", Version: "1.0.0", Instances: 4, Servers: 100000, Calls: []Call{{To: "s"}}},
			{ID: "s", Version: "2.0.0", Servers: 30, ServiceTime: ExpDist(ten), Queue: Queue{Bound: 600}},
		},
		Workloads: []Workload{{ID: "u", Rate: Rate{Const: 2800}, Entry: "checkout", Op: "POST /checkout"}},
		Policies:  []Policy{{From: "checkout", To: "s", Timeout: 100 * time.Millisecond, Retry: Retry{MaxAttempts: 3}}},
	}
	stops(m, .01, length/8, length/4)
	return m
}

// A ball comes back again and again, and cancels a timeout each time.
type ball struct {
	ent     uint32
	queue   int
	rng     rand.PCG
	timeout []Handle
}

func (b *ball) Handle(e *Engine, _ uint16, a uint64) {
	e.Cancel(b.timeout[a])
	b.timeout[a] = e.After(b.queue, b.ent, 1, a)
	e.At(e.now+Time(b.rng.Uint64()>>44), b.ent, 1, a) // up to a millisecond
}

func benchEngine(context.Context) (Speed, error) {
	const balls = 256
	var e Engine
	b := &ball{rng: *rand.NewPCG(1, 2), timeout: make([]Handle, balls), queue: e.TimeoutQueue(5 * time.Millisecond)}
	b.ent = e.Add(b)
	for a := range uint64(balls) {
		e.At(Time(a), b.ent, 1, a)
	}
	e.RunUntil(Never-1, 2e6)
	return Speed{Events: e.fired, RealTime: e.now.Seconds()}, nil
}

// benchRun is what the naive one does too: one service under a retry storm, of
// which nobody tells anything.
func benchRun(ctx context.Context) (Speed, error) {
	m := station300(280, 3, 1000*time.Second, Queue{Bound: 600})
	stops(m, .01, 125*time.Second, 250*time.Second)
	return benchOf(ctx, m, nil)
}

func benchTelemetry(ctx context.Context) (Speed, error) {
	return benchOf(ctx, benchModel(100*time.Second), &hashSink{})
}

func benchOf(ctx context.Context, m *Model, sink Sink) (Speed, error) {
	s, err := New(m, 1, Settings{Sink: sink})
	if err != nil {
		return Speed{}, err
	}
	r, err := s.Run(ctx)
	if err != nil {
		return Speed{}, err
	}
	return Speed{Events: r.Events, Spans: float64(r.Telemetry.Spans), RealTime: r.End.Seconds()}, nil
}

// A hashSink takes telemetry and keeps nothing, or its hash.
type hashSink struct{ sum hash.Hash }

// Format is Protobuf.
func (*hashSink) Format() Format { return Protobuf }

// Send adds to the hash.
func (h *hashSink) Send(_ Signal, request []byte) error {
	if h.sum != nil {
		h.sum.Write(request)
	}
	return nil
}

// A naive simulation has a goroutine for each process, which sleeps on a channel
// until the scheduler wakes it: the way of SimPy, and what one would write first.
type naive struct {
	now    float64
	queue  []naiveEvent // sorted by a heap of interfaces would be slower still
	events uint64
	parked chan struct{}
}

type naiveEvent struct {
	at   float64
	wake chan struct{}
}

// sleep parks the process for a time.
func (n *naive) sleep(d float64) {
	wake := make(chan struct{})
	n.push(naiveEvent{n.now + d, wake})
	n.parked <- struct{}{}
	<-wake
}

func (n *naive) push(e naiveEvent) {
	n.queue = append(n.queue, e)
	i := len(n.queue) - 1
	for i > 0 && n.queue[i].at < n.queue[(i-1)/2].at {
		n.queue[i], n.queue[(i-1)/2] = n.queue[(i-1)/2], n.queue[i]
		i = (i - 1) / 2
	}
}

func (n *naive) pop() naiveEvent {
	first := n.queue[0]
	last := len(n.queue) - 1
	n.queue[0] = n.queue[last]
	n.queue = n.queue[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && n.queue[c+1].at < n.queue[c].at {
			c++
		}
		if n.queue[i].at <= n.queue[c].at {
			break
		}
		n.queue[i], n.queue[c] = n.queue[c], n.queue[i]
		i = c
	}
	return first
}

// benchNaive is one service of 30 servers under 280 requests a second, each a
// goroutine that waits for a server, works and leaves, with another one that
// waits for its timeout.
func benchNaive(ctx context.Context) (Speed, error) {
	n := &naive{parked: make(chan struct{})}
	rng := rand.New(rand.NewPCG(1, 2))
	var waiting []chan struct{}
	busy := 0
	var wg sync.WaitGroup
	process := func(run func()) {
		wg.Go(func() {
			run()
			n.parked <- struct{}{}
		})
		<-n.parked
	}
	request := func() {
		if busy == 30 {
			turn := make(chan struct{})
			waiting = append(waiting, turn)
			n.parked <- struct{}{}
			<-turn
		} else {
			busy++
		}
		n.sleep(rng.ExpFloat64() / 10)
		if len(waiting) > 0 {
			n.push(naiveEvent{n.now, waiting[0]})
			waiting = waiting[1:]
		} else {
			busy--
		}
	}
	const length = 100.0
	for at := 0.0; at < length && ctx.Err() == nil; at += rng.ExpFloat64() / 280 {
		for len(n.queue) > 0 && n.queue[0].at <= at {
			n.step()
		}
		n.now = at
		n.events++
		process(request)
		process(func() { n.sleep(1) })
	}
	for len(n.queue) > 0 {
		n.step()
	}
	wg.Wait()
	return Speed{Events: n.events, RealTime: length}, ctx.Err()
}

// step wakes the next process and waits until it is parked again.
func (n *naive) step() {
	e := n.pop()
	n.now = e.at
	n.events++
	close(e.wake)
	<-n.parked
}
