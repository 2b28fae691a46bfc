package sim

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"example.test/eddy/attr"
)

// Kinds of spans, as OTLP numbers them.
const (
	spanServer   = 2
	spanClient   = 3
	spanProducer = 4
	spanConsumer = 5
)

// A resource is who emits: an instance of a service.
type resource struct {
	encoded []byte // its attributes, in the sink's format
	version string // that they name
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
	resource int32
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

// describe encodes what does not change: resources, names and static attributes.
func (t *tap) describe() {
	s := t.sim
	t.resources = make([]resource, len(s.stations))
	t.byRes = make([]int32, len(s.stations))
	// Servers first, by the edge over which they are reached; then clients.
	for _, d := range s.edges {
		t.names = append(t.names, t.serverName(d))
	}
	for _, d := range s.edges {
		t.names = append(t.names, t.clientName(d))
	}
	for i := range t.names {
		n := &t.names[i]
		t.side.reset()
		t.side.text(5, "name", n.name)
		t.side.enum(6, "kind", n.kind)
		n.head = bytes.Clone(t.side.bytes())
	}
}

// encode returns attributes as they stand in a list, to be repeated.
func (t *tap) encode(num int, list []attribute) []byte {
	t.side.reset()
	attributes(t.side, num, list)
	return bytes.Clone(t.side.bytes())
}

// refresh encodes the resource of an instance anew if its version has changed.
func (t *tap) refresh(st *station) *resource {
	r := &t.resources[st.id]
	v := st.owner.(*service)
	spec := &v.specs[st.instance]
	if r.encoded != nil && r.version == spec.Version {
		return r
	}
	r.version = spec.Version
	list := []attribute{
		{key: attr.ServiceName, text: spec.ID},
		{key: attr.ServiceInstanceID, text: instanceName(spec.ID, st.instance)},
		{key: attr.DeploymentEnvironmentName, text: t.spec.Environment},
	}
	if spec.Version != "" {
		list = append(list, attribute{key: attr.ServiceVersion, text: spec.Version})
	}
	r.encoded = t.encode(1, list)
	return r
}

func instanceName(service string, instance int) string { return service + "-" + strconv.Itoa(instance) }

// operation splits "POST /checkout" into method and route. A name without a
// method is a route.
func operation(op, service string) (method, route string) {
	if op == "" {
		return "POST", "/" + service
	}
	if m, r, ok := strings.Cut(op, " "); ok && strings.ToUpper(m) == m {
		return m, r
	}
	return "POST", "/" + strings.TrimPrefix(op, "/")
}

func (s *Sim) operationOf(d *edge) (method, route string) {
	for _, w := range s.workloads {
		if w.edge == d {
			return operation(w.base.Op, d.to)
		}
	}
	for _, v := range s.services {
		if v.id == d.callee {
			return operation(v.base.Op, d.to)
		}
	}
	return operation("", d.to)
}

func (t *tap) serverName(d *edge) spanName {
	method, route := t.sim.operationOf(d)
	v, _ := t.sim.nodes[d.callee].(*service)
	if from, ok := t.sim.byName[d.from]; ok {
		if st, ok := t.sim.nodes[from].(*stream); ok {
			return spanName{name: "process " + d.from, kind: spanConsumer, service: v, static: messaging(st, "process")}
		}
	}
	return spanName{
		name: method + " " + route, kind: spanServer, service: v, http: true,
		static: []attribute{
			{key: attr.HTTPRequestMethod, text: method}, {key: attr.HTTPRoute, text: route}, {key: attr.URLScheme, text: "http"},
		},
	}
}

func (t *tap) clientName(d *edge) spanName {
	switch callee := t.sim.nodes[d.callee].(type) {
	case *store:
		return spanName{name: "query " + d.to, kind: spanClient, static: []attribute{
			{key: attr.DBSystemName, text: cmp.Or(callee.base.System, "other_sql")},
			{key: attr.DBNamespace, text: d.to},
			{key: attr.ServerAddress, text: d.to},
		}}
	case *cache:
		return spanName{name: "GET " + d.to, kind: spanClient, static: []attribute{
			{key: attr.DBSystemName, text: "redis"},
			{key: attr.DBNamespace, text: d.to},
			{key: attr.DBOperationName, text: "GET"},
			{key: attr.ServerAddress, text: d.to},
		}}
	}
	if st, ok := t.sim.nodes[d.callee].(*stream); ok {
		return spanName{name: "send " + d.to, kind: spanProducer, static: messaging(st, "send")}
	}
	method, route := t.sim.operationOf(d)
	return spanName{name: method + " " + route, kind: spanClient, http: true, static: []attribute{
		{key: attr.HTTPRequestMethod, text: method},
		{key: attr.URLTemplate, text: route},
		{key: attr.ServerAddress, text: d.to},
		{key: attr.ServicePeerName, text: d.to},
	}}
}

func messaging(v *stream, operation string) []attribute {
	return []attribute{
		{key: attr.MessagingSystem, text: cmp.Or(v.base.System, "kafka")},
		{key: attr.MessagingDestinationName, text: v.base.ID},
		{key: attr.MessagingOperationType, text: operation},
		{key: attr.MessagingOperationName, text: operation},
	}
}

// served tells of a frame that leaves an instance of a service.
func (t *tap) served(f *frame, r result) {
	s := t.sim
	q := s.requests.at(f.req)
	w := s.workloads[q.workload]
	sp := span{
		hi: mix(q.key), lo: mix(q.key + 1), id: f.span, parent: f.parent, start: f.arrived, end: s.engine.now,
		resource: f.station, name: f.edge, workload: none, rule: f.cause, result: r, flags: f.flags,
	}
	if w.edge.id == f.edge {
		sp.workload, sp.tags = q.workload, q.tags
	}
	if q.message > 0 && f.parent == 0 {
		sp.link = q.link
	}
	t.scraped.served(f.station, sp.end-sp.start, len(s.stations))
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
		resource: c.caller, name: int32(len(s.edges)) + d.id, workload: none, rule: none, result: r, attempt: c.attempt, cache: c.cache,
	})
}

// tell keeps a span, or holds it until it is known whether its trace is kept.
func (t *tap) tell(q *request, sp span) {
	sampled := unit(drawBits(q.key, forSampling, 0, 0)) < t.spec.Sampling
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

// batchSpans is how many spans a request holds at most.
const batchSpans = 1024

func (t *tap) export(sp span) {
	if t.taken++; t.spec.Queue > 0 && t.taken > t.spec.Queue {
		t.count.Overflow++
		return
	}
	if sp.result == resultRule && sp.rule != none {
		t.thrown(&sp)
	}
	t.spans = append(t.spans, sp)
	if len(t.spans) >= batchSpans {
		t.sendSpans()
	}
}

// sendSpans sends a batch, grouped by resource.
func (t *tap) sendSpans() {
	if len(t.spans) == 0 {
		return
	}
	for i := range t.byRes {
		t.byRes[i] = none
	}
	t.next = t.next[:0]
	for range t.spans {
		t.next = append(t.next, none)
	}
	for i := len(t.spans) - 1; i >= 0; i-- {
		r := t.spans[i].resource
		t.next[i] = t.byRes[r]
		t.byRes[r] = int32(i)
	}
	e := t.enc
	e.reset()
	e.open(0, "")
	e.list("resourceSpans")
	for r, first := range t.byRes {
		if first == none {
			continue
		}
		t.openResource(int32(r), "scopeSpans", "spans")
		for i := first; i != none; i = t.next[i] {
			t.encodeSpan(&t.spans[i])
		}
		t.closeResource()
	}
	e.endList()
	e.close()
	t.count.Spans += len(t.spans)
	t.spans = t.spans[:0]
	t.send(Traces)
}

// openResource begins the part of a request that one instance sends.
func (t *tap) openResource(station int32, scopes, records string) {
	t.openScope(t.refresh(t.sim.stations[station]).encoded, scopes, records)
}

func (t *tap) openScope(resource []byte, scopes, records string) {
	e := t.enc
	e.open(1, "")
	e.open(1, "resource")
	e.list("attributes")
	e.raw(resource)
	e.endList()
	e.close()
	e.list(scopes)
	e.open(2, "")
	e.open(1, "scope")
	e.text(1, "name", "eddy.sim")
	e.close()
	e.list(records)
}

func (t *tap) closeResource() {
	e := t.enc
	e.endList()
	e.close()
	e.endList()
	e.close()
}

func (t *tap) encodeSpan(sp *span) {
	e := t.enc
	n := &t.names[sp.name]
	e.open(2, "")
	e.id(1, "traceId", sp.hi, sp.lo)
	e.id(2, "spanId", 0, sp.id)
	if sp.parent != 0 {
		e.id(4, "parentSpanId", 0, sp.parent)
	}
	e.raw(n.head)
	e.fixed(7, "startTimeUnixNano", t.at(sp.start, sp.resource))
	e.fixed(8, "endTimeUnixNano", t.at(sp.end, sp.resource))
	e.list("attributes")
	e.raw(t.common(sp, n))
	if sp.attempt > 1 || sp.tags != 0 || sp.rule != none {
		attributes(e, 9, t.own(sp, n))
	}
	e.endList()
	t.encodeEvents(sp, n)
	if sp.link[0] != 0 {
		e.list("links")
		e.open(13, "")
		e.id(1, "traceId", sp.link[0], sp.link[1])
		e.id(2, "spanId", 0, sp.link[2])
		e.close()
		e.endList()
	}
	if sp.result != resultOK {
		e.open(15, "status")
		e.enum(3, "code", 2)
		e.close()
	}
	e.close()
}

// common returns the attributes that all spans of a name, a result and what a
// cache said have in common.
func (t *tap) common(sp *span, n *spanName) []byte {
	encoded := &n.encoded[sp.result][sp.cache]
	if *encoded != nil {
		return *encoded
	}
	list := append([]attribute(nil), n.static...)
	if code := statusOf(sp.result); n.http && code > 0 {
		list = append(list, attribute{key: attr.HTTPResponseStatusCode, number: code})
	}
	if sp.result != resultOK && sp.result != resultRule {
		list = append(list, attribute{key: attr.ErrorType, text: t.errorOf(sp)})
	}
	if text := [...]string{"", "hit", "stale", "miss"}[sp.cache]; text != "" {
		list = append(list, attribute{key: "cache.result", text: text})
	}
	*encoded = t.encode(9, list)
	return *encoded
}

// own returns the attributes that one span has for itself.
func (t *tap) own(sp *span, n *spanName) []attribute {
	list := t.dynamic[:0]
	if sp.attempt > 1 && n.http {
		list = append(list, attribute{key: attr.HTTPRequestResendCount, number: int64(sp.attempt - 1)})
	}
	if sp.result == resultRule {
		list = append(list, attribute{key: attr.ErrorType, text: t.errorOf(sp)})
	}
	if sp.tags != 0 {
		for i, a := range t.sim.workloads[sp.workload].base.Attributes {
			if sp.tags&(1<<i) != 0 {
				list = append(list, attribute{key: a.Key, text: a.Value})
			}
		}
	}
	t.dynamic = list
	return list
}

// statusOf is the HTTP status of a result, or 0 if there was no answer.
func statusOf(r result) int64 {
	switch r {
	case resultOK:
		return 200
	case resultError, resultRule:
		return 500
	case resultUpstream:
		return 502
	case resultRefused:
		return 503
	case resultCancelled:
		return 499
	default:
		return 0
	}
}

// errorOf is the error.type of a span.
func (t *tap) errorOf(sp *span) string {
	switch sp.result {
	case resultRule:
		if sp.rule != none {
			return t.sim.model.Rules[sp.rule].Error
		}
		return "500"
	case resultTimeout:
		return "timeout"
	case resultUnreachable:
		return "connection_refused"
	case resultShed:
		return "rejected"
	case resultCancelled:
		return "cancelled"
	default:
		return strconv.FormatInt(statusOf(sp.result), 10)
	}
}

// encodeEvents tells of the flags that a server evaluated, and of an exception.
func (t *tap) encodeEvents(sp *span, n *spanName) {
	if n.service == nil {
		return
	}
	spec := &n.service.specs[t.sim.stations[sp.resource].instance]
	thrown := sp.result == resultRule && sp.rule != none
	if sp.flags&flagsEvaluated == 0 && !thrown {
		return
	}
	e := t.enc
	e.list("events")
	if sp.flags&flagsEvaluated != 0 {
		for i := range spec.Flags {
			g := &spec.Flags[i]
			variant := g.Default
			if sp.flags&(1<<i) != 0 {
				variant = g.Variant
			}
			t.event(sp, attr.EventFeatureFlag, attribute{key: attr.FeatureFlagKey, text: g.Key},
				attribute{key: attr.FeatureFlagVariant, text: variant})
		}
	}
	if thrown {
		t.event(sp, attr.EventException, attribute{key: attr.ExceptionType, text: t.sim.model.Rules[sp.rule].Error})
	}
	e.endList()
}

func (t *tap) event(sp *span, name string, list ...attribute) {
	e := t.enc
	e.open(11, "")
	e.fixed(1, "timeUnixNano", t.at(sp.end, sp.resource))
	e.text(2, "name", name)
	e.list("attributes")
	attributes(e, 3, list)
	e.endList()
	e.close()
}
