package sim

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
