package sim

import (
	"math"
	"time"
)

// timeouts are the pending events that were all scheduled the same time ahead,
// and so come due in the order in which they were scheduled. Only the first is
// in the heap. Most timeouts are cancelled before, and then never get there.
type timeouts struct {
	after Time
	ring  []entry // its length is a power of two
	head  int
	n     int
}

// TimeoutQueue returns the number of the queue of events that come after d, for
// After. The queue of a duration is made once.
func (e *Engine) TimeoutQueue(d time.Duration) int {
	for i := range e.queues {
		if e.queues[i].after == Time(d) {
			return i
		}
	}
	if len(e.queues) == math.MaxUint16 {
		panic("sim: more timeouts of different length than an engine can hold")
	}
	e.queues = append(e.queues, timeouts{after: Time(d), ring: make([]entry, 64)})
	return len(e.queues) - 1
}

// After schedules an event as far ahead as the queue says.
func (e *Engine) After(queue int, ent uint32, kind uint16, a uint64) Handle {
	q := &e.queues[queue]
	n, h := e.put(e.now+q.after, ent, kind, a, uint16(queue+1))
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = n
	q.n++
	if q.n == 1 {
		e.heap.push(n)
	}
	return h
}

// advance drops the head of a queue, which has left the heap, and what is
// cancelled behind it, and puts the next one into the heap.
func (e *Engine) advance(queue int) {
	q := &e.queues[queue]
	q.drop()
	for q.n > 0 {
		n := q.ring[q.head]
		i := uint32(n.key & (maxPending - 1))
		if e.slots[i].live {
			e.heap.push(n)
			return
		}
		e.release(i)
		q.drop()
	}
}

func (q *timeouts) drop() {
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
}

func (q *timeouts) grow() {
	ring := make([]entry, 2*len(q.ring))
	k := copy(ring, q.ring[q.head:])
	copy(ring[k:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}
