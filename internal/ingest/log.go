package ingest

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// logs checks the log records of a request and returns them, and apart from
// them the changes that were sent as log events. Records with a time that is
// not believed, and changes that are not valid, are removed from ld.
func (w *walk) logs(ld plog.Logs) ([]*telemetry.Log, []*telemetry.Change) {
	out := make([]*telemetry.Log, 0, ld.LogRecordCount())
	var changes []*telemetry.Change
	for i := range ld.ResourceLogs().Len() {
		rl := ld.ResourceLogs().At(i)
		resource := w.resource(rl.Resource())
		rl.SetSchemaUrl("")
		for j := range rl.ScopeLogs().Len() {
			sl := rl.ScopeLogs().At(j)
			w.scope(sl.Scope())
			sl.SetSchemaUrl("")
			sl.LogRecords().RemoveIf(func(r plog.LogRecord) bool {
				l, ok := w.log(r)
				if !ok {
					w.rejected[badTime]++
					return true
				}
				l.Resource = resource
				if l.EventName != attr.EventChange {
					out = append(out, l)
					return false
				}
				c, err := changeFromLog(l)
				if err == nil {
					err = w.checkChange(c)
				}
				if err != nil {
					w.rejected[badChange]++
					return true
				}
				redactedAlso(r, c)
				changes = append(changes, c)
				return false
			})
		}
	}
	return out, changes
}

// redactedAlso removes from a record what was removed from the change in it
// because of the change's dimension, before the record is journaled.
func redactedAlso(r plog.LogRecord, c *telemetry.Change) {
	for name, text := range map[string]string{attr.ChangeValue: c.Value, attr.ChangePrevious: c.Previous} {
		if v, ok := r.Attributes().Get(name); ok && text == Redacted {
			v.SetStr(Redacted)
		}
	}
}

// log checks one record. A record without a time has the one at which it was
// observed, or else at which it arrived.
func (w *walk) log(r plog.LogRecord) (*telemetry.Log, bool) {
	at := uint64(r.Timestamp())
	if at == 0 {
		at = uint64(r.ObservedTimestamp())
	}
	if at == 0 {
		at = uint64(w.at.UnixNano())
	}
	if !w.believed(at) {
		return nil, false
	}
	r.SetTimestamp(pcommon.Timestamp(at))
	w.saw(at)
	w.bytes += logBytes
	l := &telemetry.Log{
		Time: fromNano(at), Trace: telemetry.TraceID(r.TraceID()), Span: telemetry.SpanID(r.SpanID()),
		Severity: severity(r.SeverityNumber()), Body: w.body(r.Body()),
	}
	if r.SeverityText() != "" {
		r.SetSeverityText("") // not part of telemetry, so not journaled
	}
	var dropped uint32
	l.Attributes, dropped = w.attributes(r.Attributes())
	r.SetDroppedAttributesCount(r.DroppedAttributesCount() + dropped)
	name := r.EventName()
	if name == "" {
		name = l.Attributes.First(attr.EventName) // before the field existed
	}
	if name != "" {
		l.EventName = w.text(w.b.eventNames, name, w.b.bounds.ValueBytes)
		if l.EventName != r.EventName() {
			r.SetEventName(l.EventName)
		}
	}
	return l, true
}

func (w *walk) body(v pcommon.Value) string {
	if v.Type() == pcommon.ValueTypeMap || v.Type() == pcommon.ValueTypeSlice || v.Type() == pcommon.ValueTypeBytes {
		return w.composite(v, w.b.bounds.BodyBytes)
	}
	s := v.AsString()
	clean := w.clean(s, w.b.bounds.BodyBytes)
	if clean != s {
		v.SetStr(clean)
	}
	w.bytes += int64(len(clean))
	return clean
}

func severity(n plog.SeverityNumber) int {
	if n < 0 || n > plog.SeverityNumberFatal4 {
		return 0
	}
	return int(n)
}
