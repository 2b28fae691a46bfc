// Package sim is a fleet of services in virtual time.
//
// A Model describes the fleet: services with instances, servers and queues, who
// calls whom under which policy, workloads, and conditions that can be switched.
// New makes a Sim of it, for one seed and one choice of conditions, and Run
// carries it out and returns a Result: what users, services and edges did in each
// interval, and when which condition was in force.
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
// nothing that another request does. A Sim is for one goroutine; run as many at
// a time as there are cores.
//
// A run never waits and never fails half-way; it ends at the model's horizon, or
// at Settings.Budget events. Queues without a bound grow as those of the system
// would, up to the 16 million pending events of an Engine, which panics then.
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
}

// A Sim is one run of a model.
type Sim struct {
	model      *Model
	seed       uint64
	engine     Engine
	requests   arena[request]
	calls      arena[call]
	frames     arena[frame]
	services   []*service
	stations   []*station
	edges      []*edge
	workloads  []*workload
	conditions conditions
	recorder   recorder
	toggles    []Toggle
	settings   Settings
	begun      bool
}

// New builds a run. It fails if the model is not valid, or if On names no
// condition of it.
func New(m *Model, seed uint64, settings Settings) (*Sim, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	if settings.Interval == 0 {
		settings.Interval = time.Second
	}
	if settings.Interval < 0 {
		return nil, fmt.Errorf("interval %v: want more than 0", settings.Interval)
	}
	s := &Sim{model: m, seed: seed, settings: settings}
	s.recorder = recorder{sim: s, every: Time(settings.Interval)}
	s.recorder.ent = s.engine.Add(&s.recorder)
	s.conditions.sim = s
	s.conditions.ent = s.engine.Add(&s.conditions)
	for i := range m.Services {
		s.addService(&m.Services[i])
	}
	for i, v := range s.services {
		s.addSteps(v, &m.Services[i])
	}
	for i := range m.Workloads {
		s.addWorkload(m.Workloads[i])
	}
	if err := s.addConditions(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sim) addService(spec *Service) {
	base := *spec
	base.Instances = max(base.Instances, 1)
	base.Servers = max(base.Servers, 1)
	if base.Speed == 0 {
		base.Speed = 1
	}
	v := &service{id: int32(len(s.services)), spec: spec}
	for i := range base.Instances {
		t := &station{sim: s, id: int32(len(s.stations)), service: v, instance: i, base: base}
		t.ent = s.engine.Add(t)
		t.refresh(base)
		s.stations = append(s.stations, t)
		v.stations = append(v.stations, t)
	}
	s.services = append(s.services, v)
}

func (s *Sim) addSteps(v *service, spec *Service) {
	for _, c := range spec.Calls {
		prob := c.Prob
		if prob == 0 {
			prob = 1
		}
		v.steps = append(v.steps, step{edge: s.edgeOf(spec.ID, c.To), prob: prob, count: int32(max(c.Count, 1)), optional: c.Optional})
	}
}

// edgeOf returns the edge between two, and makes it the first time.
func (s *Sim) edgeOf(from, to string) *edge {
	for _, d := range s.edges {
		if d.from == from && d.to == to {
			return d
		}
	}
	callee, _ := s.model.service(to)
	d := &edge{sim: s, id: int32(len(s.edges)), from: from, to: to, service: int32(callee), base: s.model.policy(from, to), next: -1}
	d.ent = s.engine.Add(d)
	s.edges = append(s.edges, d)
	d.refresh(d.base)
	return d
}

func (s *Sim) addWorkload(spec Workload) {
	d := s.edgeOf(spec.ID, spec.Entry)
	if d.base.Timeout == 0 {
		d.base.Timeout = spec.Patience
		d.refresh(d.base)
	}
	w := &workload{
		sim: s, id: int32(len(s.workloads)), base: spec, spec: spec, edge: d,
		arrival: NewStream(s.seed, spec.ID, "arrival"), key: hashText(mix(s.seed), spec.ID),
	}
	w.ent = s.engine.Add(w)
	s.workloads = append(s.workloads, w)
}

func (s *Sim) addConditions() error {
	known := make(map[string]bool)
	for _, c := range s.model.Conditions {
		on, said := s.settings.On[c.ID]
		if !said {
			on = c.Default
		}
		known[c.ID] = true
		s.conditions.list = append(s.conditions.list, condition{spec: c, on: on})
	}
	for id := range s.settings.On {
		if !known[id] {
			return fmt.Errorf("model %s has no condition %q to switch", s.model.Name, id)
		}
	}
	return nil
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
				return Budget, nil
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
	for _, w := range s.workloads {
		w.begin()
	}
}

// Now is the virtual time.
func (s *Sim) Now() time.Duration { return s.engine.now.Duration() }
