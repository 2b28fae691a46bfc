package sim

import (
	"fmt"
	"strings"
	"time"
)

// DefaultEpoch is virtual time 0 in the telemetry of a run whose Settings say
// nothing else.
func DefaultEpoch() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

// New builds a run. It fails if the model is not valid, or if On names no
// condition of it.
func New(m *Model, seed uint64, settings Settings) (*Sim, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	if settings.Interval == 0 {
		settings.Interval = time.Second
	}
	if settings.Epoch.IsZero() {
		settings.Epoch = DefaultEpoch()
	}
	if settings.Interval < 0 {
		return nil, fmt.Errorf("interval %v: want more than 0", settings.Interval)
	}
	s := &Sim{model: m, seed: seed, settings: settings, byName: make(map[string]int32), harms: make(map[string]*int)}
	s.recorder = recorder{sim: s, every: Time(settings.Interval)}
	s.recorder.ent = s.engine.Add(&s.recorder)
	s.conditions.sim = s
	s.conditions.ent = s.engine.Add(&s.conditions)
	s.addAtoms()
	for i := range m.Quotas {
		s.quotas = append(s.quotas, &quota{sim: s, base: m.Quotas[i], spec: m.Quotas[i], tokens: max(m.Quotas[i].Burst, 1)})
	}
	for i := range m.Issuers {
		x := m.Issuers[i]
		s.issuers = append(s.issuers, &issuer{sim: s, base: x, spec: x})
	}
	for i := range m.Distributions {
		s.distributions = append(s.distributions, &distribution{sim: s, base: m.Distributions[i]})
	}
	for i := range m.Links {
		s.links = append(s.links, &link{sim: s, base: m.Links[i]})
	}
	for i := range m.Services {
		s.addService(m.Services[i])
	}
	for i := range m.Stores {
		s.addStore(m.Stores[i])
	}
	for i := range m.Caches {
		s.addCache(m.Caches[i])
	}
	for i := range m.Streams {
		s.addStream(m.Streams[i])
	}
	for i := range m.Leases {
		s.addLease(m.Leases[i])
	}
	for i := range m.Pipelines {
		s.addPipeline(m.Pipelines[i])
	}
	for _, v := range s.services {
		s.addSteps(v)
	}
	s.addRings()
	for _, v := range s.services {
		s.addSaga(v)
	}
	for i := range m.Workloads {
		s.addWorkload(m.Workloads[i])
	}
	s.addRules()
	s.told = newTap(s, settings.Sink, settings.Epoch)
	if settings.Sink != nil {
		s.tap = s.told
	}
	s.addTargets()
	return s, s.addConditions()
}

// addAtoms gives every atom that a rule asks for its bit.
func (s *Sim) addAtoms() {
	for i := range s.model.Rules {
		for _, a := range s.model.Rules[i].When {
			s.atoms.need(a)
		}
	}
}

// addNode makes a node known under a name.
func (s *Sim) addNode(name string, n node) int32 {
	id := int32(len(s.nodes))
	s.nodes = append(s.nodes, n)
	s.byName[name] = id
	return id
}

func (s *Sim) addStation(o owner, node string, instance int) *station {
	t := &station{
		sim: s, id: int32(len(s.stations)), owner: o, node: node, instance: instance,
		pauses: newDraws(s.seed, fmt.Sprintf("%s/%d", node, instance), "pause"),
	}
	t.io.current = none
	t.ent = s.engine.Add(t)
	s.stations = append(s.stations, t)
	return t
}

func (s *Sim) addService(base Service) {
	base.Instances = max(base.Instances, 1)
	base.Servers = max(base.Servers, 1)
	if base.Speed == 0 {
		base.Speed = 1
	}
	all := max(base.Instances, base.Scale.Max)
	v := &service{sim: s, base: base, specs: make([]Service, all), readers: make([]reader, all)}
	v.id = s.addNode(base.ID, v)
	s.addEffect(v)
	for i := range all {
		t := s.addStation(v, base.ID, i)
		t.away = i >= base.Instances
		v.stations = append(v.stations, t)
	}
	s.services = append(s.services, v)
	if base.Scale.Max > 0 {
		a := &autoscaler{
			sim: s, service: v, wanted: base.Instances,
			areas: make([]float64, all),
		}
		a.ent = s.engine.Add(a)
		s.scalers = append(s.scalers, a)
	}
}

func (s *Sim) addStore(base Store) {
	base.Servers = max(base.Servers, 1)
	if base.Speed == 0 {
		base.Speed = 1
	}
	v := &store{sim: s, base: base, shards: max(base.Shards, 1), copies: 1 + base.Replicas, keys: newKeyPicker(base.Keys)}
	v.id = s.addNode(base.ID, v)
	v.met = s.atoms.bit(Atom{base.ID, "read", "stale", false})
	if base.Replicas > 0 {
		v.written = make([]Time, v.keys.table.n)
	}
	for i := range v.shards * v.copies {
		v.stations = append(v.stations, s.addStation(v, base.ID, i))
	}
	v.specs, v.readers = make([]Store, len(v.stations)), make([]reader, len(v.stations))
	s.stores = append(s.stores, v)
	s.addQuorum(v)
}

func (s *Sim) addCache(base Cache) {
	v := &cache{
		sim: s, base: base, keys: newKeyPicker(base.Keys), loads: make(map[int32]*edge), leaders: make(map[int64]int32),
	}
	v.id = s.addNode(base.ID, v)
	v.ent = s.engine.Add(v)
	n := v.keys.table.n
	v.fresh, v.under, v.recent = make([]Time, n), make([]int16, n), newRecency(n, base.Entries)
	v.met = [2]uint64{
		s.atoms.bit(Atom{base.ID, "result", "hit", false}), s.atoms.bit(Atom{base.ID, "result", "miss", false}),
	}
	s.caches = append(s.caches, v)
}

func (s *Sim) addStream(base Stream) {
	v := &stream{sim: s, base: base, keys: newKeyPicker(base.Keys), partitions: make([]partition, max(base.Partitions, 1))}
	for i := range v.partitions {
		v.partitions[i] = partition{current: none, frame: none}
	}
	v.id = s.addNode(base.ID, v)
	v.ent = s.engine.Add(v)
	v.out = s.edgeOf(base.ID, base.To)
	s.streams = append(s.streams, v)
}

func (s *Sim) addLease(base Lease) {
	v := s.nodes[s.byName[base.Of]].(*service) // as Validate has seen
	n := len(v.stations)
	l := &lease{sim: s, base: base, service: v, specs: make([]Lease, n), lots: make([]float64, n), believes: make([]Time, n), holder: -1, before: -1}
	for i := range l.lots {
		l.lots[i] = s.lot(base.ID, i)
	}
	l.ent = s.engine.Add(l)
	v.lease = l
	s.leases = append(s.leases, l)
}

func (s *Sim) addSteps(v *service) {
	for _, c := range v.base.Calls {
		prob := c.Prob
		if prob == 0 {
			prob = 1
		}
		d := s.edgeOf(v.base.ID, c.To)
		count := max(c.Count, 1)
		need := c.Need
		if need == 0 {
			need = count
		}
		v.steps = append(v.steps, step{
			edge: d, prob: prob, count: int32(count), need: int32(need), parallel: c.Parallel, write: c.Write, optional: c.Optional, hops: int16(c.Hops),
		})
		if behind, ok := s.nodes[d.callee].(*cache); ok {
			behind.loads[d.id] = s.edgeOf(v.base.ID, behind.base.Of)
		}
	}
}

// edgeOf returns the edge between two, and makes it the first time.
func (s *Sim) edgeOf(from, to string) *edge {
	for _, d := range s.edges {
		if d.from == from && d.to == to {
			return d
		}
	}
	d := &edge{sim: s, id: int32(len(s.edges)), from: from, to: to, callee: s.byName[to], base: s.model.policy(from, to), next: -1}
	d.ent = s.engine.Add(d)
	for _, q := range s.quotas {
		if q.base.ID == d.base.Quota {
			d.quota = q
		}
	}
	for _, x := range s.issuers {
		if x.base.ID == d.base.Token {
			d.issuer = x
		}
	}
	for _, x := range s.links {
		if x.base.ID == d.base.Network.Link {
			d.link = x
		}
	}
	_, d.serves = s.nodes[d.callee].(*service)
	d.gates = make([]gate, 1)
	if n, ok := s.byName[from]; ok {
		if v, ok := s.nodes[n].(*service); ok {
			d.gates = make([]gate, len(v.stations))
		}
	}
	s.edges = append(s.edges, d)
	return d
}

func (s *Sim) addWorkload(base Workload) {
	d := s.edgeOf(base.ID, base.Entry)
	timed := d.base.Timeout > 0
	if !timed {
		d.base.Timeout = base.Patience
	}
	w := &workload{
		sim: s, id: int32(len(s.workloads)), base: base, edge: d, timed: timed, key: hashText(mix(s.seed), base.ID),
		arrival: newDraws(s.seed, base.ID, "arrival"), bursts: newDraws(s.seed, base.ID, "burst"),
	}
	d.pinned = base.Schedule.Each
	for _, a := range base.Attributes {
		w.bits = append(w.bits, s.atoms.bit(Atom{"", a.Key, a.Value, false}))
	}
	w.ent = s.engine.Add(w)
	s.workloads = append(s.workloads, w)
}

func (s *Sim) addRules() {
	for i := range s.model.Rules {
		spec := &s.model.Rules[i]
		r := rule{id: int32(i), spec: spec, prob: spec.Prob, slow: newSampler(spec.Slow)}
		if r.prob == 0 {
			r.prob = 1
		}
		for _, a := range spec.When {
			if a.Not {
				r.not |= s.atoms.bit(a)
			} else {
				r.need |= s.atoms.bit(a)
			}
		}
		if spec.Harm != "" {
			r.harms = s.harm(spec.Harm)
		}
		v := s.nodes[s.byName[spec.At]].(*service) // as Validate has seen
		v.rules = append(v.rules, r)
	}
}

// telemetryTarget is what conditions about telemetry are about.
const telemetryTarget = "telemetry"

// isEdge reports whether a target names an edge.
func isEdge(target string) bool { return strings.Contains(target, "->") }
