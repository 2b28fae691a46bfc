package sim

// A service is the instances that share a name, and what they call.
type service struct {
	id       int32
	spec     *Service
	stations []*station
	steps    []step
}

// A step is one call that a request makes.
type step struct {
	edge     *edge
	prob     float64
	count    int32
	optional bool
}

// worked goes on with a frame whose own work is done.
func (s *Sim) worked(j int32) {
	f := s.frames.at(j)
	t := s.stations[f.station]
	if t.spec.Error > 0 && draw(s.requests.at(f.req).key, forFault, int(t.service.id), int(f.serial)) < t.spec.Error {
		t.leave(j, resultError)
		return
	}
	s.proceed(j)
}

// proceed makes the next call of a frame, or answers if there is none.
func (s *Sim) proceed(j int32) {
	f := s.frames.at(j)
	t := s.stations[f.station]
	for int(f.step) < len(t.service.steps) {
		st := &t.service.steps[f.step]
		if f.repeat < st.count && (st.prob >= 1 ||
			draw(s.requests.at(f.req).key, forCall, int(t.service.id)<<8|int(f.step), int(f.serial)<<8|int(f.repeat)) < st.prob) {
			f.repeat++
			f.child = st.edge.begin(f.req, j)
			st.edge.send(f.child)
			return
		}
		f.step++
		f.repeat = 0
	}
	t.leave(j, resultOK)
}

// resume goes on with a frame whose call has ended.
func (s *Sim) resume(j int32, r result) {
	f := s.frames.at(j)
	f.child = none
	t := s.stations[f.station]
	if r != resultOK && !t.service.steps[f.step].optional {
		t.leave(j, resultUpstream)
		return
	}
	s.proceed(j)
}
