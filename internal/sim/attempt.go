package sim

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
	f.hops, f.undo = c.hops, c.undo
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
	if d.lossy && d.lost(q.key, int(c.serial)*2) {
		d.vanish(j)
		return
	}
	if d.far {
		if delay := d.delay(q.key, int(c.serial)*2); delay > 0 {
			e.At(e.now+delay, d.ent, edgeArrive, uint64(j))
			return
		}
	}
	d.enterNode(j)
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
	f.span, f.as = c.parentSpan, c.as
	if d.serves {
		f.as = d.sim.tap.now[f.station]
	}
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

// lost reports whether a message gets lost. The number of an answer is odd.
func (d *edge) lost(key uint64, nth int) bool {
	if d.link != nil && d.link.full(nth&1) {
		return true
	}
	loss := d.spec.Network.Loss
	return loss > 0 && draw(key, forLoss, int(d.id), nth) < loss
}

// delay draws how long a message is under way.
func (d *edge) delay(key uint64, nth int) Time {
	delay := Time(0)
	if !d.spec.Network.Delay.zero() {
		delay = seconds(d.network.at(draw(key, forNetwork, int(d.id), nth)))
	}
	if d.link != nil {
		bytes := d.spec.Network.Request
		if nth&1 == 1 {
			bytes = d.spec.Network.Answer
		}
		delay += d.link.send(nth&1, bytes)
	}
	return delay
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
	if f.call != none && (d.lossy || d.far) {
		key := s.requests.at(f.req).key
		if d.lossy && d.lost(key, int(f.serial)*2+1) {
			d.vanish(j)
			return
		}
		if d.far {
			if delay := d.delay(key, int(f.serial)*2+1); delay > 0 {
				e.At(e.now+delay, d.ent, edgeAnswer, uint64(j))
				return
			}
		}
	}
	d.deliver(j)
}

// deliver hands a result over and forgets the frame.
func (d *edge) deliver(j int32) {
	s := d.sim
	f := s.frames.at(j)
	i, r, st := f.call, f.result, f.station
	s.drop(f.req)
	s.frames.put(j)
	if i == none {
		return
	}
	c := s.calls.at(i)
	c.forget(j)
	if d.watches && st != none {
		d.observe(c, s.stations[st], r == resultOK)
	}
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
	if d.watches && c.child != none {
		if st := s.frames.at(c.child).station; st != none {
			d.observe(c, s.stations[st], false)
		}
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

// moot reports whether nobody wants a call any more: whoever made it has given up,
// and it is not to take back what was done.
func (c *call) moot() bool { return c.detached && !c.undo }

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
