package sim

import "time"

// Events of a stream.
const (
	streamKept  uint16 = iota + 1 // a message is kept
	streamReady                   // a partition may go on
)

// A stream is messages in partitions.
type stream struct {
	sim        *Sim
	id         int32
	ent        uint32
	base       Stream
	spec       Stream
	keys       keyPicker
	publish    sampler
	out        *edge // to the service that takes the messages
	messages   arena[message]
	partitions []partition
	paused     Time // nothing is handed over before
	count      StreamCount
}

// A message is one that was sent, and is kept until it is done with.
type message struct {
	key        int32
	born       Time
	deliveries int32
	done       int32 // times that it was worked on to the end
	refs       int32 // requests that carry it, and its place in the partition
	request    uint64
	workload   int32
	met, tags  uint64
	link       [3]uint64 // trace and span of the sender
	speaks     string    // the format in which it is written
	hops       int16     // along rings, up to whoever sent it
}

// A partition hands over one message at a time.
type partition struct {
	waiting deque
	current int32 // the message that is handed over, or none
	frame   int32 // that waits for it, or none
	ready   bool  // an event will make it go on
}

// StreamCount is what a stream did.
type StreamCount struct {
	Published   int
	Refused     int // found the partition full
	Delivered   int // handed over, each time
	Redelivered int // of these, again
	Done        int // worked on to the end, the first time
	Duplicates  int // worked on to the end again
	Suppressed  int // of these, by consumers that had seen it, without effect
	Lost        int // failed after they were done with
	Dead        int // given up, as dead letters
	Waiting     int // at the end of the interval
	// Age is how old the oldest message that waits is, in seconds, at the end of
	// the interval.
	Age float64
}

func (v *stream) apply(over func(instance int, set setter)) {
	spec := v.base
	over(0, spec.set)
	v.spec = spec
	v.publish = newSampler(spec.Publish)
}

func (v *stream) pick(_ *edge, c *call) (int32, bool) {
	v.keys.of(v.sim, c)
	return none, true
}

// enter takes a message in.
func (v *stream) enter(j int32) {
	s := v.sim
	f := s.frames.at(j)
	p := v.partition(f.key)
	if v.spec.Bound > 0 && p.waiting.n >= v.spec.Bound {
		v.count.Refused++
		s.edges[f.edge].answer(j, resultRefused)
		return
	}
	takes := seconds(v.publish.at(draw(s.requests.at(f.req).key, forService, int(v.id), int(f.serial))))
	s.engine.At(s.engine.now+takes, v.ent, streamKept, uint64(j))
}

func (v *stream) partition(key int32) *partition {
	return &v.partitions[int(mix(uint64(key))%uint64(len(v.partitions)))]
}

// Handle carries out what was scheduled.
func (v *stream) Handle(_ *Engine, kind uint16, a uint64) {
	switch kind {
	case streamKept:
		v.keep(int32(a))
	case streamReady:
		p := &v.partitions[a]
		p.ready = false
		v.next(int32(a))
	}
}

// keep puts a message at the end of its partition, and tells the sender.
func (v *stream) keep(j int32) {
	s := v.sim
	f := s.frames.at(j)
	q := s.requests.at(f.req)
	i := v.messages.get()
	*v.messages.at(i) = message{
		key: f.key, born: s.engine.now, refs: 1, request: mix(q.key ^ uint64(f.serial)<<32 ^ uint64(v.id)), workload: q.workload,
		met: q.met, tags: q.tags, link: [3]uint64{mix(q.key), mix(q.key + 1), f.parent}, speaks: s.speech(f, q), hops: f.hops,
	}
	v.count.Published++
	n := int32(mix(uint64(f.key)) % uint64(len(v.partitions)))
	v.partitions[n].waiting.push(i)
	s.edges[f.edge].answer(j, resultOK)
	v.next(n)
}

// next hands the first message of a partition over.
func (v *stream) next(n int32) {
	s := v.sim
	p := &v.partitions[n]
	if p.current != none || p.ready || p.waiting.n == 0 {
		return
	}
	if s.engine.now < v.paused {
		v.later(n, v.paused)
		return
	}
	p.current = p.waiting.popFront()
	v.deliver(n)
}

func (v *stream) later(n int32, at Time) {
	v.partitions[n].ready = true
	v.sim.engine.At(at, v.ent, streamReady, uint64(n))
}

// deliver hands the current message of a partition over, in a request of its own.
func (v *stream) deliver(n int32) {
	s := v.sim
	p := &v.partitions[n]
	m := v.messages.at(p.current)
	m.deliveries++
	m.refs++
	v.count.Delivered++
	if m.deliveries > 1 {
		v.count.Redelivered++
	}
	r := s.requests.get()
	*s.requests.at(r) = request{
		key: mix(m.request ^ uint64(m.deliveries)), start: s.engine.now, workload: m.workload, met: m.met, tags: m.tags,
		user: none, message: p.current + 1, stream: v.id, link: m.link,
	}
	j := s.frames.get()
	f := s.frames.at(j)
	*f = frame{
		req: r, call: none, node: v.id, station: none, edge: v.out.id, child: none, busy: none, link: none, from: none,
		key: n, row: none, cause: none, stage: stageCalls, arrived: s.engine.now, expires: Never,
	}
	s.hold(r)
	p.frame = j
	if v.spec.Ack == AckBefore {
		m.refs--
	}
	f.child = v.out.begin(r, j, none, false)
	c := s.calls.at(f.child)
	c.key, c.hops = m.key, m.hops+1
	if c.hops > maxHops {
		v.out.fail(f.child, resultError)
		return
	}
	v.out.send(f.child)
}

// resume goes on when a message was worked on, or was not.
func (v *stream) resume(j, _ int32, r result) {
	s := v.sim
	f := s.frames.at(j)
	n := f.key
	p := &v.partitions[n]
	req := f.req
	s.frames.put(j)
	defer s.drop(req)
	if p.frame != j {
		return // a rebalance has handed it over again
	}
	p.frame = none
	i := p.current
	m := v.messages.at(i)
	again := false
	switch {
	case r == resultOK:
	case v.spec.Ack == AckBefore:
		v.count.Lost++
	case v.spec.MaxDeliveries > 0 && int(m.deliveries) >= v.spec.MaxDeliveries:
		v.count.Dead++
	default:
		again = true
	}
	if again {
		v.again(n)
		return
	}
	p.current = none
	if v.spec.Ack != AckBefore {
		v.forget(i)
	}
	v.next(n)
}

// again puts the current message back to the front.
func (v *stream) again(n int32) {
	p := &v.partitions[n]
	p.waiting.pushFront(p.current)
	p.current = none
	wait := v.spec.RedeliverAfter
	if wait == 0 {
		wait = 100 * time.Millisecond // or a service that is down would be asked without end at one time
	}
	if !p.ready {
		v.later(n, v.sim.engine.now+Time(wait))
	}
}

// rebalance is told that an instance of the service has come or gone.
func (v *stream) rebalance() {
	if v.spec.Rebalance == 0 {
		return
	}
	v.paused = v.sim.engine.now + Time(v.spec.Rebalance)
	for n := range v.partitions {
		p := &v.partitions[n]
		if p.current == none {
			continue
		}
		p.frame = none // whoever works on it does so for nothing, or twice
		if v.spec.Ack == AckBefore {
			p.current = none
		} else {
			p.waiting.pushFront(p.current)
			p.current = none
		}
		v.next(int32(n))
	}
}

// worked is told that a consumer has worked on a message to the end, and returns
// whether it had any effect.
func (v *stream) worked(i int32) bool {
	m := v.messages.at(i)
	m.done++
	if m.done == 1 {
		v.count.Done++
		return true
	}
	v.count.Duplicates++
	if v.spec.Idempotent {
		v.count.Suppressed++
		return false
	}
	return true
}

// forget drops one of the reasons to keep a message.
func (v *stream) forget(i int32) {
	m := v.messages.at(i)
	m.refs--
	if m.refs == 0 {
		v.messages.put(i)
	}
}

// abandon is not called: nobody waits for a message to be worked on.
func (v *stream) abandon(int32) {}

// measure says how much waits.
func (v *stream) measure() StreamCount {
	c := v.count
	for n := range v.partitions {
		p := &v.partitions[n]
		c.Waiting += p.waiting.n
		if p.waiting.n > 0 {
			first := v.messages.at(p.waiting.ring[p.waiting.head])
			c.Age = max(c.Age, (v.sim.engine.now - first.born).Seconds())
		}
	}
	return c
}

func (c StreamCount) minus(d StreamCount) StreamCount {
	return StreamCount{
		Published: c.Published - d.Published, Refused: c.Refused - d.Refused, Delivered: c.Delivered - d.Delivered,
		Redelivered: c.Redelivered - d.Redelivered, Done: c.Done - d.Done, Duplicates: c.Duplicates - d.Duplicates,
		Suppressed: c.Suppressed - d.Suppressed, Lost: c.Lost - d.Lost, Dead: c.Dead - d.Dead, Waiting: c.Waiting, Age: c.Age,
	}
}
