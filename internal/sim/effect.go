package sim

// A Saga says what becomes of the effects of a request that a service has begun
// and cannot end: some of the services that it called have done their effect, and
// others have not.
type Saga string

// Sagas.
const (
	SagaNone       Saga = ""           // effects have nothing to do with each other
	SagaAlone      Saga = "alone"      // they belong together, and nobody takes them back
	SagaCompensate Saga = "compensate" // the service takes them back, once, before it answers
	SagaOutbox     Saga = "outbox"     // what is to be taken back is written down and tried until it is done
)

// maxEffects is how many services of a model may have an effect: one bit of a
// request each.
const maxEffects = 8

// outboxEvery is how long an outbox waits before it tries again what failed.
const outboxEvery = Time(1e9)

// effects are what a request has brought about, by the bits of the services.
type effects struct {
	done   uint8 // by these services
	undone uint8 // was to be taken back from these
	whole  uint8 // belongs together: all of it, or nothing
	failed bool  // the saga said so to whoever asked
}

// halfDone is the harm of a request of which some effects stayed and others did
// not come, or which stayed although it was said to have failed.
const halfDone = "half done"

// addEffect gives the effect of a service its bit.
func (s *Sim) addEffect(v *service) {
	if v.base.Effect == "" {
		return
	}
	v.effect = 1 << s.effectful
	s.effectful++
	v.repeats = s.harm(v.base.Effect + " repeated")
}

// addSaga finds out which effects the calls of a service have.
func (s *Sim) addSaga(v *service) {
	for i := range v.steps {
		if callee, ok := s.nodes[v.steps[i].edge.callee].(*service); ok {
			v.whole |= callee.effect
		}
	}
	if v.whole != 0 {
		s.halves = s.harm(halfDone)
	}
}

// harm returns the count of a silent harm.
func (s *Sim) harm(name string) *int {
	if s.harms[name] == nil {
		s.harms[name] = new(int)
	}
	return s.harms[name]
}

// act brings the effect of a service about, or takes it back, and reports whether
// the frame goes on with its calls. One that is idempotent knows what it has done
// for a request, and what it was told to take back before it had done it.
func (v *service) act(spec *Service, q *request, undo bool) bool {
	bit := v.effect
	switch {
	case undo:
		q.effects.done &^= bit
		q.effects.undone |= bit
		return false
	case spec.Idempotent && (q.effects.done|q.effects.undone)&bit != 0:
		return false
	case q.effects.done&bit != 0:
		*v.repeats++
	}
	q.effects.done |= bit
	return true
}

// fail ends a frame one of whose calls has failed, once it has taken back what
// the calls before have brought about. Also that which failed: its answer may only
// have been late.
func (v *service) fail(j int32, r result) {
	s := v.sim
	f := s.frames.at(j)
	t := s.stations[f.station]
	s.requests.at(f.req).effects.failed = true
	switch v.specs[t.instance].Saga {
	case SagaCompensate:
		if t.up && !f.stop {
			f.past = pastFailure
			v.undo(j)
			return
		}
	case SagaOutbox:
		for i := f.step; i >= 0; i-- {
			if st := &v.steps[i]; v.undoes(st) {
				c := v.undoing(j, st)
				s.calls.at(c).parent, s.calls.at(c).detached = none, true
				st.edge.send(c)
			}
		}
	default:
	}
	t.leave(j, r)
}

// undoes reports whether a step has an effect that can be taken back.
func (v *service) undoes(st *step) bool {
	callee, ok := v.sim.nodes[st.edge.callee].(*service)
	return ok && callee.effect != 0
}

// undo takes the next effect back, the last first, or answers if there is none.
func (v *service) undo(j int32) {
	f := v.sim.frames.at(j)
	for f.step >= 0 {
		st := &v.steps[f.step]
		f.step--
		if v.undoes(st) {
			i := v.undoing(j, st)
			f.child = i
			st.edge.send(i)
			return
		}
	}
	v.sim.stations[f.station].leave(j, resultUpstream)
}

// undoing makes the call that takes the effect of a step back.
func (v *service) undoing(j int32, st *step) int32 {
	f := v.sim.frames.at(j)
	i := st.edge.begin(f.req, j, f.station, true)
	v.sim.calls.at(i).undo = true
	return i
}

// settleEffects counts a request of which nothing is under way any more, if only a
// part of what belongs together is done, or all of it although it was said to have
// failed.
func (s *Sim) settleEffects(q *request) {
	if done := q.effects.done & q.effects.whole; done != 0 && (done != q.effects.whole || q.effects.failed) {
		*s.halves++
	}
}
