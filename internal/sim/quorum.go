package sim

// A Quorum makes the copies of each shard of a store equal: a write goes to all of
// them and is over when Write have it, a read asks all and is over when Read have
// answered, and takes the newest. A read that began after a write was over has it
// for sure if Read and Write are together more than there are copies; if it has
// not, it is stale. The zero Quorum is a primary and replicas that follow.
type Quorum struct {
	Read, Write int
}

// set gives a parameter a value, if it is one of a quorum.
func (q *Quorum) set(param string, v any) (known bool, err error) {
	switch param {
	case "quorum.read":
		return true, asCount(param, v, &q.Read)
	case "quorum.write":
		return true, asCount(param, v, &q.Write)
	}
	return false, nil
}

func (v *validation) quorum(where string, s *Store) {
	q, copies := &s.Quorum, 1+s.Replicas
	if *q == (Quorum{}) {
		return
	}
	if q.Read < 1 || q.Write < 1 || q.Read > copies || q.Write > copies {
		v.wrong(where, "quorum of %d to read and %d to write, of %d copies: want 1 to %d each", q.Read, q.Write, copies, copies)
	}
}

// A quorum is what the copies of a store know.
type quorum struct {
	inner *edge    // from whoever coordinates a request to the copies
	over  []Time   // by key, when the last write began that is over
	known [][]Time // by copy and key, when the last write began that it has
}

// addQuorum makes the edge from a store to its own copies.
func (s *Sim) addQuorum(v *store) {
	if v.base.Quorum == (Quorum{}) {
		return
	}
	v.quorum.inner = s.edgeOf(v.base.ID, v.base.ID)
	n := v.keys.table.n
	v.quorum.over = make([]Time, n)
	v.quorum.known = make([][]Time, len(v.stations))
	for i := range v.quorum.known {
		v.quorum.known[i] = make([]Time, n)
	}
}

// coordinate asks all copies for what a frame wants. While it waits, began is what
// is over at first, and ends the newest write that a copy has answered with.
func (v *store) coordinate(j int32) {
	f := v.sim.frames.at(j)
	key := v.keys.within(f.key)
	f.stage, f.arrived, f.began, f.ends = stageCalls, v.sim.engine.now, v.quorum.over[key], 0
	f.pending, f.won, f.opening = int32(v.copies), 0, true
	for k := range v.copies {
		i := v.quorum.inner.begin(f.req, j, none, f.write)
		c := v.sim.calls.at(i)
		c.nth, c.key, c.sibling = int32(k), f.key, f.child
		f.child = i
		v.quorum.inner.send(i)
	}
	f.opening = false
	v.settle(j)
}

// settle answers once enough copies have, or too many cannot.
func (v *store) settle(j int32) {
	s := v.sim
	f := s.frames.at(j)
	need := int32(v.specs[0].Quorum.Read)
	if f.write {
		need = int32(v.specs[0].Quorum.Write)
	}
	if f.opening || f.won < need && f.won+f.pending >= need {
		return
	}
	s.giveAll(f) // the others go on, and a write reaches them too
	if f.won < need {
		s.edges[f.edge].answer(j, resultUnreachable)
		return
	}
	key := v.keys.within(f.key)
	switch {
	case f.write:
		v.quorum.over[key] = max(v.quorum.over[key], f.arrived)
	case f.ends < f.began:
		v.stale++
		s.requests.at(f.req).met |= v.met
	}
	s.edges[f.edge].answer(j, resultOK)
}

// copied is told that a copy has done its part.
func (v *store) copied(t *station, f *frame) {
	known := &v.quorum.known[t.instance][v.keys.within(f.key)]
	if f.call == none {
		return
	}
	c := v.sim.calls.at(f.call)
	if f.write {
		*known = max(*known, c.started)
		return
	}
	if c.parent != none {
		p := v.sim.frames.at(c.parent)
		p.ends = max(p.ends, *known)
	}
}
