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

// A step is one call that a request makes.
type step struct {
	edge     *edge
	prob     float64
	count    int32
	need     int32
	parallel bool
	write    bool
	optional bool
	hops     int16
	bounded  bool // by hops, or some instance skips it
}

// apply computes the parameters of each instance anew.
func (v *service) apply(over func(instance int, set setter)) {
	for i, t := range v.stations {
		spec := v.base.copy()
		over(i, spec.set)
		v.specs[i] = spec
		t.met = v.sim.atoms.bit(Atom{spec.ID, "version", spec.Version, false})
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

func (v *service) enter(j int32) { v.sim.stations[v.sim.frames.at(j).station].arrive(j) }

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

// proceed makes the next call of a frame, or answers if there is none.
func (v *service) proceed(j int32) {
	s := v.sim
	f := s.frames.at(j)
	f.stage = stageCalls
	for int(f.step) < len(v.steps) {
		st := &v.steps[f.step]
		if st.bounded && v.skips(st, f) {
			f.step++
			continue
		}
		if st.parallel && v.chance(st, f) {
			v.fork(j, st)
			return
		}
		if !st.parallel && f.repeat < st.count && v.chance(st, f) {
			f.repeat++
			v.call(j, st)
			return
		}
		f.step++
		f.repeat = 0
	}
	if q := s.requests.at(f.req); q.message > 0 && v.id == s.nodes[q.stream].(*stream).out.callee &&
		!s.nodes[q.stream].(*stream).worked(q.message-1) {
		s.stations[f.station].leave(j, resultOK)
		return
	}
	if len(v.rules) > 0 && v.judge(j) {
		return
	}
	if v.whole != 0 {
		s.requests.at(f.req).effects.failed = false
	}
	s.stations[f.station].leave(j, resultOK)
}

// skips reports whether a frame makes a call not at all.
func (v *service) skips(st *step, f *frame) bool {
	return st.hops > 0 && f.hops >= st.hops || v.specs[v.sim.stations[f.station].instance].Calls[f.step].Skip
}

// chance reports whether a frame makes a call this time.
func (v *service) chance(st *step, f *frame) bool {
	return st.prob >= 1 ||
		draw(v.sim.requests.at(f.req).key, forCall, int(v.id)<<8|int(f.step), int(f.serial)<<8|int(f.repeat)) < st.prob
}

// call makes one call.
func (v *service) call(j int32, st *step) {
	s := v.sim
	f := s.frames.at(j)
	i := st.edge.begin(f.req, j, f.station, st.write)
	c := s.calls.at(i)
	c.nth = f.repeat
	c.sibling = f.child
	c.hops = f.hops
	f.child = i
	if st.edge.ring {
		if c.hops++; c.hops > maxHops {
			st.edge.fail(i, resultError)
			return
		}
	}
	st.edge.send(i)
}

// fork makes all calls of a step at once. Those that end at once are only counted
// until all are made.
func (v *service) fork(j int32, st *step) {
	f := v.sim.frames.at(j)
	f.pending, f.won, f.opening = st.count, 0, true
	for f.repeat < st.count {
		f.repeat++
		v.call(j, st)
	}
	f.opening = false
	v.settle(j, st)
}

// settle goes on with a frame once enough of its calls have succeeded, or too
// many have failed. It waits no more for the others.
func (v *service) settle(j int32, st *step) {
	f := v.sim.frames.at(j)
	won := f.won >= st.need
	if f.opening || !won && f.won+f.pending >= st.need {
		return
	}
	v.sim.giveAll(f)
	if !won && !st.optional {
		v.fail(j, resultUpstream)
		return
	}
	f.step++
	f.repeat = 0
	v.proceed(j)
}

// giveAll gives up all calls of a frame.
func (s *Sim) giveAll(f *frame) {
	for i := f.child; i != none; {
		c := s.calls.at(i)
		next := c.sibling
		s.edges[c.edge].give(i)
		i = next
	}
	f.child = none
}

// unlink takes a call that has ended out of those of a frame.
func (s *Sim) unlink(f *frame, i int32) {
	if f.child == i {
		f.child = s.calls.at(i).sibling
		return
	}
	for k := f.child; k != none; k = s.calls.at(k).sibling {
		if s.calls.at(k).sibling == i {
			s.calls.at(k).sibling = s.calls.at(i).sibling
			return
		}
	}
}

// resume goes on with a frame whose call has ended.
func (v *service) resume(j, i int32, r result) {
	s := v.sim
	f := s.frames.at(j)
	s.unlink(f, i)
	if f.past == pastFailure {
		v.undo(j)
		return
	}
	st := &v.steps[f.step]
	if st.parallel {
		f.pending--
		if r == resultOK {
			f.won++
		}
		v.settle(j, st)
		return
	}
	t := s.stations[f.station]
	switch {
	case !t.up:
		v.fail(j, resultUnreachable)
	case r != resultOK && !st.optional:
		v.fail(j, resultUpstream)
	default:
		v.proceed(j)
	}
}

// abandon stops a frame, unless it waits in a queue, where it is skipped.
func (v *service) abandon(j int32) {
	if f := v.sim.frames.at(j); f.stage == stageCalls && v.whole != 0 {
		v.sim.giveAll(f)
		v.fail(j, resultCancelled)
		return
	}
	v.sim.abandonAt(j)
}

// abandonAt stops what a frame does at an instance.
func (s *Sim) abandonAt(j int32) {
	f := s.frames.at(j)
	t := s.stations[f.station]
	switch f.stage {
	case stageWorks:
		t.interrupt(j, resultCancelled)
	case stageCalls:
		s.giveAll(f)
		t.leave(j, resultCancelled)
	default: // it is skipped when its turn comes
	}
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
