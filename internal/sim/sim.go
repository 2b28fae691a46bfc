// Package sim is a fleet of services in virtual time.
//
// A Model describes the fleet: services with instances, servers and queues; caches,
// stores and streams; what they share, such as links, quotas and leases; who calls
// whom under which policy; workloads; faults that wait for a combination (Rules); and
// conditions that can be switched. New makes a Sim of
// it, for one seed and one choice of conditions, and Run carries it out and returns a
// Result: what users, services and edges did in each interval, and when which
// condition was in force. If Settings has a Sink, the run also tells what the
// system's own instrumentation would: OTLP, in which nothing of the truth is.
//
//	s, err := sim.New(model, 42, sim.Settings{On: map[string]bool{"brownout": true}})
//	if err != nil {
//		return err
//	}
//	result, err := s.Run(ctx)
//
// The same model, seed and settings give the same result to the bit. Runs that
// differ in one condition have all randomness in common that it does not touch:
// every draw depends on the seed, the request, the purpose and who draws, and on
// nothing that another request does. Snapshot keeps the state of a run, from which
// others go on; Switch acts in one. Pair compares runs to say which condition is to
// blame for the end of which request. Verify holds all this against closed forms.
//
// A Sim is for one goroutine; run as many at a time as there are cores. A run never
// waits and never fails half-way; it ends at the model's horizon, or at
// Settings.Budget events. Queues without a bound grow as those of the system would,
// up to the 16 million pending events of an Engine, which panics then.
package sim

import (
	"context"
	"fmt"
	"time"
)

// Settings are how a model is run.
type Settings struct {
	On       map[string]bool // which conditions are on; the others as their Default says
	Interval time.Duration   // how long an interval of the result is: 1 s
	Budget   uint64          // the most events: 0, no bound
	// Sink, if set, takes telemetry. Epoch is virtual time 0 in it: 1 June 2026,
	// midnight UTC.
	Sink  Sink
	Epoch time.Time
	// Ended, if set, is called for each request that ends for its user.
	Ended func(Ended)
}

// Ended is a request that has ended for its user.
type Ended struct {
	Workload   int      // in the order of the model
	Number     uint64   // of its requests: the same one in runs that differ in their conditions
	Trace      [16]byte // of the trace that telemetry has of it, if it was kept
	Start, End Time
	OK         bool
	Slow       bool // it succeeded, but later than Model.SLO allows
}

// good reports whether its user got what it wanted in time.
func (e Ended) good() bool { return e.OK && !e.Slow }

// A Sim is one run of a model.
type Sim struct {
	model         *Model
	seed          uint64
	settings      Settings
	engine        Engine
	requests      arena[request]
	calls         arena[call]
	frames        arena[frame]
	nodes         []node
	byName        map[string]int32
	services      []*service
	caches        []*cache
	stores        []*store
	streams       []*stream
	quotas        []*quota
	leases        []*lease
	pipelines     []*pipeline
	issuers       []*issuer
	distributions []*distribution
	links         []*link
	scalers       []*autoscaler
	stations      []*station
	edges         []*edge
	workloads     []*workload
	conditions    conditions
	recorder      recorder
	atoms         atoms
	inForce       uint64 // atoms that are conditions, and are in force
	harms         map[string]*int
	halves        *int // of these, requests that are half done
	effectful     int  // services with an effect
	toggles       []Toggle
	told          *tap
	tap           *tap // the same, or nil if there is no sink
	begun         bool
}

// Run carries the rest of the run out. It ends early, with the error of ctx,
// if that is done.
func (s *Sim) Run(ctx context.Context) (*Result, error) {
	stop, err := s.RunUntil(ctx, s.model.Horizon)
	if err != nil {
		return nil, err
	}
	s.recorder.close()
	out := s.recorder.result()
	out.Stop = stop
	if s.tap != nil {
		if err := s.tap.finish(); err != nil {
			return nil, fmt.Errorf("simulate %s: %w", s.model.Name, err)
		}
		out.Telemetry = s.tap.count
	}
	return out, nil
}

// RunUntil carries the run out up to a time. It looks at ctx once for each second
// of virtual time.
func (s *Sim) RunUntil(ctx context.Context, until time.Duration) (StopReason, error) {
	s.start()
	for {
		if err := ctx.Err(); err != nil {
			return Stopped, fmt.Errorf("simulate %s: %w", s.model.Name, err)
		}
		budget := uint64(0)
		if s.settings.Budget > 0 {
			if s.engine.fired >= s.settings.Budget {
				return EventBudget, nil
			}
			budget = s.settings.Budget - s.engine.fired
		}
		next := min(until, s.engine.now.Duration()+time.Second)
		if stop := s.engine.RunUntil(Time(next), budget); stop != Horizon && stop != QueueEmpty {
			return stop, nil
		}
		if next == until {
			return Horizon, nil
		}
	}
}

// start schedules what happens first, once.
func (s *Sim) start() {
	if s.begun {
		return
	}
	s.begun = true
	s.conditions.begin()
	s.recorder.begin()
	if s.tap != nil {
		s.tap.begin()
	}
	for _, t := range s.stations {
		t.begin()
	}
	for _, a := range s.scalers {
		a.begin()
	}
	for _, l := range s.leases {
		l.begin()
	}
	for _, p := range s.pipelines {
		p.begin()
	}
	for _, w := range s.workloads {
		w.begin()
	}
}

// Now is the virtual time.
func (s *Sim) Now() time.Duration { return s.engine.now.Duration() }
