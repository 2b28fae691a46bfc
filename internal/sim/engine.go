package sim

import (
	"fmt"
	"math"
	"time"
)

// Time is virtual time: nanoseconds since the start of a run.
type Time int64

// Never is later than every event.
const Never Time = math.MaxInt64

// Duration is the time since the start of the run.
func (t Time) Duration() time.Duration { return time.Duration(t) }

// Seconds is the time since the start of the run in seconds.
func (t Time) Seconds() float64 { return float64(t) / 1e9 }

// seconds turns a positive number of seconds into virtual time, rounded to the
// nanosecond. What is too long to count is Never.
func seconds(s float64) Time {
	if s >= float64(math.MaxInt64)/1e9 {
		return Never
	}
	return Time(s*1e9 + 0.5)
}

// An Entity handles the events that are addressed to it. Kind and a are what was
// given to At or After.
type Entity interface {
	Handle(e *Engine, kind uint16, a uint64)
}

// A Handle names one scheduled event, for Cancel. The zero Handle names none.
type Handle struct {
	slot uint32 // its index plus one
	gen  uint32
}

// StopReason says why a run ended.
type StopReason uint8

// Reasons for the end of a run.
const (
	Horizon     StopReason = iota + 1 // the time that was asked for is reached
	QueueEmpty                        // nothing is left to happen
	EventBudget                       // as many events as were allowed have happened
	Stopped                           // Stop was called
)

// String is how the reason is printed.
func (r StopReason) String() string {
	switch r {
	case Horizon:
		return "horizon"
	case QueueEmpty:
		return "queue empty"
	case EventBudget:
		return "event budget"
	case Stopped:
		return "stopped"
	}
	return fmt.Sprintf("stop reason %d", uint8(r))
}

// Bounds of an Engine. A key in the heap holds the sequence number and the slot.
const (
	slotBits   = 24
	maxPending = 1 << slotBits
	maxSeq     = 1 << (64 - slotBits)
)

// A slot is the content of a pending event. Heap and queues hold only its time
// and index, so that four of their entries fit into a cache line.
type slot struct {
	a     uint64
	ent   uint32
	gen   uint32
	kind  uint16
	queue uint16 // 0: in the heap by itself; else the timeout queue, plus one
	live  bool
}

// An Engine carries events out in the order of their time, and those of the same
// time in the order in which they were scheduled. So what happens is a function
// of what was scheduled first, to the bit. It is for one goroutine. It does not
// allocate once its heap has the size that the run needs.
//
// At most 16,777,216 events may be pending; one more is a panic, since a model
// that keeps that many has a queue without a bound.
type Engine struct {
	now      Time
	seq      uint64
	fired    uint64
	heap     heap
	slots    []slot
	free     []uint32
	queues   []timeouts
	entities []Entity
	stop     bool
}

// Add makes an entity known and returns the number under which At reaches it.
func (e *Engine) Add(x Entity) uint32 {
	e.entities = append(e.entities, x)
	return uint32(len(e.entities) - 1)
}

// Now is the time of the event that is being handled.
func (e *Engine) Now() Time { return e.now }

// Events is the number of events that were handled.
func (e *Engine) Events() uint64 { return e.fired }

// Pending is the number of events that are scheduled, with those that were
// cancelled and not yet reached.
func (e *Engine) Pending() int { return len(e.slots) - len(e.free) }

// At schedules an event. A time in the past is now.
func (e *Engine) At(t Time, ent uint32, kind uint16, a uint64) Handle {
	n, h := e.put(max(t, e.now), ent, kind, a, 0)
	e.heap.push(n)
	return h
}

// put fills a slot.
func (e *Engine) put(t Time, ent uint32, kind uint16, a uint64, queue uint16) (entry, Handle) {
	var i uint32
	if last := len(e.free) - 1; last >= 0 {
		i = e.free[last]
		e.free = e.free[:last]
	} else {
		if len(e.slots) == maxPending {
			panic(fmt.Sprintf("sim: %d events are pending: a queue of the model has no bound", maxPending))
		}
		i = uint32(len(e.slots))
		e.slots = append(e.slots, slot{})
	}
	s := &e.slots[i]
	s.a, s.ent, s.kind, s.queue, s.live = a, ent, kind, queue, true
	e.seq++
	return entry{t: t, key: e.seq<<slotBits | uint64(i)}, Handle{slot: i + 1, gen: s.gen}
}

// Cancel keeps an event from happening. For one that has happened, or was
// cancelled, it does nothing.
func (e *Engine) Cancel(h Handle) {
	if h.slot == 0 {
		return
	}
	if s := &e.slots[h.slot-1]; s.gen == h.gen {
		s.live = false
		s.gen++
	}
}

// release gives a slot back.
func (e *Engine) release(i uint32) {
	e.slots[i].gen++
	e.free = append(e.free, i)
}

// Stop ends the run after the event that is being handled.
func (e *Engine) Stop() { e.stop = true }

// RunUntil carries out all events up to and including limit, at most budget of
// them; a budget of 0 is none. The time is then limit, or that of the last event
// if it ended early.
func (e *Engine) RunUntil(limit Time, budget uint64) StopReason {
	e.stop = false
	last := uint64(math.MaxUint64)
	if budget > 0 {
		last = e.fired + budget
	}
	for {
		n, ok := e.heap.min()
		if !ok {
			e.now = max(e.now, limit)
			return QueueEmpty
		}
		if n.t > limit {
			e.now = max(e.now, limit)
			return Horizon
		}
		if e.fired == last || e.seq >= maxSeq-1 {
			return EventBudget
		}
		e.heap.take()
		i := uint32(n.key & (maxPending - 1))
		s := e.slots[i]
		e.release(i)
		if s.queue != 0 {
			e.advance(int(s.queue - 1))
		}
		if !s.live {
			continue
		}
		e.now = n.t
		e.fired++
		e.entities[s.ent].Handle(e, s.kind, s.a)
		if e.stop {
			return Stopped
		}
	}
}
