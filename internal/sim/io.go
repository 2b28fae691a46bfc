package sim

// An ioStage is input and output that all servers of an instance share: one
// after the other, in the order in which they come.
type ioStage struct {
	spec    IO
	speed   float64
	waiting deque
	current int32 // the frame under way, or none
	left    float64
	ends    Time
	handle  Handle
}

// cost is the work of one request, or 0 if there is no such stage.
func (o *ioStage) cost(write bool) float64 {
	switch {
	case o.spec.Capacity == 0:
		return 0
	case write:
		return o.spec.WriteCost
	}
	return o.spec.ReadCost
}

// refresh takes a new capacity, also for what is under way.
func (o *ioStage) refresh(t *station) {
	o.spec = t.spec.io
	speed := o.spec.Capacity * (1 - o.spec.Take)
	if speed == o.speed {
		return
	}
	e := &t.sim.engine
	if o.current != none && o.speed > 0 {
		o.left = max(0, float64(o.ends-e.now)/1e9*o.speed)
		e.Cancel(o.handle)
	}
	o.speed = speed
	if o.current != none {
		o.schedule(t)
	}
}

func (o *ioStage) push(t *station, j int32) {
	t.sim.frames.at(j).stage = stageIO
	o.waiting.push(j)
	if o.current == none {
		o.next(t)
	}
}

// next starts the first of those that wait.
func (o *ioStage) next(t *station) {
	o.current = none
	if o.waiting.n == 0 {
		return
	}
	o.current = o.waiting.popFront()
	o.left = o.cost(t.sim.frames.at(o.current).write)
	o.schedule(t)
}

func (o *ioStage) schedule(t *station) {
	o.ends, o.handle = Never, Handle{}
	if o.speed > 0 {
		o.ends = t.sim.engine.now + seconds(o.left/o.speed)
		o.handle = t.sim.engine.At(o.ends, t.ent, stationIO, 0)
	}
}

// done gives the frame under way its work.
func (o *ioStage) done(t *station) {
	j := o.current
	o.next(t)
	if t.sim.frames.at(j).stop {
		t.leave(j, resultCancelled)
		return
	}
	t.toil(j)
}
