package sim

import (
	"math"
	"time"
)

// A Discipline says who is next.
type Discipline string

// Disciplines.
const (
	FIFO         Discipline = "fifo"
	LIFO         Discipline = "lifo"
	AdaptiveLIFO Discipline = "adaptive_lifo" // lifo while the queue has not been empty for Interval
	CoDel        Discipline = "codel"         // fifo that drops when all of Interval waited longer than Target
	Priority     Discipline = "priority"      // fifo within the priority of the workload; a full queue drops the lowest
	Sharing      Discipline = "sharing"       // nobody waits: all share the servers. Bound is of all present
)

// priorities is how many there are.
const priorities = 5

// A Queue is where requests wait for a server.
type Queue struct {
	Discipline  Discipline    // fifo
	Bound       int           // how many may wait; 0: all
	None        bool          // nobody may wait: what finds no server is refused
	DropExpired bool          // skip, without work, what its caller has given up, or will
	DropMargin  time.Duration // will, unless this long is left
	Target      time.Duration // of codel: 5 ms
	Interval    time.Duration // of codel and adaptive_lifo: 100 ms
}

// queue is that of one instance.
type queue struct {
	spec     Queue
	target   Time
	interval Time
	levels   []deque
	n        int
	// CoDel (Nichols, Jacobson: Controlling delay, RFC 8289).
	above    Time // when the wait will have been above the target for an interval, or 0
	dropping bool
	dropNext Time
	dropped  int
	empty    Time // when the queue was last empty
}

func (q *queue) use(spec Queue) {
	q.spec = spec
	q.target, q.interval = Time(spec.Target), Time(spec.Interval)
	if q.target == 0 {
		q.target = Time(5 * time.Millisecond)
	}
	if q.interval == 0 {
		q.interval = Time(100 * time.Millisecond)
	}
	if q.levels == nil {
		q.levels = make([]deque, 1, priorities)
	}
	if spec.Discipline == Priority {
		for len(q.levels) < priorities {
			q.levels = append(q.levels, deque{})
		}
	}
}

func (q *queue) len() int { return q.n }

func (q *queue) push(s *Sim, j int32) {
	level := 0
	if q.spec.Discipline == Priority {
		level = s.workloads[s.requests.at(s.frames.at(j).req).workload].spec.Priority
	}
	if q.n == 0 {
		q.empty = s.engine.now
	}
	q.levels[level].push(j)
	q.n++
}

// displaced takes out the last of those with the lowest priority, if that is
// lower than a frame's, so that a full queue has room for it.
func (q *queue) displaced(s *Sim, j int32) (int32, bool) {
	if q.spec.Discipline != Priority {
		return none, false
	}
	mine := s.workloads[s.requests.at(s.frames.at(j).req).workload].spec.Priority
	for level := len(q.levels) - 1; level > mine; level-- {
		if q.levels[level].n > 0 {
			q.n--
			return q.levels[level].popBack(), true
		}
	}
	return none, false
}

// pop returns who is next. There is one.
func (q *queue) pop(s *Sim) int32 {
	q.n--
	level := 0
	for q.levels[level].n == 0 {
		level++
	}
	switch {
	case q.spec.Discipline == LIFO,
		q.spec.Discipline == AdaptiveLIFO && s.engine.now-q.empty > q.interval:
		return q.levels[level].popBack()
	}
	return q.levels[level].popFront()
}

// drops reports whether a frame that is next is dropped unworked.
func (q *queue) drops(s *Sim, f *frame) bool {
	if q.spec.DropExpired && (f.call == none || f.expires != Never && s.engine.now+Time(q.spec.DropMargin) >= f.expires) {
		return true
	}
	return q.spec.Discipline == CoDel && q.codel(s.engine.now, f.arrived)
}

// codel is the control law: once the wait was above the target for a whole
// interval, drop, and again after interval/sqrt(drops), until it is below.
func (q *queue) codel(now, arrived Time) bool {
	if now-arrived < q.target || q.n == 0 {
		q.above, q.dropping = 0, false
		return false
	}
	if q.above == 0 {
		q.above = now + q.interval
		return false
	}
	if now < q.above {
		return false
	}
	if !q.dropping {
		q.dropping = true
		// Soon after the last time, go on at the rate that helped then.
		if q.dropped > 2 && now-q.dropNext < 8*q.interval {
			q.dropped -= 2
		} else {
			q.dropped = 1
		}
		q.dropNext = now + q.control()
		return true
	}
	if now >= q.dropNext {
		q.dropped++
		q.dropNext += q.control()
		return true
	}
	return false
}

func (q *queue) control() Time {
	return Time(float64(q.interval) / math.Sqrt(float64(q.dropped)))
}

// A deque is a ring of numbers.
type deque struct {
	ring []int32 // its length is a power of two, or 0
	head int
	n    int
}

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

func (d *deque) pushFront(x int32) {
	d.push(x) // for the room
	d.n--
	d.head = (d.head - 1) & (len(d.ring) - 1)
	d.ring[d.head] = x
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
