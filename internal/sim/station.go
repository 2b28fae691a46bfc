package sim

import "time"

// Kinds of events of a station.
const (
	stationDone   uint16 = iota + 1 // a frame's work is done
	stationIO                       // the input and output of a frame is done
	stationPause                    // a pause begins
	stationResume                   // a pause ends
	stationShared                   // the first of those that share is done
)

// A station is one instance: some servers and a queue before them.
type station struct {
	sim      *Sim
	id       int32
	ent      uint32
	owner    owner
	node     string
	instance int
	spec     stationSpec
	work     [2]sampler // of reads, or all, and of writes
	speed    float64    // 0 while it stands still
	held     int        // servers
	leaked   int        // servers that nobody gives back
	busy     []int32    // the frames at work, in no order
	waiting  queue
	io       ioStage
	shared   sharing
	locks    locks
	paused   bool
	pauses   draws
	away     bool // the autoscaler does not want it
	warm     warmth
	cold     sampler
	up       bool
	listed   bool // it takes requests, as it would tell
	changed  Time // when that last changed
	changes  int
	met      uint64 // atoms that requests meet here
	count    StationCount
	area     float64 // of the number present over time, in seconds
	since    Time
	present  int
}

// A stationSpec is what a service or store says about one instance.
type stationSpec struct {
	servers     int
	work        [2]Dist
	speed       float64
	error       float64
	down        bool
	draining    bool
	queue       Queue
	connections int
	slowdown    Slowdown
	pause       Pause
	coldStart   ColdStart
	io          IO
	locks       int
	locked      bool
}

// An owner is the node that an instance belongs to.
type owner interface {
	node
	// worked is told that the own work of a frame is done. It keeps its server.
	worked(j int32)
}

// StationCount is what an instance did.
type StationCount struct {
	Arrived int
	Done    int // was given a server and gave it back
	Refused int // found no room, or nobody there
	Expired int // was dropped from the queue, unworked
	Wasted  int // was worked on although nobody waited any more at the end
	Errors  int
	Cold    int // had to wait for a server that was not there yet
	// Work is the work done, and Waste that of it which nobody waited for, in
	// seconds at speed 1.
	Work, Waste float64
	// Sojourn is the time from arrival to departure of those that have left, and
	// were not refused, in seconds.
	Sojourn float64
}

func (t *station) refresh(spec stationSpec) {
	t.spec = spec
	t.work = [2]sampler{newSampler(spec.work[0]), newSampler(spec.work[1])}
	t.cold = newSampler(spec.coldStart.Takes)
	t.waiting.use(spec.queue)
	t.io.refresh(t)
	t.locks.refresh(t)
	t.turn(!spec.down)
	t.respeed()
	t.startWaiting()
}

// begin schedules the first pause.
func (t *station) begin() {
	if t.spec.pause.Every.zero() {
		return
	}
	every := newSampler(t.spec.pause.Every)
	t.sim.engine.At(t.sim.engine.now+seconds(every.at(t.pauses.uniform())), t.ent, stationPause, 0)
}

// integrate brings the area under the number present up to now.
func (t *station) integrate(change int) {
	now := t.sim.engine.now
	t.area += float64(t.present) * float64(now-t.since) / 1e9
	t.since = now
	t.present += change
	if a := t.spec.slowdown.Above; a > 0 && max(t.present, t.present-change) > a {
		t.respeed()
	}
}

// arrive takes a frame in, or refuses it.
func (t *station) arrive(j int32) {
	f := t.sim.frames.at(j)
	f.arrived = t.sim.engine.now
	t.count.Arrived++
	if !t.listed {
		t.refuse(j, resultUnreachable)
		return
	}
	if (t.held < t.spec.servers-t.leaked || t.shares()) && t.waiting.len() == 0 {
		t.integrate(1)
		t.start(j)
		return
	}
	q := &t.spec.queue
	if q.None || q.Bound > 0 && t.waiting.len() >= q.Bound || t.spec.connections > 0 && t.present >= t.spec.connections {
		out, ok := t.waiting.displaced(t.sim, j)
		if !ok {
			t.refuse(j, resultRefused)
			return
		}
		t.depart(t.sim.frames.at(out))
		defer t.refuse(out, resultRefused)
	}
	t.integrate(1)
	f.stage = stageWaits
	t.waiting.push(t.sim, j)
}

// shares reports whether there is room for one more of those that share.
func (t *station) shares() bool {
	q := &t.spec.queue
	return q.Discipline == Sharing && (q.Bound == 0 || t.present < q.Bound)
}

func (t *station) refuse(j int32, r result) {
	t.count.Refused++
	t.sim.edges[t.sim.frames.at(j).edge].answer(j, r)
}

// start gives a frame a server.
func (t *station) start(j int32) {
	f := t.sim.frames.at(j)
	t.held++
	f.began = t.sim.engine.now
	if f.write && (t.spec.locks > 0 || t.spec.locked) && !t.locks.take(t, j) {
		return
	}
	t.locksHeld(j)
}

// locksHeld goes on with a frame that has all its locks.
func (t *station) locksHeld(j int32) {
	if t.io.cost(t.sim.frames.at(j).write) > 0 {
		t.io.push(t, j)
		return
	}
	t.toil(j)
}

// toil gives a frame that has all it needs its work.
func (t *station) toil(j int32) {
	s := t.sim
	f := s.frames.at(j)
	which := 0
	if f.write {
		which = 1
	}
	u := draw(s.requests.at(f.req).key, forService, int(f.node), int(f.serial))
	f.total = t.work[which].at(u)
	if !t.spec.coldStart.Takes.zero() && !t.warm.take(s.engine.now) {
		f.total += t.cold.at(draw(s.requests.at(f.req).key, forColdStart, int(f.node), int(f.serial)))
		t.count.Cold++
	}
	f.work = f.total
	if f.total == 0 && t.speed > 0 { // it is done without an event
		t.owner.worked(j)
		return
	}
	if t.spec.queue.Discipline == Sharing {
		t.shared.add(t, j)
		return
	}
	t.add(j)
}

// add puts a frame to work for as much as is left of it.
func (t *station) add(j int32) {
	f := t.sim.frames.at(j)
	f.stage = stageWorks
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

// respeed works out how fast the instance is now, also for what it has begun: a
// demand is work, not time. If only new work felt a change, what began while the
// instance was slow would hold servers long after.
func (t *station) respeed() {
	speed := max(t.spec.speed, 0)
	if sl := &t.spec.slowdown; sl.Above > 0 && t.present > sl.Above {
		speed /= 1 + sl.Factor*float64(t.present-sl.Above)/float64(sl.Above)
	}
	if t.paused {
		speed = 0
	}
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
	t.shared.advance(t)
	t.speed = speed
	t.shared.schedule(t)
	for _, j := range t.busy {
		t.schedule(j, t.sim.frames.at(j))
	}
}

// Handle carries out what was scheduled.
func (t *station) Handle(e *Engine, kind uint16, a uint64) {
	switch kind {
	case stationDone:
		j := int32(a)
		t.remove(t.sim.frames.at(j))
		t.count.Work += t.sim.frames.at(j).total
		t.owner.worked(j)
	case stationIO:
		t.io.done(t)
	case stationShared:
		t.shared.done(t)
	case stationPause:
		t.paused = true
		t.respeed()
		lasts := newSampler(t.spec.pause.For)
		e.At(e.now+seconds(lasts.at(t.pauses.uniform())), t.ent, stationResume, 0)
	case stationResume:
		t.paused = false
		t.respeed()
		t.begin()
	}
}

// depart counts a frame out.
func (t *station) depart(f *frame) {
	t.count.Sojourn += float64(t.sim.engine.now-f.arrived) / 1e9
	t.integrate(-1)
}

// remove takes a frame from those at work.
func (t *station) remove(f *frame) {
	last := len(t.busy) - 1
	moved := t.busy[last]
	t.busy[f.busy] = moved
	t.sim.frames.at(moved).busy = f.busy
	t.busy = t.busy[:last]
	f.busy = none
}

// leave frees the server of a frame and answers.
func (t *station) leave(j int32, r result) {
	f := t.sim.frames.at(j)
	if f.row != none {
		t.locks.give(t, f)
	}
	if !t.spec.coldStart.Takes.zero() {
		stays := Time(t.spec.coldStart.KeepAlive)
		if stays == 0 {
			stays = Time(5 * time.Minute)
		}
		t.warm.give(t.sim.engine.now + stays)
	}
	t.held--
	t.depart(f)
	t.count.Done++
	if r != resultOK {
		t.count.Errors++
	}
	if f.call == none {
		t.count.Wasted++
		t.count.Waste += f.total
	}
	// Before the answer: what it sets off may arrive here, and must not overtake.
	t.startWaiting()
	t.sim.edges[f.edge].answer(j, r)
}

// startWaiting gives free servers to the frames that wait.
func (t *station) startWaiting() {
	s := t.sim
	for t.up && t.held < t.spec.servers-t.leaked && t.waiting.len() > 0 {
		j := t.waiting.pop(s)
		f := s.frames.at(j)
		if !f.stop && !t.waiting.drops(s, f) {
			t.start(j)
			continue
		}
		t.count.Expired++
		t.depart(f)
		r := resultRefused
		if f.stop {
			r = resultCancelled
		}
		s.edges[f.edge].answer(j, r)
	}
}

// turn brings an instance up, or down: all that it had is lost.
func (t *station) turn(up bool) {
	if listed := up && !t.spec.draining && !t.away; listed != t.listed {
		t.listed = listed
		t.changed = t.sim.engine.now
		t.changes++
		t.sim.rebalance(t)
	}
	if up == t.up {
		return
	}
	t.up = up
	if t.sim.tap != nil && t.sim.begun {
		t.sim.tap.lifecycle(t, up)
	}
	if up {
		t.leaked = 0
		return
	}
	for t.waiting.len() > 0 {
		j := t.waiting.pop(t.sim)
		t.depart(t.sim.frames.at(j))
		t.refuse(j, resultUnreachable)
	}
	t.shared.drop(t, resultUnreachable)
	for len(t.busy) > 0 {
		t.interrupt(t.busy[len(t.busy)-1], resultUnreachable)
	}
}

// rebalance tells the streams that a service reads that one of its instances has
// come or gone.
func (s *Sim) rebalance(t *station) {
	if !s.begun {
		return
	}
	for _, v := range s.streams {
		if s.nodes[v.out.callee] == node(t.owner) {
			v.rebalance()
		}
	}
}

// interrupt ends the work of a frame before it is done.
func (t *station) interrupt(j int32, r result) {
	f := t.sim.frames.at(j)
	t.sim.engine.Cancel(f.done)
	if t.speed > 0 {
		f.work = max(0, float64(f.ends-t.sim.engine.now)/1e9*t.speed)
	}
	f.total -= f.work
	t.count.Work += f.total
	t.remove(f)
	t.leave(j, r)
}
