package sim

import "strings"

// A service is the instances that share a name, and what they call.
type service struct {
	sim      *Sim
	id       int32 // as a node
	base     Service
	specs    []Service // of the instances
	stations []*station
	steps    []step
	rules    []rule
	lease    *lease // that makes one of its instances the leader, or nil
	readers  []reader
	picky    bool  // some instance does not understand all formats
	special  bool  // what it is asked may have an effect, or not be understood
	effect   uint8 // its bit, or 0
	whole    uint8 // the effects of what it calls
	repeats  *int
}

// apply computes the parameters of each instance anew.
func (v *service) apply(over func(instance int, set setter)) {
	for i, t := range v.stations {
		spec := v.base.copy()
		over(i, spec.set)
		v.specs[i] = spec
		t.met = v.sim.atoms.bit(Atom{spec.ID, "version", spec.Version, false})
		if v.sim.tap != nil {
			v.sim.tap.identify(t, &spec)
		}
		t.refresh(spec.station())
	}
	v.listen()
}

// listen makes ready what the instances do with what they are asked.
func (v *service) listen() {
	v.picky, v.special = false, v.effect != 0
	for k := range v.steps {
		v.steps[k].bounded = v.steps[k].hops > 0
	}
	for i := range v.specs {
		spec := &v.specs[i]
		v.readers[i] = spec.Format.reader(v.sim, v.base.ID)
		v.picky = v.picky || spec.Format.Reads != ""
		v.special = v.special || v.picky || spec.Saga != SagaNone
		for k := range v.steps {
			v.steps[k].bounded = v.steps[k].bounded || spec.Calls[k].Skip
		}
	}
}

// copy returns a service whose flags and calls can be set by themselves.
func (s Service) copy() Service {
	s.Flags = append([]Flag(nil), s.Flags...)
	s.Calls = append([]Call(nil), s.Calls...)
	return s
}

// station is what the service says about an instance.
func (s *Service) station() stationSpec {
	return stationSpec{
		servers: s.Servers, work: [2]Dist{s.ServiceTime, s.ServiceTime}, speed: s.Speed, error: s.Error, down: s.Down, draining: s.Draining,
		queue: s.Queue, slowdown: s.Slowdown, pause: s.Pause, coldStart: s.ColdStart, growth: s.Growth, startup: s.Startup, memory: s.Memory,
	}
}

func (v *service) pick(d *edge, c *call) (int32, bool) {
	if d.pinned {
		t := v.stations[v.sim.requests.at(c.req).user]
		return t.id, t.listed
	}
	return d.route(v.stations, c)
}

func (v *service) enter(j int32) {
	f := v.sim.frames.at(j)
	if v.sim.tap != nil {
		f.as = v.sim.tap.now[f.station]
	}
	v.sim.stations[f.station].arrive(j)
}

// worked goes on with a frame whose own work is done.
func (v *service) worked(j int32) {
	s := v.sim
	f := s.frames.at(j)
	t := s.stations[f.station]
	if f.past == pastJudgement { // it was the work that a rule added
		t.leave(j, resultOK)
		return
	}
	q := s.requests.at(f.req)
	if v.lease != nil && !v.lease.permits(t.instance) {
		t.leave(j, resultError)
		return
	}
	q.met |= t.met
	if s.tap != nil {
		f.as = s.tap.now[t.id]
	}
	v.evaluate(&v.specs[t.instance], q, f)
	if e := t.spec.error; e > 0 && draw(q.key, forFault, int(v.id), int(f.serial)) < e {
		t.leave(j, resultError)
		return
	}
	if v.special && !v.heed(j, f, q) {
		return
	}
	v.proceed(j)
}

// heed reads what is asked and brings its effect about, and reports whether the
// frame goes on with its calls.
func (v *service) heed(j int32, f *frame, q *request) bool {
	t := v.sim.stations[f.station]
	if v.picky && !v.readers[t.instance].takes(t, j, int(v.id)) {
		return false
	}
	spec := &v.specs[t.instance]
	if v.effect != 0 && !v.act(spec, q, f.undo) {
		t.leave(j, resultOK)
		return false
	}
	if spec.Saga != SagaNone {
		q.effects.whole |= v.whole
	}
	return true
}

// set gives a parameter a value.
func (s *Service) set(param string, v any) error {
	if key, ok := strings.CutPrefix(param, "flag."); ok {
		return s.setFlag(param, key, v)
	}
	if to, ok := strings.CutPrefix(param, "call."); ok {
		return s.setCall(param, to, v)
	}
	switch param {
	case "version":
		return asText(param, v, &s.Version)
	case "servers":
		return asCount(param, v, &s.Servers)
	case "service_time":
		return asDist(param, v, &s.ServiceTime)
	case "speed":
		return asFactor(param, v, &s.Speed)
	case "error":
		return asHighest(param, v, &s.Error)
	case "down":
		return asBool(param, v, &s.Down)
	case "draining":
		return asBool(param, v, &s.Draining)
	case "cold_start.keep_alive":
		return asDuration(param, v, &s.ColdStart.KeepAlive)
	case "cold_start.takes":
		return asDist(param, v, &s.ColdStart.Takes)
	case "slowdown.above":
		return asInt(param, v, &s.Slowdown.Above)
	case "slowdown.factor":
		return asNumber(param, v, &s.Slowdown.Factor)
	case "speaks":
		return asText(param, v, &s.Speaks)
	case "idempotent":
		return asBool(param, v, &s.Idempotent)
	case "saga":
		return asText(param, v, &s.Saga)
	}
	if known, err := s.Queue.set(param, v); known {
		return err
	}
	if known, err := s.Format.set(param, v); known {
		return err
	}
	if known, err := s.Growth.set(param, v); known {
		return err
	}
	if known, err := s.Startup.set(param, v); known {
		return err
	}
	if known, err := s.Memory.set(param, v); known {
		return err
	}
	if known, err := s.Scale.set(param, v); known {
		return err
	}
	return unknownParam(param, "service", "version", "servers", "service_time", "speed", "error", "down", "draining", "slowdown.above",
		"slowdown.factor", "cold_start.takes", "cold_start.keep_alive", "flag.KEY", "flag.KEY.share", "call.ID.skip", "speaks", "idempotent", "saga", formatParams, growthParams, startupParams, memoryParams, scaleParams, queueParams)
}
