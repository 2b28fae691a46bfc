package sim

import (
	"maps"
	"slices"
)

// A Snapshot is the state of a run at one time, from which any number of runs
// can go on, each by itself.
type Snapshot struct {
	frozen *Sim
}

// Snapshot returns the state of the run, which goes on unchanged.
func (s *Sim) Snapshot() *Snapshot { return &Snapshot{frozen: s.clone()} }

// Restore returns a run that goes on from the snapshot. It tells no telemetry:
// that of the run would have to be taken back.
func (p *Snapshot) Restore() *Sim { return p.frozen.clone() }

// clone builds the same run anew and copies what has changed since. It shares
// nothing that changes.
func (s *Sim) clone() *Sim {
	settings := s.settings
	settings.Sink = nil
	c, err := New(s.model, s.seed, settings)
	if err != nil {
		panic("BUG: a model that ran is not valid: " + err.Error())
	}
	c.begun, c.inForce = s.begun, s.inForce
	c.toggles = slices.Clone(s.toggles)
	for name, n := range s.harms {
		*c.harm(name) = *n
	}
	c.engine.copy(&s.engine)
	c.requests, c.calls, c.frames = s.requests.clone(), s.calls.clone(), s.frames.clone()
	for i := range s.services {
		c.services[i].copy(s.services[i])
	}
	for i := range s.stores {
		c.stores[i].copy(s.stores[i])
	}
	for i := range s.caches {
		c.caches[i].copy(s.caches[i])
	}
	for i := range s.streams {
		c.streams[i].copy(s.streams[i])
	}
	for i := range s.quotas {
		sim := c.quotas[i].sim
		*c.quotas[i] = *s.quotas[i]
		c.quotas[i].sim = sim
	}
	for i := range s.issuers {
		x := c.issuers[i]
		x.spec, x.before, x.rotated = s.issuers[i].spec, s.issuers[i].before, s.issuers[i].rotated
	}
	for i := range s.distributions {
		x := c.distributions[i]
		x.spec, x.delay, x.asked = s.distributions[i].spec, newSampler(s.distributions[i].spec.Delay), s.distributions[i].asked
	}
	for i := range s.links {
		c.links[i].spec, c.links[i].free = s.links[i].spec, s.links[i].free
	}
	for i := range s.pipelines {
		c.pipelines[i].spec = s.pipelines[i].spec.copy()
	}
	for i := range s.leases {
		c.leases[i].copy(s.leases[i])
	}
	for i := range s.scalers {
		c.scalers[i].copy(s.scalers[i])
	}
	for i := range s.stations {
		c.stations[i].copy(s.stations[i])
	}
	for i := range s.edges {
		c.edges[i].copy(s.edges[i])
	}
	for i := range s.workloads {
		c.workloads[i].copy(s.workloads[i])
	}
	c.told.spec = s.told.spec
	c.conditions.copy(&s.conditions)
	c.recorder.copy(&s.recorder)
	return c
}

// copy takes over all but the entities.
func (e *Engine) copy(o *Engine) {
	entities := e.entities
	*e = *o
	e.entities = entities
	e.heap.entries = slices.Clone(o.heap.entries)
	e.slots = slices.Clone(o.slots)
	e.free = slices.Clone(o.free)
	e.queues = slices.Clone(o.queues)
	for i := range e.queues {
		e.queues[i].ring = slices.Clone(o.queues[i].ring)
	}
}

func (v *service) copy(o *service) {
	for i := range o.specs {
		v.specs[i] = o.specs[i].copy()
	}
	v.listen()
}

func (v *store) copy(o *store) {
	copy(v.specs, o.specs)
	v.listen()
	copy(v.written, o.written)
	v.next, v.stale = o.next, o.stale
	copy(v.quorum.over, o.quorum.over)
	for i := range o.quorum.known {
		copy(v.quorum.known[i], o.quorum.known[i])
	}
}

func (v *cache) copy(o *cache) {
	sim, loads := v.sim, v.loads
	*v = *o
	v.sim, v.loads = sim, loads
	v.fresh, v.under, v.leaders = slices.Clone(o.fresh), slices.Clone(o.under), maps.Clone(o.leaders)
	r := &v.recent
	r.next, r.prev, r.in, r.asked = slices.Clone(r.next), slices.Clone(r.prev), slices.Clone(r.in), slices.Clone(r.asked)
}

func (v *stream) copy(o *stream) {
	sim, out := v.sim, v.out
	*v = *o
	v.sim, v.out = sim, out
	v.messages = o.messages.clone()
	v.partitions = slices.Clone(o.partitions)
	for i := range v.partitions {
		v.partitions[i].waiting.ring = slices.Clone(o.partitions[i].waiting.ring)
	}
}

func (l *lease) copy(o *lease) {
	sim, service := l.sim, l.service
	*l = *o
	l.sim, l.service = sim, service
	l.specs, l.lots, l.believes = slices.Clone(o.specs), slices.Clone(o.lots), slices.Clone(o.believes)
}

func (a *autoscaler) copy(o *autoscaler) {
	a.wanted, a.changed, a.started = o.wanted, o.changed, o.started
	a.since, a.count, a.rising = o.since, o.count, o.rising
	a.areas = slices.Clone(o.areas)
}

func (t *station) copy(o *station) {
	sim, owner := t.sim, t.owner
	*t = *o
	t.sim, t.owner = sim, owner
	t.busy = slices.Clone(o.busy)
	t.warm.idle = slices.Clone(o.warm.idle)
	t.waiting.levels = slices.Clone(o.waiting.levels)
	for i := range t.waiting.levels {
		t.waiting.levels[i].ring = slices.Clone(o.waiting.levels[i].ring)
	}
	t.shared.heap.entries = slices.Clone(o.shared.heap.entries)
	t.io.waiting.ring = slices.Clone(o.io.waiting.ring)
	t.locks.rows = slices.Clone(o.locks.rows)
	t.locks.table.ring = slices.Clone(o.locks.table.ring)
}

func (d *edge) copy(o *edge) {
	sim, quota, issuer, link := d.sim, d.quota, d.issuer, d.link
	*d = *o
	d.sim, d.quota, d.issuer, d.link = sim, quota, issuer, link
	d.gates = slices.Clone(o.gates)
	for i := range d.gates {
		d.gates[i] = o.gates[i].clone()
	}
}

func (w *workload) copy(o *workload) {
	sim, edge := w.sim, w.edge
	*w = *o
	w.sim, w.edge = sim, edge
	w.slots = o.slots.clone()
}

func (c *conditions) copy(o *conditions) {
	fresh := c.list
	c.list = slices.Clone(o.list)
	for i := range c.list {
		c.list[i].via = fresh[i].via
		c.list[i].units = slices.Clone(o.list[i].units)
	}
}

func (r *recorder) copy(o *recorder) {
	sim := r.sim
	*r = *o
	r.sim = sim
	r.latency.counts = slices.Clone(o.latency.counts)
	r.total.counts = slices.Clone(o.total.counts)
	r.users = slices.Clone(o.users)
	r.services = cloneSeries(o.services)
	r.caches = cloneSeries(o.caches)
	r.streams = cloneSeries(o.streams)
	r.edges = cloneSeries(o.edges)
	r.before = counts{
		stations: slices.Clone(o.before.stations), areas: slices.Clone(o.before.areas),
		caches: slices.Clone(o.before.caches), streams: slices.Clone(o.before.streams), edges: slices.Clone(o.before.edges),
	}
}

func cloneSeries[T any](from [][]T) [][]T {
	out := slices.Clone(from)
	for i := range out {
		out[i] = slices.Clone(from[i])
	}
	return out
}
