package sim

// Kinds of events of an edge.
const (
	edgeArrive     uint16 = iota + 1 // a frame reaches the instance
	edgeAnswer                       // an answer reaches the caller
	edgeTimeout                      // an attempt took too long
	edgeRetry                        // the delay before the next attempt is over
	edgePermit                       // the rate limiter lets an attempt through
	edgeHedge                        // an attempt has not been answered for so long
	edgeResolved                     // an address was found
	edgeUnresolved                   // none was found
)

// An edge carries calls from one service, or workload, to a node, by its policy.
type edge struct {
	sim       *Sim
	id        int32
	ent       uint32
	from      string
	to        string
	callee    int32 // the node
	serves    bool  // which is a service
	base      Policy
	spec      Policy
	plain     bool // no policy keeps any state
	timeout   int  // its queue of timeouts, or -1
	network   sampler
	discovery sampler
	lookup    sampler
	quota     *quota // or nil
	next      int32  // instance, in turn
	gates     []gate
	count     EdgeCount
}

// EdgeCount is what went over an edge.
type EdgeCount struct {
	Calls    int // logical calls, however many attempts they took
	Attempts int // that were wanted, with those that were shed
	OK       int // calls that succeeded
	Failed   int // calls that failed after their last attempt
	Timeouts int // attempts that were given up
	Refused  int // attempts that the callee did not take
	Shed     int // attempts that the caller's policy did not let through
	Denied   int // retries that the budget did not let through
	Hedged   int // second attempts beside a first
	Fallback int // calls that failed and were answered from elsewhere
}

// refresh makes ready what follows from the policy.
func (d *edge) refresh(spec Policy) {
	for i := range d.gates {
		d.gates[i].reset(&d.spec, &spec)
	}
	d.spec = spec
	d.plain = spec.stateless()
	d.timeout = -1
	if spec.Timeout > 0 {
		d.timeout = d.sim.engine.TimeoutQueue(spec.Timeout)
	}
	d.network = newSampler(spec.Network.Delay)
	d.discovery = newSampler(spec.Balance.Discovery)
	d.lookup = newSampler(spec.DNS.Latency)
	for i := range d.gates {
		d.admit(&d.gates[i])
	}
}

// apply computes the policy anew.
func (d *edge) apply(over func(instance int, set setter)) {
	spec := d.base
	over(0, spec.set)
	d.refresh(spec)
}

// A request for a call, which has no place yet.
func (d *edge) begin(req, parent, caller int32, write bool) int32 {
	s := d.sim
	i := s.calls.get()
	c := s.calls.at(i)
	*c = call{}
	c.req, c.parent, c.edge, c.caller, c.write, c.started = req, parent, d.id, caller, write, s.engine.now
	c.child, c.second, c.next, c.prev, c.sibling, c.key = none, none, none, none, none, none
	if s.tap != nil && parent != none {
		c.parentSpan = s.frames.at(parent).span
	}
	s.hold(req)
	d.count.Calls++
	if !d.plain {
		g := d.gate(caller)
		g.calls++
		c.counted = true
		d.deposit(g)
	}
	return i
}

// send makes the next attempt of a call, once its policies let it through.
func (d *edge) send(i int32) {
	s := d.sim
	c := s.calls.at(i)
	c.attempt++
	q := s.requests.at(c.req)
	q.serial++
	c.serial = q.serial
	c.sent = s.engine.now
	d.count.Attempts++
	if d.plain {
		d.launch(i)
		return
	}
	g := d.gate(c.caller)
	if c.attempt > 1 {
		g.retries++
		c.passed |= passedRetry
	}
	wait, ok := d.knock(c, g)
	switch {
	case !ok:
		d.ended(i, resultShed)
	case wait > 0:
		s.engine.At(s.engine.now+wait, d.ent, edgePermit, uint64(i))
	default:
		d.enter(i)
	}
}

// launch starts the timeout of an attempt, and sends it once there is a
// connection.
func (d *edge) launch(i int32) {
	e := &d.sim.engine
	c := d.sim.calls.at(i)
	c.sent = e.now
	if d.timeout >= 0 {
		c.timer = e.After(d.timeout, d.ent, edgeTimeout, uint64(i))
	}
	if d.plain {
		d.dispatch(i)
		return
	}
	if d.spec.Hedge.Delay > 0 {
		c.hedge = e.At(e.now+Time(d.spec.Hedge.Delay), d.ent, edgeHedge, uint64(i))
	}
	if d.spec.DNS.TTL == 0 {
		d.connect(i)
		return
	}
	takes, ok := d.resolve(c, d.gate(c.caller))
	kind := edgeResolved
	if !ok {
		kind = edgeUnresolved
	}
	c.waits = waitsForAddress
	c.address = e.At(e.now+takes, d.ent, kind, uint64(i))
}

// connect waits for a connection, if there must be one, and sends an attempt off.
func (d *edge) connect(i int32) {
	c := d.sim.calls.at(i)
	if g := d.gate(c.caller); d.spec.Pool.Max > 0 && g.open >= d.spec.Pool.Max {
		c.waits = waitsForConnection
		g.connections.push(d.sim, i)
		return
	}
	d.dispatch(i)
}

// resolved goes on with an attempt whose look-up is over.
func (d *edge) resolved(i int32, ok bool) {
	s := d.sim
	c := s.calls.at(i)
	c.waits = waitsForNothing
	if ok {
		d.connect(i)
		return
	}
	s.engine.Cancel(c.timer)
	d.ended(i, resultUnreachable)
}

// dispatch sends an attempt off.
func (d *edge) dispatch(i int32) {
	s, e := d.sim, &d.sim.engine
	c := s.calls.at(i)
	q := s.requests.at(c.req)
	n := s.nodes[d.callee]
	st, ok := n.pick(d, c)
	if !ok {
		e.Cancel(c.timer)
		e.Cancel(c.hedge)
		d.ended(i, resultUnreachable)
		return
	}
	j := s.frames.get()
	f := s.frames.at(j)
	*f = frame{} // and then field by field: a literal would be built beside it and copied
	f.req, f.call, f.node, f.station, f.edge = c.req, i, d.callee, st, d.id
	f.attempt, f.serial, f.from, f.key, f.write = c.attempt, c.serial, c.caller, c.key, c.write
	f.child, f.busy, f.link, f.row, f.cause = none, none, none, none, none
	f.arrived, f.expires = e.now, Never
	if s.tap != nil {
		d.name(c, f, q.key)
	}
	if d.timeout >= 0 {
		f.expires = c.sent + Time(d.spec.Timeout)
	}
	if d.spec.Pool.Max > 0 {
		d.gate(c.caller).open++
		f.pooled = true
	}
	s.hold(c.req)
	if c.child == none {
		c.child = j
	} else {
		c.second = j
	}
	if d.lost(q.key, int(c.serial)*2) {
		d.vanish(j)
		return
	}
	if delay := d.delay(q.key, int(c.serial)*2); delay > 0 {
		e.At(e.now+delay, d.ent, edgeArrive, uint64(j))
		return
	}
	n.enter(j)
}

// hedge sends a second attempt beside the first, if there is a connection.
func (d *edge) hedge(i int32) {
	s := d.sim
	c := s.calls.at(i)
	c.hedge = Handle{}
	if c.child == none || d.spec.Pool.Max > 0 && d.gate(c.caller).open >= d.spec.Pool.Max {
		return
	}
	q := s.requests.at(c.req)
	q.serial++
	c.serial = q.serial
	d.count.Attempts++
	d.count.Hedged++
	d.dispatch(i)
}

// name gives a frame its span, and the one above it.
func (d *edge) name(c *call, f *frame, key uint64) {
	if c.caller != none {
		f.parent = spanID(key, c.serial, 1)
	}
	f.span = c.parentSpan
	if f.station != none {
		f.span = spanID(key, c.serial, 0)
	}
}

// vanish forgets a frame whose message was lost. Its caller hears nothing.
func (d *edge) vanish(j int32) {
	s := d.sim
	f := s.frames.at(j)
	if f.call != none {
		s.calls.at(f.call).forget(j)
	}
	d.close(f)
	s.drop(f.req)
	s.frames.put(j)
}

func (d *edge) lost(key uint64, nth int) bool {
	loss := d.spec.Network.Loss
	return loss > 0 && draw(key, forLoss, int(d.id), nth) < loss
}

// delay draws how long a message is under way.
func (d *edge) delay(key uint64, nth int) Time {
	if d.spec.Network.Delay.zero() {
		return 0
	}
	return seconds(d.network.at(draw(key, forNetwork, int(d.id), nth)))
}

// answer sends the result of a frame to whoever waits for it. The frame has left
// its instance.
func (d *edge) answer(j int32, r result) {
	s, e := d.sim, &d.sim.engine
	f := s.frames.at(j)
	f.result, f.stage = r, stageTravels
	if s.tap != nil && d.serves && r != resultUnreachable {
		s.tap.served(f, r)
	}
	d.close(f)
	if f.call != none {
		key := s.requests.at(f.req).key
		if d.lost(key, int(f.serial)*2+1) {
			d.vanish(j)
			return
		}
		if delay := d.delay(key, int(f.serial)*2+1); delay > 0 {
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
	c := s.calls.at(i)
	c.forget(j)
	s.engine.Cancel(c.timer)
	d.ended(i, r)
}

// expire gives an attempt up.
func (d *edge) expire(i int32) {
	s := d.sim
	c := s.calls.at(i)
	d.count.Timeouts++
	switch c.waits {
	case waitsForConnection:
		d.gate(c.caller).connections.remove(s, i)
	case waitsForAddress:
		s.engine.Cancel(c.address)
		c.waits = waitsForNothing
	default:
	}
	d.orphan(c, d.spec.Cancel)
	d.ended(i, resultTimeout)
}

// forget takes note that a frame works on a call no more.
func (c *call) forget(j int32) {
	if c.child == j {
		c.child = none
	} else if c.second == j {
		c.second = none
	}
}

// orphan leaves the frames that work on a call without anybody who waits, and
// tells them if tell is set.
func (d *edge) orphan(c *call, tell bool) {
	for _, j := range [...]int32{c.child, c.second} {
		if j == none {
			continue
		}
		d.sim.frames.at(j).call = none
		if tell {
			d.sim.abandon(j)
		}
	}
	c.child, c.second = none, none
}

// abandon tells a frame, and all that it waits for, that nobody does any more.
func (s *Sim) abandon(j int32) {
	f := s.frames.at(j)
	if f.stop || f.stage == stageTravels {
		return
	}
	f.stop = true
	s.nodes[f.node].abandon(j)
}

// ended decides what follows an attempt.
func (d *edge) ended(i int32, r result) {
	s := d.sim
	c := s.calls.at(i)
	if s.tap != nil {
		s.tap.called(d, c, r)
	}
	if c.child != none || c.second != none { // its hedge, or what that was for
		d.orphan(c, true)
	}
	if c.hedge != (Handle{}) {
		s.engine.Cancel(c.hedge)
		c.hedge = Handle{}
	}
	if c.passed != 0 {
		d.told(c, d.gate(c.caller), r == resultOK)
	}
	switch r {
	case resultRefused, resultUnreachable:
		d.count.Refused++
	case resultShed:
		d.count.Shed++
	case resultOK:
		d.count.OK++
		d.finish(i, r)
		return
	default:
	}
	if !d.retries(c) {
		d.fail(i, r)
		return
	}
	c.result = r
	s.engine.At(s.engine.now+d.backoff(c), d.ent, edgeRetry, uint64(i))
}

// fail ends a call that has no attempts left.
func (d *edge) fail(i int32, r result) {
	if d.spec.Fallback {
		d.count.Fallback++
		d.finish(i, resultOK)
		return
	}
	d.count.Failed++
	d.finish(i, r)
}

// finish tells whoever made the call, and forgets it.
func (d *edge) finish(i int32, r result) {
	s := d.sim
	c := s.calls.at(i)
	req, parent, detached := c.req, c.parent, c.detached
	if c.counted {
		d.gate(c.caller).calls--
	}
	s.calls.put(i)
	switch {
	case parent != none:
		s.nodes[s.frames.at(parent).node].resume(parent, i, r)
	case !detached:
		s.userDone(req, r)
	}
	s.drop(req)
}

// give makes a call end for nobody: whoever made it has given up. An attempt
// under way goes on, or is told, as the policy says.
func (d *edge) give(i int32) {
	s := d.sim
	c := s.calls.at(i)
	c.parent, c.detached = none, true
	if d.spec.Cancel && c.child != none {
		s.abandon(c.child)
	}
	if d.spec.Cancel && c.second != none {
		s.abandon(c.second)
	}
}

// Handle carries out what was scheduled.
func (d *edge) Handle(_ *Engine, kind uint16, a uint64) {
	s, i := d.sim, int32(a)
	switch kind {
	case edgeArrive:
		s.nodes[d.callee].enter(i)
	case edgeAnswer:
		d.deliver(i)
	case edgeTimeout:
		d.expire(i)
	case edgeRetry:
		c := s.calls.at(i)
		switch {
		case c.detached:
			d.finish(i, resultCancelled)
		case !d.permits(d.gate(c.caller)):
			d.fail(i, c.result)
		default:
			d.send(i)
		}
	case edgePermit:
		d.enter(i)
	case edgeHedge:
		d.hedge(i)
	case edgeResolved, edgeUnresolved:
		d.resolved(i, kind == edgeResolved)
	}
}
