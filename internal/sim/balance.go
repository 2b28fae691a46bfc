package sim

// route picks an instance for an attempt, or reports that the caller knows of
// none.
func (d *edge) route(all []*station, c *call) (int32, bool) {
	if len(all) == 1 {
		return all[0].id, d.sees(all[0], c)
	}
	s := d.sim
	q := s.requests.at(c.req)
	switch d.spec.Balance.Algorithm {
	case RandomInstance:
		return d.first(all, c, int(drawBits(q.key, forRoute, int(d.id), int(q.serial))%uint64(len(all))))
	case TwoChoices, EWMA:
		return d.twoChoices(all, c, drawBits(q.key, forRoute, int(d.id), int(q.serial)))
	case LeastConnections:
		return d.least(all, c)
	case ToLeader:
		v, ok := all[0].owner.(*service)
		if !ok || v.lease == nil {
			return d.first(all, c, 0)
		}
		t := v.lease.leader(seconds(d.discovery.at(draw(q.key, forRoute, int(d.id), int(q.serial)))))
		return t.id, t.listed
	case ConsistentHash:
		// The same request goes to the same instance as long as that is there, and
		// to the next one if it is not.
		return d.first(all, c, int(mix(q.key^0x68617368)%uint64(len(all))))
	default:
		d.next++
		if int(d.next) >= len(all) {
			d.next = 0
		}
		st, ok := d.first(all, c, int(d.next))
		if ok {
			d.next = int32(s.stations[st].instance)
		}
		return st, ok
	}
}

// first returns the first instance that the caller sees, from the i-th on.
func (d *edge) first(all []*station, c *call, i int) (int32, bool) {
	for range all {
		if d.sees(all[i], c) {
			return all[i].id, true
		}
		i = (i + 1) % len(all)
	}
	return none, false
}

// twoChoices is the one of two at random that has the lesser load.
func (d *edge) twoChoices(all []*station, c *call, bits uint64) (int32, bool) {
	n := uint64(len(all))
	i := bits % n
	j := (i + 1 + bits>>32%(n-1)) % n
	a, b := all[i], all[j]
	switch {
	case !d.sees(a, c) && !d.sees(b, c):
		return d.first(all, c, int(i))
	case !d.sees(a, c):
		return b.id, true
	case !d.sees(b, c):
		return a.id, true
	case d.load(b, c) < d.load(a, c):
		return b.id, true
	}
	return a.id, true
}

// load is what an instance has in hand; with EWMA weighed with how long it took
// lately (as in Finagle: peak EWMA), so that one that was never asked is asked.
func (d *edge) load(t *station, c *call) float64 {
	if d.spec.Balance.Algorithm == EWMA {
		return d.peer(c.caller, t).latency * float64(t.present+1)
	}
	return float64(t.present)
}

func (d *edge) least(all []*station, c *call) (int32, bool) {
	best := none
	for k := range all {
		// From another one each time, so that equals take turns.
		t := all[(k+int(d.next)+1)%len(all)]
		if d.sees(t, c) && (best == none || t.present < d.sim.stations[best].present) {
			best = t.id
		}
	}
	d.next = (d.next + 1) % int32(len(all))
	return best, best != none
}

// sees reports whether the caller believes that an instance is there: what it
// learns, it learns late.
func (d *edge) sees(t *station, c *call) bool {
	if d.watches && d.ejected(c.caller, t) {
		return false
	}
	if t.changes == 0 || d.spec.Balance.Discovery.zero() {
		return t.listed
	}
	u := unit(mix(d.sim.seed ^ uint64(d.id)<<40 ^ uint64(t.id)<<20 ^ uint64(t.changes)))
	if d.sim.engine.now >= t.changed+seconds(d.discovery.at(u)) {
		return t.listed
	}
	return !t.listed
}
