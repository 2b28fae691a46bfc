package sim

// stationDone is the event that a frame's work is done.
const stationDone uint16 = 1

// A station is one instance: some servers and a queue before them.
type station struct {
	sim      *Sim
	id       int32
	ent      uint32
	service  *service
	instance int
	base     Service
	spec     Service
	work     sampler
	speed    float64
	held     int     // servers
	busy     []int32 // the frames at work, in no order
	waiting  deque
	count    StationCount
	area     float64 // of the number present over time, in seconds
	since    Time
	present  int
}

// StationCount is what an instance did.
type StationCount struct {
	Arrived int
	Done    int // was worked on to the end, or failed while calling
	Refused int
	Expired int // was dropped from the queue, unworked
	Wasted  int // was worked on although nobody waited any more at the end
	// Work is the work done, and Waste that of it which nobody waited for, in
	// seconds at speed 1.
	Work, Waste float64
}

func (t *station) refresh(spec Service) {
	t.spec = spec
	t.work = newSampler(spec.ServiceTime)
	t.setSpeed(max(spec.Speed, 0))
	t.startWaiting()
}

// integrate brings the area under the number present up to now.
func (t *station) integrate(change int) {
	now := t.sim.engine.now
	t.area += float64(t.present) * float64(now-t.since) / 1e9
	t.since = now
	t.present += change
}

// arrive takes a frame in, or refuses it.
func (t *station) arrive(j int32) {
	f := t.sim.frames.at(j)
	f.arrived = t.sim.engine.now
	t.count.Arrived++
	if t.held < t.spec.Servers {
		t.integrate(1)
		t.start(j)
		return
	}
	q := &t.spec.Queue
	if q.None || q.Bound > 0 && t.waiting.len() >= q.Bound {
		t.count.Refused++
		f.result = resultRefused
		t.sim.edges[f.edge].answer(j)
		return
	}
	t.integrate(1)
	t.waiting.push(j)
}

// start gives a frame a server and its work.
func (t *station) start(j int32) {
	s := t.sim
	f := s.frames.at(j)
	t.held++
	f.holds = true
	f.began = s.engine.now
	f.total = t.work.at(draw(s.requests.at(f.req).key, forService, int(t.service.id), int(f.serial)))
	f.work = f.total
	f.busy = int32(len(t.busy))
	t.busy = append(t.busy, j)
	t.schedule(j, f)
}

// schedule sets the end of a frame's work at the present speed.
func (t *station) schedule(j int32, f *frame) {
	f.ends = Never
	f.done = Handle{}
	if t.speed > 0 {
		f.ends = t.sim.engine.now + seconds(f.work/t.speed)
		f.done = t.sim.engine.At(f.ends, t.ent, stationDone, uint64(j))
	}
}

// setSpeed changes how fast the instance works, also on what it has begun: a
// demand is work, not time. If only new work felt it, what began while the
// instance was slow would hold servers long after.
func (t *station) setSpeed(speed float64) {
	if speed == t.speed {
		return
	}
	e := &t.sim.engine
	for _, j := range t.busy {
		f := t.sim.frames.at(j)
		if t.speed > 0 {
			f.work = max(0, float64(f.ends-e.now)/1e9*t.speed)
			e.Cancel(f.done)
		}
	}
	t.speed = speed
	for _, j := range t.busy {
		t.schedule(j, t.sim.frames.at(j))
	}
}

// Handle ends a frame's work.
func (t *station) Handle(_ *Engine, _ uint16, a uint64) {
	j := int32(a)
	f := t.sim.frames.at(j)
	last := len(t.busy) - 1
	moved := t.busy[last]
	t.busy[f.busy] = moved
	t.sim.frames.at(moved).busy = f.busy
	t.busy = t.busy[:last]
	f.busy = -1
	t.count.Work += f.total
	t.sim.worked(j)
}

// leave frees the server of a frame and answers.
func (t *station) leave(j int32, r result) {
	f := t.sim.frames.at(j)
	f.result = r
	t.held--
	f.holds = false
	t.integrate(-1)
	t.count.Done++
	if f.call == none {
		t.count.Wasted++
		t.count.Waste += f.total
	}
	// Before the answer: what it sets off may arrive here, and must not overtake.
	t.startWaiting()
	t.sim.edges[f.edge].answer(j)
}

// startWaiting gives free servers to the frames that wait.
func (t *station) startWaiting() {
	for t.held < t.spec.Servers && t.waiting.len() > 0 {
		var j int32
		if t.spec.Queue.Discipline == LIFO {
			j = t.waiting.popBack()
		} else {
			j = t.waiting.popFront()
		}
		if !t.expired(j) {
			t.start(j)
			continue
		}
		t.count.Expired++
		t.integrate(-1)
		f := t.sim.frames.at(j)
		f.result = resultRefused
		t.sim.edges[f.edge].answer(j)
	}
}

func (t *station) expired(j int32) bool {
	q := &t.spec.Queue
	if !q.DropExpired {
		return false
	}
	f := t.sim.frames.at(j)
	return f.call == none || f.expires != Never && t.sim.engine.now+Time(q.DropMargin) >= f.expires
}

// A deque is a ring of numbers.
type deque struct {
	ring []int32 // its length is a power of two, or 0
	head int
	n    int
}

func (d *deque) len() int { return d.n }

func (d *deque) push(x int32) {
	if d.n == len(d.ring) {
		ring := make([]int32, max(16, 2*len(d.ring)))
		k := copy(ring, d.ring[d.head:])
		copy(ring[k:], d.ring[:d.head])
		d.ring, d.head = ring, 0
	}
	d.ring[(d.head+d.n)&(len(d.ring)-1)] = x
	d.n++
}

func (d *deque) popFront() int32 {
	x := d.ring[d.head]
	d.head = (d.head + 1) & (len(d.ring) - 1)
	d.n--
	return x
}

func (d *deque) popBack() int32 {
	d.n--
	return d.ring[(d.head+d.n)&(len(d.ring)-1)]
}
