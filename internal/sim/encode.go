package sim

import (
	"strconv"

	"example.test/eddy/attr"
)

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
	t.byRes = t.byRes[:0]
	for range t.resources {
		t.byRes = append(t.byRes, none)
	}
	t.next = t.next[:0]
	for range t.spans {
		t.next = append(t.next, none)
	}
	for i := len(t.spans) - 1; i >= 0; i-- {
		r := t.identities[t.spans[i].as].resource
		t.next[i] = t.byRes[r]
		t.byRes[r] = int32(i)
	}
	e := t.enc
	e.reset()
	e.open(0, "")
	e.list("resourceSpans")
	for i := range t.now {
		for r := int32(i); r != none; r = t.resources[r].next {
			t.encodeSpans(r)
		}
	}
	e.endList()
	e.close()
	t.count.Spans += len(t.spans)
	t.spans = t.spans[:0]
	t.send(Traces)
}

// encodeSpans writes those of one resource in a batch, if there are any.
func (t *tap) encodeSpans(resource int32) {
	if t.byRes[resource] == none {
		return
	}
	t.openResource(resource, "scopeSpans", "spans")
	for i := t.byRes[resource]; i != none; i = t.next[i] {
		t.encodeSpan(&t.spans[i])
	}
	t.closeResource()
}

// openResource begins the part of a request that one resource sends.
func (t *tap) openResource(resource int32, scopes, records string) {
	t.openScope(t.encoded(resource), scopes, records)
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
	e.fixed(7, "startTimeUnixNano", t.at(sp.start, sp.as))
	e.fixed(8, "endTimeUnixNano", t.at(sp.end, sp.as))
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
	thrown := sp.result == resultRule && sp.rule != none
	if sp.flags&flagsEvaluated == 0 && !thrown {
		return
	}
	e := t.enc
	e.list("events")
	if sp.flags&flagsEvaluated != 0 {
		flags := t.identities[sp.as].flags
		for i := range flags {
			g := &flags[i]
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
	e.fixed(1, "timeUnixNano", t.at(sp.end, sp.as))
	e.text(2, "name", name)
	e.list("attributes")
	attributes(e, 3, list)
	e.endList()
	e.close()
}
