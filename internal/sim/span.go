package sim

import (
	"encoding/binary"
	"time"
)

// Kinds of spans, as OTLP numbers them.
const (
	spanServer   = 2
	spanClient   = 3
	spanProducer = 4
	spanConsumer = 5
)

// A resource is who emits: the process of an instance of a service. Another version
// is another process.
type resource struct {
	station int32
	version string
	encoded []byte // its attributes, in the sink's format; nil until they are needed
	next    int32  // one of the same instance that is younger, or none
}

// An identity is what a process is from one change of its flags, or its clock, to the
// next.
type identity struct {
	resource int32
	flags    []Flag
	skew     time.Duration // that clocks may have
	before   int32         // the one before of the same instance, or none
}

// A spanName is what all spans of one kind at one place have in common.
type spanName struct {
	name    string
	kind    int
	static  []attribute
	http    bool
	service *service // whose server spans they are
	head    []byte   // name and kind, encoded
	// encoded are the attributes by result and cacheResult, which is nearly all
	// that differs: each is written once.
	encoded [resultCancelled + 1][cacheWasMiss + 1][]byte
}

// A span is one that is ready to be told. It holds no pointers.
type span struct {
	hi, lo   uint64 // trace
	id       uint64
	parent   uint64
	start    Time
	end      Time
	as       int32 // the identity of who tells of it
	name     int32
	workload int32 // whose attributes it has, or none
	tags     uint64
	attempt  int32
	rule     int32 // that failed it, or none
	result   result
	flags    uint16
	cache    cacheResult
	next     int32 // of its trace, while that may be dropped
	link     [3]uint64
}

// A cacheResult is what a look-up gave.
type cacheResult uint8

const (
	notLookedUp cacheResult = iota
	cacheWasHit
	cacheWasStale
	cacheWasMiss
)

// spanID returns the id of a span of an attempt.
func spanID(key uint64, serial int32, kind uint64) uint64 {
	return mix(key^uint64(serial)<<2^kind) | 1
}

// traceID returns the id of the trace of a request.
func traceID(key uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], mix(key))
	binary.BigEndian.PutUint64(id[8:], mix(key+1))
	return id
}

// served tells of a frame that leaves an instance of a service.
func (t *tap) served(f *frame, r result) {
	s := t.sim
	q := s.requests.at(f.req)
	w := s.workloads[q.workload]
	sp := span{
		hi: mix(q.key), lo: mix(q.key + 1), id: f.span, parent: f.parent, start: f.arrived, end: s.engine.now,
		as: f.as, name: f.edge, workload: none, rule: f.cause, result: r, flags: f.flags,
	}
	if w.edge.id == f.edge {
		sp.workload, sp.tags = q.workload, q.tags
	}
	if q.message > 0 && f.parent == 0 {
		sp.link = q.link
	}
	t.scraped.served(&sp, t.identities[sp.as].resource, t.sampled(q))
	t.tell(q, sp)
}

// called tells of an attempt that has ended for its caller.
func (t *tap) called(d *edge, c *call, r result) {
	if c.caller == none || c.parentSpan == 0 {
		return // users emit nothing
	}
	s := t.sim
	q := s.requests.at(c.req)
	t.tell(q, span{
		hi: mix(q.key), lo: mix(q.key + 1), id: spanID(q.key, c.serial, 1), parent: c.parentSpan, start: c.sent, end: s.engine.now,
		as: c.as, name: int32(len(s.edges)) + d.id, workload: none, rule: none, result: r, attempt: c.attempt, cache: c.cache,
	})
}

// sampled reports whether the trace of a request is in the sample, whatever
// becomes of it.
func (t *tap) sampled(q *request) bool {
	return t.spec.Sampling == 1 || unit(drawBits(q.key, forSampling, 0, 0)) < t.spec.Sampling
}

// tell keeps a span, or holds it until it is known whether its trace is kept.
func (t *tap) tell(q *request, sp span) {
	sampled := t.sampled(q)
	if sampled || !t.spec.KeepErrors && t.spec.KeepSlow == 0 {
		if sampled {
			t.keep(sp)
		} else {
			t.count.Unkept++
		}
		return
	}
	if sp.parent == 0 && (t.spec.KeepSlow > 0 && sp.end-sp.start > Time(t.spec.KeepSlow)) {
		q.keep = true
	}
	if t.spec.KeepErrors && sp.result != resultOK {
		q.keep = true
	}
	i := t.held.get()
	sp.next = q.spans - 1
	*t.held.at(i) = sp
	q.spans = i + 1
}

// decide is told that no more spans of a request will come.
func (t *tap) decide(q *request) {
	for i := q.spans - 1; i >= 0; {
		sp := *t.held.at(i)
		t.held.put(i)
		if q.keep {
			t.keep(sp)
		} else {
			t.count.Unkept++
		}
		i = sp.next
	}
	q.spans = 0
}

// keep passes a span through what may lose or delay it.
func (t *tap) keep(sp span) {
	u := unit(mix(sp.id ^ 0x6c6f7373))
	switch {
	case u < t.spec.Loss:
		t.count.Lost++
	case u < t.spec.Loss+t.spec.Late:
		t.late = append(t.late, lateSpan{t.sim.engine.now + Time(t.spec.LateBy), sp})
	default:
		t.export(sp)
	}
}
