package sim

// A gate is what one calling instance holds of an edge: places in the bulkhead
// and connections of the pool.
type gate struct {
	inside      int // attempts with a place
	open        int // connections in use
	places      callList
	connections callList
}

// gate returns that of a calling instance, or nil for users, who have none.
func (d *edge) gate(caller int32) *gate {
	if caller == none || len(d.gates) == 0 {
		return nil
	}
	return &d.gates[d.sim.stations[caller].instance]
}

// admit lets in who waits, as far as there is room.
func (d *edge) admit(g *gate) {
	s := d.sim
	for g.places.n > 0 && (d.spec.Bulkhead.Max == 0 || g.inside < d.spec.Bulkhead.Max) {
		i := g.places.head
		g.places.remove(s, i)
		c := s.calls.at(i)
		if c.detached {
			d.finish(i, resultCancelled)
			continue
		}
		g.inside++
		c.inside = true
		d.launch(i)
	}
	for g.connections.n > 0 && (d.spec.Pool.Max == 0 || g.open < d.spec.Pool.Max) {
		i := g.connections.head
		g.connections.remove(s, i)
		d.dispatch(i)
	}
}

// close gives the connection of a frame back.
func (d *edge) close(f *frame) {
	if f.caller == none {
		return
	}
	g := d.gate(f.caller)
	f.caller = none
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
