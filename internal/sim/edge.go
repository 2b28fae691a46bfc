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
	edgeFull                         // an attempt has waited for a place for too long
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
	ring      bool  // and may call back to whoever calls along the edge
	pinned    bool  // the request says which instance it is for
	base      Policy
	spec      Policy
	plain     bool // no policy keeps any state
	timeout   int  // its queue of timeouts, or -1
	network   sampler
	discovery sampler
	lookup    sampler
	quota     *quota  // or nil
	issuer    *issuer // or nil
	link      *link   // or nil
	far       bool    // messages take time
	lossy     bool    // and may be lost
	watches   bool    // what instances do counts for where attempts go
	next      int32   // instance, in turn
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
	Ejected  int // times that an instance was taken out of the balance
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
	d.far = !spec.Network.Delay.zero() || d.link != nil
	d.lossy = spec.Network.Loss > 0 || d.link != nil
	d.discovery = newSampler(spec.Balance.Discovery)
	d.watches = spec.Balance.Algorithm == EWMA || spec.Balance.Ejection.Failures > 0
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

// begin notes that a frame, or the user if parent is none, wants something. Its
// first attempt is made by send.
func (d *edge) begin(req, parent, caller int32, write bool) int32 {
	s := d.sim
	i := s.calls.get()
	c := s.calls.at(i)
	*c = call{}
	c.req, c.parent, c.edge, c.caller, c.write, c.started = req, parent, d.id, caller, write, s.engine.now
	c.child, c.second, c.next, c.prev, c.sibling, c.key = none, none, none, none, none, none
	if s.tap != nil && parent != none {
		f := s.frames.at(parent)
		c.parentSpan, c.as = f.span, f.as
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
	if c := d.sim.calls.at(i); c.undo && c.detached { // an outbox does not give up
		d.sim.engine.At(d.sim.engine.now+outboxEvery, d.ent, edgeRetry, uint64(i))
		return
	}
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
		d.enterNode(i)
	case edgeAnswer:
		d.deliver(i)
	case edgeTimeout:
		d.expire(i)
	case edgeRetry:
		c := s.calls.at(i)
		switch {
		case c.detached && c.undo:
			c.attempt = 0
			d.send(i)
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
	case edgeFull:
		d.full(i)
	case edgeResolved, edgeUnresolved:
		d.resolved(i, kind == edgeResolved)
	}
}
