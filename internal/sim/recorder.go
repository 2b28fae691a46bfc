package sim

import "time"

// recorderTick is the event that an interval ends.
const recorderTick uint16 = 1

// A recorder counts what happens, interval by interval.
type recorder struct {
	sim      *Sim
	ent      uint32
	every    Time
	now      UserInterval
	latency  Histogram
	total    Histogram
	inFlight int
	users    []UserInterval
	services [][]ServiceInterval
	edges    [][]EdgeCount
	// Counts at the end of the interval before.
	stations []StationCount
	areas    []float64
	over     []EdgeCount
}

func (r *recorder) begin() {
	s := r.sim
	n := int(Time(s.model.Horizon)/r.every) + 1
	r.users = make([]UserInterval, 0, n)
	r.services = make([][]ServiceInterval, len(s.services))
	for i := range r.services {
		r.services[i] = make([]ServiceInterval, 0, n)
	}
	r.edges = make([][]EdgeCount, len(s.edges))
	for i := range r.edges {
		r.edges[i] = make([]EdgeCount, 0, n)
	}
	r.stations = make([]StationCount, len(s.stations))
	r.areas = make([]float64, len(s.stations))
	r.over = make([]EdgeCount, len(s.edges))
	s.engine.At(r.every, r.ent, recorderTick, 0)
}

// Handle ends an interval.
func (r *recorder) Handle(e *Engine, _ uint16, _ uint64) {
	r.close()
	e.At(e.now+r.every, r.ent, recorderTick, 0)
}

// close ends the interval under way.
func (r *recorder) close() {
	s := r.sim
	length := s.engine.now - Time(r.now.At)
	if length <= 0 {
		return
	}
	r.now.InFlight = r.inFlight
	r.now.Mean, r.now.P50, r.now.P99 = r.latency.Mean(), r.latency.Quantile(.5), r.latency.Quantile(.99)
	r.users = append(r.users, r.now)
	r.now = UserInterval{At: s.engine.now.Duration()}
	r.latency.reset()
	for i, v := range s.services {
		var at ServiceInterval
		for _, t := range v.stations {
			t.integrate(0)
			at.StationCount = at.plus(t.count.minus(r.stations[t.id]))
			at.Waiting += t.waiting.len()
			at.Held += t.held
			at.Mean += (t.area - r.areas[t.id]) / length.Seconds()
			r.stations[t.id], r.areas[t.id] = t.count, t.area
		}
		r.services[i] = append(r.services[i], at)
	}
	for i, d := range s.edges {
		r.edges[i] = append(r.edges[i], d.count.minus(r.over[i]))
		r.over[i] = d.count
	}
}

// offered counts a request that begins.
func (s *Sim) offered() {
	s.recorder.now.Offered++
	s.recorder.inFlight++
}

// userDone counts a request that ends for its user.
func (s *Sim) userDone(i int32, res result) {
	r := &s.recorder
	r.inFlight--
	q := s.requests.at(i)
	took := s.engine.now - q.start
	switch {
	case res != resultOK:
		r.now.Failed++
		return
	case s.model.SLO.Under > 0 && took > Time(s.model.SLO.Under):
		r.now.Slow++
	default:
		r.now.Good++
	}
	r.latency.add(took)
	if q.start >= Time(s.model.Warmup) {
		r.total.add(took)
	}
}

func (r *recorder) result() *Result {
	s := r.sim
	out := &Result{
		Name: s.model.Name, Seed: s.seed, End: s.engine.now.Duration(), Warmup: s.model.Warmup,
		Events: s.engine.fired, Interval: time.Duration(r.every), Users: r.users, Latency: r.total,
	}
	for _, t := range s.toggles {
		if t.To < 0 {
			t.To = out.End
		}
		out.Toggles = append(out.Toggles, t)
	}
	for i, v := range s.services {
		out.Services = append(out.Services, ServiceResult{ID: v.spec.ID, Intervals: r.services[i]})
	}
	for i, d := range s.edges {
		out.Edges = append(out.Edges, EdgeResult{From: d.from, To: d.to, Intervals: r.edges[i]})
	}
	return out
}
