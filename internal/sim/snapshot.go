package sim

import "slices"

// A Snapshot is the state of a run at one time, from which any number of runs
// can go on, each by itself.
type Snapshot struct {
	frozen *Sim
}

// Snapshot returns the state of the run, which goes on unchanged.
func (s *Sim) Snapshot() *Snapshot { return &Snapshot{frozen: s.clone()} }

// Restore returns a run that goes on from the snapshot.
func (p *Snapshot) Restore() *Sim { return p.frozen.clone() }

// clone builds the same run anew and copies what has changed since. It shares
// nothing that changes.
func (s *Sim) clone() *Sim {
	c, err := New(s.model, s.seed, s.settings)
	if err != nil {
		panic("BUG: a model that ran is not valid: " + err.Error())
	}
	c.begun = s.begun
	c.toggles = slices.Clone(s.toggles)
	c.engine.copy(&s.engine)
	c.requests, c.calls, c.frames = s.requests.clone(), s.calls.clone(), s.frames.clone()
	for i := range s.stations {
		c.stations[i].copy(s.stations[i])
	}
	for i := range s.edges {
		c.edges[i].copy(s.edges[i])
	}
	for i := range s.workloads {
		c.workloads[i].copy(s.workloads[i])
	}
	c.conditions.list = slices.Clone(s.conditions.list)
	c.recorder.copy(&s.recorder)
	return c
}

// copy takes over all but the entities.
func (e *Engine) copy(o *Engine) {
	entities := e.entities
	*e = *o
	e.entities = entities
	e.heap.nodes = slices.Clone(o.heap.nodes)
	e.slots = slices.Clone(o.slots)
	e.free = slices.Clone(o.free)
	e.queues = slices.Clone(o.queues)
	for i := range e.queues {
		e.queues[i].ring = slices.Clone(o.queues[i].ring)
	}
}

func (t *station) copy(o *station) {
	sim, service := t.sim, t.service
	*t = *o
	t.sim, t.service = sim, service
	t.busy = slices.Clone(o.busy)
	t.waiting.ring = slices.Clone(o.waiting.ring)
}

func (d *edge) copy(o *edge) {
	sim := d.sim
	*d = *o
	d.sim = sim
}

func (w *workload) copy(o *workload) {
	sim, edge := w.sim, w.edge
	*w = *o
	w.sim, w.edge = sim, edge
}

func (r *recorder) copy(o *recorder) {
	sim := r.sim
	*r = *o
	r.sim = sim
	r.latency.counts = slices.Clone(o.latency.counts)
	r.total.counts = slices.Clone(o.total.counts)
	r.users = slices.Clone(o.users)
	r.services = slices.Clone(o.services)
	for i := range r.services {
		r.services[i] = slices.Clone(o.services[i])
	}
	r.edges = slices.Clone(o.edges)
	for i := range r.edges {
		r.edges[i] = slices.Clone(o.edges[i])
	}
	r.stations = slices.Clone(o.stations)
	r.areas = slices.Clone(o.areas)
	r.over = slices.Clone(o.over)
}
