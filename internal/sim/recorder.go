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
	services [][]ServiceInterval // services, then stores
	caches   [][]CacheCount
	streams  [][]StreamCount
	edges    [][]EdgeCount
	before   counts
}

// counts are those at the end of the interval before.
type counts struct {
	stations []StationCount
	areas    []float64
	caches   []CacheCount
	streams  []StreamCount
	edges    []EdgeCount
}

func (r *recorder) begin() {
	s := r.sim
	n := int(Time(s.model.Horizon)/r.every) + 1
	r.users = make([]UserInterval, 0, n)
	r.services = series[ServiceInterval](len(s.services)+len(s.stores), n)
	r.caches = series[CacheCount](len(s.caches), n)
	r.streams = series[StreamCount](len(s.streams), n)
	r.edges = series[EdgeCount](len(s.edges), n)
	r.before = counts{
		stations: make([]StationCount, len(s.stations)), areas: make([]float64, len(s.stations)),
		caches: make([]CacheCount, len(s.caches)), streams: make([]StreamCount, len(s.streams)), edges: make([]EdgeCount, len(s.edges)),
	}
	s.engine.At(r.every, r.ent, recorderTick, 0)
}

// series makes room for n intervals of each of some things.
func series[T any](things, n int) [][]T {
	out := make([][]T, things)
	for i := range out {
		out[i] = make([]T, 0, n)
	}
	return out
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
	total := &r.total
	if r.now.At < s.model.Warmup {
		total = nil
	}
	r.now.Mean = r.latency.Mean()
	r.now.P50, r.now.P99 = r.latency.drain(total)
	r.users = append(r.users, r.now)
	r.now = UserInterval{At: s.engine.now.Duration()}
	for i, v := range s.services {
		r.services[i] = append(r.services[i], r.sum(v.stations, length))
	}
	for i, v := range s.stores {
		k := len(s.services) + i
		r.services[k] = append(r.services[k], r.sum(v.stations, length))
	}
	for i, v := range s.caches {
		v.count.Evicted = v.recent.evicted
		r.caches[i] = append(r.caches[i], v.count.minus(r.before.caches[i]))
		v.count.Loading = 0
		r.before.caches[i] = v.count
	}
	for i, v := range s.streams {
		c := v.measure()
		r.streams[i] = append(r.streams[i], c.minus(r.before.streams[i]))
		r.before.streams[i] = c
	}
	for i, d := range s.edges {
		r.edges[i] = append(r.edges[i], d.count.minus(r.before.edges[i]))
		r.before.edges[i] = d.count
	}
}

// sum adds up what instances did in the interval under way.
func (r *recorder) sum(stations []*station, length Time) ServiceInterval {
	var at ServiceInterval
	for _, t := range stations {
		t.integrate(0)
		at.StationCount = at.plus(t.count.minus(r.before.stations[t.id]))
		at.Waiting += t.waiting.len()
		at.Held += t.held
		at.Mean += (t.area - r.before.areas[t.id]) / length.Seconds()
		r.before.stations[t.id], r.before.areas[t.id] = t.count, t.area
	}
	return at
}

// offered counts a request that begins.
func (s *Sim) offered(q *request) {
	if s.workloads[q.workload].base.Background {
		return
	}
	s.recorder.now.Offered++
	s.recorder.inFlight++
}

// ended counts how a request ended for a user.
func (r *recorder) ended(res result, took Time, slow bool) {
	r.inFlight--
	switch {
	case res != resultOK:
		r.now.Failed++
	case slow:
		r.now.Slow++
	default:
		r.now.Good++
	}
	if res == resultOK {
		r.latency.add(took)
	}
}

// userDone counts a request that ends for its user, who may then ask again.
func (s *Sim) userDone(i int32, res result) {
	q := s.requests.at(i)
	took := s.engine.now - q.start
	slow := res == resultOK && s.model.SLO.Under > 0 && took > Time(s.model.SLO.Under)
	if !s.workloads[q.workload].base.Background {
		s.recorder.ended(res, took, slow)
	}
	if s.settings.Ended != nil {
		s.settings.Ended(Ended{
			Workload: int(q.workload), Number: q.number, Trace: traceID(q.key),
			Start: q.start, End: s.engine.now, OK: res == resultOK, Slow: slow,
		})
	}
	s.workloads[q.workload].ended(q, res == resultOK)
}

func (r *recorder) result() *Result {
	s := r.sim
	out := &Result{
		Name: s.model.Name, Seed: s.seed, End: s.engine.now.Duration(), Warmup: s.model.Warmup,
		Events: s.engine.fired, Interval: time.Duration(r.every), Users: r.users, Latency: r.total, Harms: make(map[string]int),
	}
	for _, t := range s.toggles {
		if t.To < 0 {
			t.To = out.End
		}
		out.Toggles = append(out.Toggles, t)
	}
	for i, v := range s.services {
		out.Services = append(out.Services, ServiceResult{ID: v.base.ID, Intervals: r.services[i]})
	}
	for i, v := range s.stores {
		out.Services = append(out.Services, ServiceResult{ID: v.base.ID, Intervals: r.services[len(s.services)+i]})
	}
	for i, v := range s.caches {
		out.Caches = append(out.Caches, CacheResult{ID: v.base.ID, Intervals: r.caches[i]})
	}
	for i, v := range s.streams {
		out.Streams = append(out.Streams, StreamResult{ID: v.base.ID, Intervals: r.streams[i]})
	}
	for _, l := range s.leases {
		out.Leases = append(out.Leases, LeaseResult{ID: l.base.ID, LeaseCount: l.count})
	}
	for _, a := range s.scalers {
		a.integrate()
		out.Scalers = append(out.Scalers, ScaleResult{ID: a.service.base.ID, ScaleCount: a.count})
	}
	for _, w := range s.workloads {
		if w.base.Schedule.Every > 0 {
			out.Schedules = append(out.Schedules, ScheduleResult{ID: w.base.ID, ScheduleCount: w.slots.count()})
		}
	}
	for i, d := range s.edges {
		out.Edges = append(out.Edges, EdgeResult{From: d.from, To: d.to, Intervals: r.edges[i]})
	}
	for name, n := range s.harms {
		out.Harms[name] = *n
	}
	return out
}
