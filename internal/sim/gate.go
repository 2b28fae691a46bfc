package sim

import "slices"

// A gate is what one calling instance keeps of an edge: the state of its policies.
// All users share one.
type gate struct {
	tokens      float64 // of the budget for retries
	calls       int     // under way
	retries     int     // of these, attempts after the first
	breaker     breaker
	throttler   throttler
	limiter     limiter
	adaptive    adaptive
	inside      int // attempts with a place in the bulkhead
	open        int // connections in use
	places      callList
	connections callList
	resolver    resolver
	held        []token
	peers       []peer
	permits     callList // that wait for the adaptive limiter
	levels      *prioritizer
}

// reset begins anew what a changed policy has made void.
func (g *gate) reset(was, is *Policy) {
	if was.Retry.Budget.Tokens != is.Retry.Budget.Tokens {
		g.tokens = is.Retry.Budget.Tokens.Burst
	}
	if was.CircuitBreaker != is.CircuitBreaker {
		g.breaker = newBreaker(is.CircuitBreaker)
	}
	if was.AdaptiveThrottler != is.AdaptiveThrottler {
		g.throttler = newThrottler(is.AdaptiveThrottler)
	}
	if was.RateLimiter != is.RateLimiter {
		g.limiter = newLimiter(is.RateLimiter)
	}
	if was.AdaptiveLimiter != is.AdaptiveLimiter {
		g.adaptive = newAdaptive(is.AdaptiveLimiter)
	}
}

func (g *gate) clone() gate {
	c := *g
	c.held, c.peers = slices.Clone(g.held), slices.Clone(g.peers)
	if g.levels != nil {
		levels := *g.levels
		levels.window = slices.Clone(levels.window)
		c.levels = &levels
	}
	c.breaker.last.ok = slices.Clone(g.breaker.last.ok)
	c.breaker.period.buckets = slices.Clone(g.breaker.period.buckets)
	c.throttler.past.buckets = slices.Clone(g.throttler.past.buckets)
	a := &c.adaptive
	a.samples, a.median = slices.Clone(a.samples), slices.Clone(a.median)
	a.throughput = correlation{slices.Clone(a.throughput.x), slices.Clone(a.throughput.y)}
	a.latency = correlation{slices.Clone(a.latency.x), slices.Clone(a.latency.y)}
	return c
}

// gate returns that of a calling instance, or of all users.
func (d *edge) gate(caller int32) *gate {
	if caller == none {
		return &d.gates[0]
	}
	return &d.gates[d.sim.stations[caller].instance]
}

// stateless reports whether no policy of an edge keeps any state.
func (p *Policy) stateless() bool {
	return !p.Retry.Budget.Tokens.on() && p.Retry.Budget.Inflight.MaxRate == 0 && !p.CircuitBreaker.on() &&
		p.AdaptiveThrottler.FailureRate == 0 && !p.RateLimiter.on() && p.Bulkhead.Max == 0 && p.AdaptiveLimiter.Max == 0 &&
		p.Hedge.Delay == 0 && p.Pool.Max == 0 && p.DNS.TTL == 0 && p.Quota == ""
}

// passed says which policies an attempt has passed, that must hear how it ended.
type passed uint8

const (
	passedBreaker passed = 1 << iota
	passedThrottler
	passedBulkhead
	passedAdaptive
	passedRetry // it is counted as a retry under way
)

// knock asks the policies that refuse at once, and returns how long an attempt
// must wait for the rate limiter.
func (d *edge) knock(c *call, g *gate) (Time, bool) {
	now := d.sim.engine.now
	if d.spec.CircuitBreaker.on() {
		if !g.breaker.permit(now) {
			return 0, false
		}
		c.passed |= passedBreaker
	}
	if d.spec.AdaptiveThrottler.FailureRate > 0 {
		u := draw(d.sim.requests.at(c.req).key, forThrottle, int(d.id), int(c.serial))
		if !g.throttler.permit(now, u) {
			return 0, false
		}
		c.passed |= passedThrottler
	}
	if d.quota != nil && !d.quota.take() {
		return 0, false
	}
	if d.spec.RateLimiter.on() {
		return g.limiter.reserve(now)
	}
	return 0, true
}

// enter takes a place in the bulkhead, or waits for one.
func (d *edge) enter(i int32) {
	s := d.sim
	c := s.calls.at(i)
	if c.moot() { // whoever called gave up while the rate limiter held it back
		d.ended(i, resultCancelled)
		return
	}
	g := d.gate(c.caller)
	if d.spec.Bulkhead.Max > 0 {
		if g.inside >= d.spec.Bulkhead.Max {
			b := &d.spec.Bulkhead
			if g.places.n >= b.Wait && (b.Wait > 0 || b.MaxWait == 0) {
				d.ended(i, resultShed)
				return
			}
			g.places.push(s, i)
			c.waits = waitsForPlace
			if b.MaxWait > 0 {
				c.timer = s.engine.At(s.engine.now+Time(b.MaxWait), d.ent, edgeFull, uint64(i))
			}
			return
		}
		g.inside++
		c.passed |= passedBulkhead
	}
	d.limit(i)
}

// full refuses an attempt that has waited for a place for too long.
func (d *edge) full(i int32) {
	c := d.sim.calls.at(i)
	d.gate(c.caller).places.remove(d.sim, i)
	c.timer = Handle{}
	if c.moot() {
		d.finish(i, resultCancelled)
		return
	}
	d.ended(i, resultShed)
}

// limit asks the adaptive limiter.
func (d *edge) limit(i int32) {
	c := d.sim.calls.at(i)
	if d.spec.AdaptiveLimiter.Max > 0 {
		g := d.gate(c.caller)
		n, ok := g.adaptive.permit()
		if !ok && d.spec.AdaptiveLimiter.Prioritized {
			d.queue(i, g)
			return
		}
		if !ok {
			d.ended(i, resultShed)
			return
		}
		c.passed |= passedAdaptive
		c.inside = int32(n)
	}
	d.launch(i)
}

// told tells the policies that an attempt has passed how it ended.
func (d *edge) told(c *call, g *gate, ok bool) {
	now := d.sim.engine.now
	p := c.passed
	c.passed = 0
	if p&passedRetry != 0 {
		g.retries--
	}
	if p&passedAdaptive != 0 {
		g.adaptive.record(now, now-c.sent, int(c.inside), false)
		if g.permits.n > 0 {
			d.permit(g)
		}
	}
	if p&passedThrottler != 0 {
		g.throttler.record(now, ok)
	}
	if p&passedBreaker != 0 {
		g.breaker.record(now, ok)
	}
	if p&passedBulkhead != 0 {
		g.inside--
		d.admit(g)
	}
}

// admit lets in who waits, as far as there is room.
func (d *edge) admit(g *gate) {
	s := d.sim
	for g.places.n > 0 && (d.spec.Bulkhead.Max == 0 || g.inside < d.spec.Bulkhead.Max) {
		i := g.places.head
		g.places.remove(s, i)
		c := s.calls.at(i)
		s.engine.Cancel(c.timer) // it need not wait any longer
		c.timer = Handle{}
		if c.moot() {
			d.finish(i, resultCancelled)
			continue
		}
		g.inside++
		c.passed |= passedBulkhead
		d.limit(i)
	}
	for g.connections.n > 0 && (d.spec.Pool.Max == 0 || g.open < d.spec.Pool.Max) {
		i := g.connections.head
		g.connections.remove(s, i)
		d.dispatch(i)
	}
}

// close gives the connection of a frame back.
func (d *edge) close(f *frame) {
	if !f.pooled {
		return
	}
	f.pooled = false
	g := d.gate(f.from)
	g.open--
	d.admit(g)
}

// A callList is a queue of calls from which any can be taken out.
type callList struct {
	head, tail int32
	n          int
}

func (l *callList) push(s *Sim, i int32) {
	c := s.calls.at(i)
	c.next, c.prev = none, none
	if l.n == 0 {
		l.head = i
	} else {
		c.prev = l.tail
		s.calls.at(l.tail).next = i
	}
	l.tail = i
	l.n++
}

func (l *callList) remove(s *Sim, i int32) {
	c := s.calls.at(i)
	if c.prev != none {
		s.calls.at(c.prev).next = c.next
	} else {
		l.head = c.next
	}
	if c.next != none {
		s.calls.at(c.next).prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.waits = waitsForNothing
	l.n--
}
