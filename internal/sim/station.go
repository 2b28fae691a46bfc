package sim

// Kinds of events of a station.
const (
	stationDone    uint16 = iota + 1 // a frame's work is done
	stationIO                        // the input and output of a frame is done
	stationPause                     // a pause begins
	stationResume                    // a pause ends
	stationShared                    // the first of those that share is done
	stationReady                     // a startup is over
	stationKilled                    // its memory is used up
	stationRevived                   // and it comes up again
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
	extra    bool // work has more to it than the service time
	strained bool // its speed, or life, depends on how many are present
	used     used
	up       bool
	listed   bool // it takes requests, as it would tell
	open     bool // it does take them
	starting bool
	boots    int  // how often it has come up
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
	growth      Growth
	startup     Startup
	memory      Memory
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
	Killed  int // times that it used up its memory
	Unready int // came while the instance was not ready, and failed
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
	t.extra = !spec.coldStart.Takes.zero() || spec.growth.Exponent != 0
	t.strained = spec.slowdown.Above > 0 || spec.memory.Limit > 0
	t.waiting.use(spec.queue)
	t.io.refresh(t)
	t.locks.refresh(t)
	t.turn(t.alive())
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
	if t.strained {
		t.strain(change)
	}
}

// arrive takes a frame in, or refuses it.
func (t *station) arrive(j int32) {
	f := t.sim.frames.at(j)
	f.arrived = t.sim.engine.now
	t.count.Arrived++
	if !t.open {
		t.unready(j)
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
	case stationKilled:
		t.kill()
	case stationRevived:
		t.revive()
	case stationReady:
		t.ready(a)
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

// turn brings an instance up, or down: all that it had is lost.
func (t *station) turn(up bool) {
	if up && !t.up {
		t.boot()
	}
	listed := up && !t.spec.draining && !t.away && !(t.starting && t.spec.startup.Gate)
	t.open = listed && !t.starting
	if listed != t.listed {
		t.listed = listed
		t.changed = t.sim.engine.now
		t.changes++
		t.sim.rebalance(t)
		if t.sim.tap != nil && t.sim.begun {
			t.sim.tap.listed(t)
		}
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
		t.used.leaked, t.used.served = 0, 0
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
