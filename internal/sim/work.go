package sim

import "time"

// start gives a frame a server.
func (t *station) start(j int32) {
	f := t.sim.frames.at(j)
	t.held++
	f.began = t.sim.engine.now
	if f.write && (t.spec.locks > 0 || t.spec.locked) && !t.locks.take(t, j) {
		return
	}
	t.locksHeld(j)
}

// locksHeld goes on with a frame that has all its locks.
func (t *station) locksHeld(j int32) {
	if t.io.cost(t.sim.frames.at(j).write) > 0 {
		t.io.push(t, j)
		return
	}
	t.toil(j)
}

// toil gives a frame that has all it needs its work.
func (t *station) toil(j int32) {
	s := t.sim
	f := s.frames.at(j)
	which := 0
	if f.write {
		which = 1
	}
	u := draw(s.requests.at(f.req).key, forService, int(f.node), int(f.serial))
	f.total = t.work[which].at(u)
	if t.extra {
		t.addExtra(f, s.requests.at(f.req))
	}
	f.work = f.total
	if f.total == 0 && t.speed > 0 { // it is done without an event
		t.owner.worked(j)
		return
	}
	if t.spec.queue.Discipline == Sharing {
		t.shared.add(t, j)
		return
	}
	t.add(j)
}

// addExtra is the work beside the service time.
func (t *station) addExtra(f *frame, q *request) {
	if g := &t.spec.growth; g.Exponent != 0 {
		f.total *= g.factor(t.sim.workloads[q.workload].items(q))
	}
	if !t.spec.coldStart.Takes.zero() && !t.warm.take(t.sim.engine.now) {
		f.total += t.cold.at(draw(q.key, forColdStart, int(f.node), int(f.serial)))
		t.count.Cold++
	}
}

// add puts a frame to work for as much as is left of it.
func (t *station) add(j int32) {
	f := t.sim.frames.at(j)
	f.stage = stageWorks
	f.busy = int32(len(t.busy))
	t.busy = append(t.busy, j)
	t.schedule(j, f)
}

// schedule sets the end of a frame's work at the present speed.
func (t *station) schedule(j int32, f *frame) {
	f.ends = Never
	f.done = Handle{}
	if t.speed > 0 {
		f.ends = t.sim.engine.now + seconds(f.work/t.speed)
		f.done = t.sim.engine.At(f.ends, t.ent, stationDone, uint64(j))
	}
}

// respeed works out how fast the instance is now, also for what it has begun: a
// demand is work, not time. If only new work felt a change, what began while the
// instance was slow would hold servers long after.
func (t *station) respeed() {
	speed := max(t.spec.speed, 0)
	if sl := &t.spec.slowdown; sl.Above > 0 && t.present > sl.Above {
		speed /= 1 + sl.Factor*float64(t.present-sl.Above)/float64(sl.Above)
	}
	if t.spec.memory.Collector > 0 && t.spec.memory.Limit > 0 {
		speed /= t.collect()
	}
	if t.paused {
		speed = 0
	}
	if speed == t.speed {
		return
	}
	e := &t.sim.engine
	for _, j := range t.busy {
		f := t.sim.frames.at(j)
		if t.speed > 0 {
			f.work = max(0, float64(f.ends-e.now)/1e9*t.speed)
			e.Cancel(f.done)
		}
	}
	t.shared.advance(t)
	t.speed = speed
	t.shared.schedule(t)
	for _, j := range t.busy {
		t.schedule(j, t.sim.frames.at(j))
	}
}

// depart counts a frame out.
func (t *station) depart(f *frame) {
	t.count.Sojourn += float64(t.sim.engine.now-f.arrived) / 1e9
	t.integrate(-1)
}

// remove takes a frame from those at work.
func (t *station) remove(f *frame) {
	last := len(t.busy) - 1
	moved := t.busy[last]
	t.busy[f.busy] = moved
	t.sim.frames.at(moved).busy = f.busy
	t.busy = t.busy[:last]
	f.busy = none
}

// leave frees the server of a frame and answers.
func (t *station) leave(j int32, r result) {
	f := t.sim.frames.at(j)
	if f.row != none {
		t.locks.give(t, f)
	}
	if t.extra && !t.spec.coldStart.Takes.zero() {
		stays := Time(t.spec.coldStart.KeepAlive)
		if stays == 0 {
			stays = Time(5 * time.Minute)
		}
		t.warm.give(t.sim.engine.now + stays)
	}
	t.held--
	t.depart(f)
	t.count.Done++
	if r != resultOK {
		t.count.Errors++
	}
	if f.call == none {
		t.count.Wasted++
		t.count.Waste += f.total
	}
	// Before the answer: what it sets off may arrive here, and must not overtake.
	t.startWaiting()
	t.sim.edges[f.edge].answer(j, r)
}

// startWaiting gives free servers to the frames that wait.
func (t *station) startWaiting() {
	s := t.sim
	for t.up && t.held < t.spec.servers-t.leaked && t.waiting.len() > 0 {
		j := t.waiting.pop(s)
		f := s.frames.at(j)
		if !f.stop && !t.waiting.drops(s, f) {
			t.start(j)
			continue
		}
		t.count.Expired++
		t.depart(f)
		r := resultRefused
		if f.stop {
			r = resultCancelled
		}
		s.edges[f.edge].answer(j, r)
	}
}

// interrupt ends the work of a frame before it is done.
func (t *station) interrupt(j int32, r result) {
	f := t.sim.frames.at(j)
	t.sim.engine.Cancel(f.done)
	if t.speed > 0 {
		f.work = max(0, float64(f.ends-t.sim.engine.now)/1e9*t.speed)
	}
	f.total -= f.work
	t.count.Work += f.total
	t.remove(f)
	t.leave(j, r)
}
