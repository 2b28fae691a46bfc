package ingest

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/telemetry"
)

// Estimated memory of what has a fixed size.
const (
	spanBytes  = 256
	eventBytes = 72
	linkBytes  = 56
	logBytes   = 160
	pointBytes = 144
)

// traces checks the spans of a request and returns them. Spans without valid
// ids or with a time that is not believed are removed from td.
func (w *walk) traces(td ptrace.Traces) []*telemetry.Span {
	out := make([]*telemetry.Span, 0, td.SpanCount())
	for i := range td.ResourceSpans().Len() {
		rs := td.ResourceSpans().At(i)
		resource := w.resource(rs.Resource())
		rs.SetSchemaUrl("")
		for j := range rs.ScopeSpans().Len() {
			ss := rs.ScopeSpans().At(j)
			w.scope(ss.Scope())
			ss.SetSchemaUrl("")
			ss.Spans().RemoveIf(func(s ptrace.Span) bool {
				span, why, ok := w.span(s)
				if !ok {
					w.rejected[why]++
					return true
				}
				span.Resource = resource
				out = append(out, span)
				return false
			})
		}
	}
	return out
}

// span checks one span. It reports false, and why, if it must be rejected.
func (w *walk) span(s ptrace.Span) (*telemetry.Span, reason, bool) {
	if s.TraceID().IsEmpty() || s.SpanID().IsEmpty() {
		return nil, badID, false
	}
	start, end := uint64(s.StartTimestamp()), uint64(s.EndTimestamp())
	if end < w.min {
		end = start // a span that was never ended
		s.SetEndTimestamp(pcommon.Timestamp(end))
	}
	if !w.believed(start) || !w.believed(end) {
		return nil, badTime, false
	}
	w.saw(start)
	w.saw(end)
	w.bytes += spanBytes
	span := &telemetry.Span{
		Trace: telemetry.TraceID(s.TraceID()), ID: telemetry.SpanID(s.SpanID()), Parent: telemetry.SpanID(s.ParentSpanID()),
		Name: w.text(w.b.spanNames, s.Name(), w.b.bounds.ValueBytes), Kind: spanKind(s.Kind()),
		Start: fromNano(start), End: fromNano(end),
		Status: spanStatus(s.Status().Code()),
	}
	if span.Name != s.Name() {
		s.SetName(span.Name)
	}
	if raw := s.Status().Message(); raw != "" {
		span.Message = w.text(w.b.messages, raw, w.b.bounds.ValueBytes)
		if span.Message != raw {
			s.Status().SetMessage(span.Message)
		}
	}
	if s.TraceState().AsRaw() != "" {
		s.TraceState().FromRaw("") // not part of telemetry, so not journaled
	}
	var dropped uint32
	span.Attributes, dropped = w.attributes(s.Attributes())
	s.SetDroppedAttributesCount(s.DroppedAttributesCount() + dropped)
	w.events(span, s, start)
	w.links(span, s)
	span.Dropped = s.DroppedAttributesCount() + s.DroppedEventsCount() + s.DroppedLinksCount()
	return span, 0, true
}

func (w *walk) events(span *telemetry.Span, s ptrace.Span, start uint64) {
	n := s.Events().Len()
	if n == 0 {
		return
	}
	span.Events = make([]telemetry.Event, 0, min(n, w.b.bounds.Events))
	s.Events().RemoveIf(func(e ptrace.SpanEvent) bool {
		if len(span.Events) == w.b.bounds.Events {
			w.parts[partEvent]++
			s.SetDroppedEventsCount(s.DroppedEventsCount() + 1)
			return true
		}
		if !w.believed(uint64(e.Timestamp())) {
			e.SetTimestamp(pcommon.Timestamp(start))
		}
		name := w.text(w.b.eventNames, e.Name(), w.b.bounds.ValueBytes)
		if name != e.Name() {
			e.SetName(name)
		}
		attributes, dropped := w.attributes(e.Attributes())
		s.SetDroppedAttributesCount(s.DroppedAttributesCount() + dropped)
		w.bytes += eventBytes
		span.Events = append(span.Events, telemetry.Event{Time: fromNano(uint64(e.Timestamp())), Name: name, Attributes: attributes})
		return false
	})
}

func (w *walk) links(span *telemetry.Span, s ptrace.Span) {
	n := s.Links().Len()
	if n == 0 {
		return
	}
	span.Links = make([]telemetry.Link, 0, min(n, w.b.bounds.Links))
	s.Links().RemoveIf(func(l ptrace.SpanLink) bool {
		if len(span.Links) == w.b.bounds.Links || l.TraceID().IsEmpty() {
			w.parts[partLink]++
			s.SetDroppedLinksCount(s.DroppedLinksCount() + 1)
			return true
		}
		if l.TraceState().AsRaw() != "" {
			l.TraceState().FromRaw("")
		}
		attributes, dropped := w.attributes(l.Attributes())
		s.SetDroppedAttributesCount(s.DroppedAttributesCount() + dropped)
		w.bytes += linkBytes
		span.Links = append(span.Links, telemetry.Link{
			Trace: telemetry.TraceID(l.TraceID()), Span: telemetry.SpanID(l.SpanID()), Attributes: attributes,
		})
		return false
	})
}

// kind maps numbers that OTLP does not define to unspecified.
func spanKind(k ptrace.SpanKind) telemetry.Kind {
	if k < 0 || k > ptrace.SpanKindConsumer {
		return telemetry.KindUnspecified
	}
	return telemetry.Kind(k)
}

func spanStatus(c ptrace.StatusCode) telemetry.Status {
	switch c {
	case ptrace.StatusCodeOk:
		return telemetry.StatusOK
	case ptrace.StatusCodeError:
		return telemetry.StatusError
	case ptrace.StatusCodeUnset:
	}
	return telemetry.StatusUnset
}
