package sim

// A sharing serves all frames of an instance at once, each at an equal share of
// its servers and at no more than one. Frames end in the order of the work at
// which they will have had enough, on a clock that counts the work that each of
// them has had.
type sharing struct {
	heap  heap    // by that work, in nanoseconds
	work  float64 // that each has had since the beginning, in seconds
	at    Time    // when that was
	n     int
	seq   uint64
	event Handle
}

// rate is how fast each is served.
func (h *sharing) rate(t *station) float64 {
	return t.speed * min(1, float64(t.spec.servers)/float64(max(h.n, 1)))
}

// advance brings the clock of work up to now, at the rate that held until now.
func (h *sharing) advance(t *station) {
	now := t.sim.engine.now
	h.work += h.rate(t) * float64(now-h.at) / 1e9
	h.at = now
}

func (h *sharing) add(t *station, j int32) {
	h.advance(t)
	h.n++
	h.seq++
	f := t.sim.frames.at(j)
	f.stage = stageShares
	h.heap.push(entry{t: seconds(h.work + f.work), key: h.seq<<slotBits | uint64(j)})
	h.schedule(t)
}

// schedule sets the next end.
func (h *sharing) schedule(t *station) {
	e := &t.sim.engine
	e.Cancel(h.event)
	h.event = Handle{}
	first, ok := h.heap.min()
	if rate := h.rate(t); ok && rate > 0 {
		h.event = e.At(e.now+seconds(max(0, (first.t.Seconds()-h.work)/rate)), t.ent, stationShared, 0)
	}
}

// done ends the frame that has had enough.
func (h *sharing) done(t *station) {
	h.advance(t)
	first, _ := h.heap.min()
	h.heap.take()
	h.n--
	h.schedule(t)
	j := int32(first.key & (maxPending - 1))
	t.count.Work += t.sim.frames.at(j).total
	t.owner.worked(j)
}

// drop ends all frames before they are done.
func (h *sharing) drop(t *station, r result) {
	for {
		first, ok := h.heap.min()
		if !ok {
			break
		}
		h.heap.take()
		h.n--
		t.leave(int32(first.key&(maxPending-1)), r)
	}
	h.schedule(t)
}
