package sim

import (
	"math"
	"time"
)

// Kinds of events of an edge.
const (
	edgeArrive  uint16 = iota + 1 // a frame reaches the instance
	edgeAnswer                    // an answer reaches the caller
	edgeTimeout                   // an attempt took too long
	edgeRetry                     // the delay before the next attempt is over
)

// An edge carries calls from one service, or workload, to another, by its policy.
type edge struct {
	sim     *Sim
	id      int32
	ent     uint32
	from    string
	to      string
	service int32 // the callee
	base    Policy
	spec    Policy
	timeout int // its queue of timeouts, or -1
	network sampler
	tokens  float64
	next    int32 // instance, in turn
	count   EdgeCount
}

// EdgeCount is what went over an edge.
type EdgeCount struct {
	Calls    int // logical calls, however many attempts they took
	Attempts int
	OK       int // calls that succeeded
	Failed   int // calls that failed after their last attempt
	Timeouts int // attempts that were given up
	Refused  int // attempts that the callee refused
	Denied   int // retries that the budget did not let through
}

// refresh makes ready what follows from the policy.
func (d *edge) refresh(spec Policy) {
	if spec.Retry.Budget != d.spec.Retry.Budget {
		d.tokens = spec.Retry.Budget.Burst
	}
	d.spec = spec
	d.timeout = -1
	if spec.Timeout > 0 {
		d.timeout = d.sim.engine.TimeoutQueue(spec.Timeout)
	}
	d.network = newSampler(spec.Network)
}

// begin makes a call for a frame, or for the user if parent is none.
func (d *edge) begin(req, parent int32) int32 {
	s := d.sim
	i := s.calls.get()
	*s.calls.at(i) = call{req: req, parent: parent, edge: d.id, child: none, started: s.engine.now}
	s.hold(req)
	d.count.Calls++
	if b := &d.spec.Retry.Budget; b.Ratio > 0 || b.Burst > 0 {
		d.tokens = math.Min(b.Burst, d.tokens+b.Ratio)
	}
	return i
}

// send makes the next attempt of a call.
func (d *edge) send(i int32) {
	s, e := d.sim, &d.sim.engine
	c := s.calls.at(i)
	c.attempt++
	c.sent = e.now
	d.count.Attempts++
	q := s.requests.at(c.req)
	q.serial++
	st := d.route()
	j := s.frames.get()
	*s.frames.at(j) = frame{
		req: c.req, call: i, station: st.id, edge: d.id, attempt: c.attempt, serial: q.serial,
		child: none, busy: -1, arrived: e.now, expires: Never,
	}
	s.hold(c.req)
	c.child = j
	if d.timeout >= 0 {
		s.frames.at(j).expires = e.now + Time(d.spec.Timeout)
		c.timer = e.After(d.timeout, d.ent, edgeTimeout, uint64(i))
	}
	if delay := d.delay(q.key, int(q.serial)*2); delay > 0 {
		e.At(e.now+delay, d.ent, edgeArrive, uint64(j))
		return
	}
	st.arrive(j)
}

// route picks the instance, in turn.
func (d *edge) route() *station {
	in := d.sim.services[d.service].stations
	d.next++
	if int(d.next) >= len(in) {
		d.next = 0
	}
	return in[d.next]
}

// delay draws how long a message is under way.
func (d *edge) delay(key uint64, nth int) Time {
	if d.spec.Network.zero() {
		return 0
	}
	return seconds(d.network.at(draw(key, forNetwork, int(d.id), nth)))
}

// answer sends the result of a frame to whoever waits for it. The frame has left
// its instance.
func (d *edge) answer(j int32) {
	s, e := d.sim, &d.sim.engine
	f := s.frames.at(j)
	if f.call != none {
		if delay := d.delay(s.requests.at(f.req).key, int(f.serial)*2+1); delay > 0 {
			e.At(e.now+delay, d.ent, edgeAnswer, uint64(j))
			return
		}
	}
	d.deliver(j)
}

// deliver hands a result over and forgets the frame.
func (d *edge) deliver(j int32) {
	s := d.sim
	f := s.frames.at(j)
	i, r := f.call, f.result
	s.drop(f.req)
	s.frames.put(j)
	if i == none {
		return
	}
	s.calls.at(i).child = none
	s.engine.Cancel(s.calls.at(i).timer)
	d.ended(i, r)
}

// ended decides what follows an attempt.
func (d *edge) ended(i int32, r result) {
	s := d.sim
	if r == resultRefused {
		d.count.Refused++
	}
	if r == resultOK {
		d.count.OK++
		d.finish(i, r)
		return
	}
	c := s.calls.at(i)
	retry := &d.spec.Retry
	if most := retry.MaxAttempts; most >= 0 && int(c.attempt) >= max(most, 1) {
		d.count.Failed++
		d.finish(i, r)
		return
	}
	if b := &retry.Budget; b.Ratio > 0 || b.Burst > 0 {
		if d.tokens < 1 {
			d.count.Denied++
			d.count.Failed++
			d.finish(i, r)
			return
		}
		d.tokens--
	}
	s.engine.At(s.engine.now+d.backoff(c), d.ent, edgeRetry, uint64(i))
}

// backoff is how long to wait before the next attempt.
func (d *edge) backoff(c *call) Time {
	r := &d.spec.Retry
	wait := Time(r.Delay)
	if r.Backoff.Base > 0 {
		most := r.Backoff.Cap
		if most == 0 {
			most = math.MaxInt64
		}
		b := r.Backoff.Base
		for k := int32(1); k < c.attempt && b < most; k++ {
			b = min(2*b, most)
		}
		b = min(b, most)
		if r.Backoff.Jitter == FullJitter {
			key := d.sim.requests.at(c.req).key
			b = time.Duration(draw(key, forBackoff, int(d.id), int(c.attempt)) * float64(b))
		}
		wait += Time(b)
	}
	return wait
}

// finish tells whoever made the call, and forgets it.
func (d *edge) finish(i int32, r result) {
	s := d.sim
	c := *s.calls.at(i)
	s.calls.put(i)
	if c.parent != none {
		s.resume(c.parent, r)
	} else {
		s.userDone(c.req, r)
	}
	s.drop(c.req)
}

// Handle carries out what was scheduled.
func (d *edge) Handle(e *Engine, kind uint16, a uint64) {
	s, i := d.sim, int32(a)
	switch kind {
	case edgeArrive:
		s.stations[s.frames.at(i).station].arrive(i)
	case edgeAnswer:
		d.deliver(i)
	case edgeTimeout:
		c := s.calls.at(i)
		s.frames.at(c.child).call = none
		c.child = none
		d.count.Timeouts++
		d.ended(i, resultTimeout)
	case edgeRetry:
		d.send(i)
	}
}
