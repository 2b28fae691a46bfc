package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// Severities of logs, as OTLP numbers them.
const (
	severityInfo  = 9
	severityError = 17
)

// A logRecord is one log record.
type logRecord struct {
	at         Time
	as         int32 // the identity of whose it is, or none if it is of whoever made a change
	severity   int
	event      string
	body       string
	attributes []attribute
	hi, lo, id uint64 // trace and span, if it has any
}

// log tells of something that is no span.
func (t *tap) log(r logRecord) { t.logs = append(t.logs, r) }

// sendLogs sends what was logged.
func (t *tap) sendLogs() {
	if len(t.logs) == 0 {
		return
	}
	e := t.enc
	e.reset()
	e.open(0, "")
	e.list("resourceLogs")
	for i := range t.logs {
		r := &t.logs[i]
		if r.as == none {
			t.openScope(t.encode(1, []attribute{{key: attr.ServiceName, text: "change-feed"}}), "scopeLogs", "logRecords")
		} else {
			t.openResource(t.identities[r.as].resource, "scopeLogs", "logRecords")
		}
		t.encodeLog(r)
		t.closeResource()
	}
	e.endList()
	e.close()
	t.count.Logs += len(t.logs)
	t.logs = t.logs[:0]
	t.send(Logs)
}

func (t *tap) encodeLog(r *logRecord) {
	e := t.enc
	e.open(2, "")
	e.fixed(1, "timeUnixNano", t.at(r.at, r.as))
	e.enum(2, "severityNumber", r.severity)
	e.open(5, "body")
	e.text(1, "stringValue", r.body)
	e.close()
	e.list("attributes")
	attributes(e, 6, r.attributes)
	e.endList()
	if r.lo != 0 {
		e.id(9, "traceId", r.hi, r.lo)
		e.id(10, "spanId", 0, r.id)
	}
	e.fixed(11, "observedTimeUnixNano", t.at(r.at, r.as))
	if r.event != "" {
		e.text(12, "eventName", r.event)
	}
	e.close()
}

// lifecycle tells that an instance has come or gone, as an orchestrator does.
func (t *tap) lifecycle(st *station, up bool) {
	if _, ok := st.owner.(*service); !ok {
		return
	}
	body := "instance stopped"
	if up {
		body = "instance started"
	}
	t.log(logRecord{at: t.sim.engine.now, as: t.now[st.id], severity: severityInfo, body: body})
}

// listed tells that an instance of a service takes requests now, or takes none,
// as a watch of a cluster's endpoints does.
func (t *tap) listed(st *station) {
	v, ok := st.owner.(*service)
	if !ok {
		return
	}
	value, before := telemetry.EndpointReady, telemetry.EndpointNotReady
	if !st.listed {
		value, before = before, value
	}
	instance := instanceName(v.base.ID, st.instance)
	t.log(logRecord{
		at: t.sim.engine.now, as: none, severity: severityInfo, event: attr.EventChange, body: instance + " is " + value,
		attributes: []attribute{
			{key: attr.ChangeID, text: t.changeID("endpoint " + instance)},
			{key: attr.ChangeKind, text: string(telemetry.ChangePhase)},
			{key: attr.ChangeEntity, text: v.base.ID},
			{key: attr.ChangeInstance, text: instance},
			{key: attr.ChangeDimension, text: telemetry.DimensionEndpoint + v.base.ID},
			{key: attr.ChangeValue, text: value},
			{key: attr.ChangePrevious, text: before},
			{key: attr.ChangeSource, text: "kubernetes"},
		},
	})
}

// changeID returns the id of a change to what is named that happens now. It says
// nothing about it.
func (t *tap) changeID(what string) string {
	return strconv.FormatUint(mix(hashText(mix(t.sim.seed), what)^uint64(t.sim.engine.now)), 16)
}

// scaled tells that an autoscaler wants another number of instances.
func (t *tap) scaled(service string, from, to int) {
	t.log(logRecord{
		at: t.sim.engine.now, as: none, severity: severityInfo, event: attr.EventChange, body: "autoscaler",
		attributes: []attribute{
			{key: attr.ChangeID, text: t.changeID("replicas " + service)},
			{key: attr.ChangeKind, text: "scale"},
			{key: attr.ChangeEntity, text: service},
			{key: attr.ChangeDimension, text: "replicas"},
			{key: attr.ChangeValue, text: strconv.Itoa(to)},
			{key: attr.ChangePrevious, text: strconv.Itoa(from)},
			{key: attr.ChangeSource, text: "autoscaler"},
		},
	})
}

// thrown tells of an exception, beside the event in its span.
func (t *tap) thrown(sp *span) {
	t.log(logRecord{
		at: sp.end, as: sp.as, severity: severityError, body: t.errorOf(sp), hi: sp.hi, lo: sp.lo, id: sp.id,
		attributes: []attribute{{key: attr.ExceptionType, text: t.errorOf(sp)}},
	})
}

// changed tells of a condition that begins or ends, as the tool would that made
// the change, and as far as that tells anything.
func (t *tap) changed(k *condition, on bool) {
	kind := changeKind(&k.spec)
	if kind == "" || k.spec.Visibility == VisibleNone {
		return
	}
	c := t.sim.changeOf(&k.spec)
	at := t.sim.engine.now
	list := []attribute{
		{key: attr.ChangeID, text: t.changeID("condition " + k.spec.ID)},
		{key: attr.ChangeKind, text: kind},
		{key: attr.ChangeEntity, text: c.Entity},
		{key: attr.ChangeDimension, text: c.Dimension},
		{key: attr.ChangeSource, text: "eddy sim"},
	}
	value, before := c.Value, c.Previous
	if !on {
		value, before = before, value
	}
	if value == "" {
		list = append(list, attribute{key: attr.ChangeEnds, text: "true"})
	} else {
		list = append(list, attribute{key: attr.ChangeValue, text: value})
	}
	if before != "" {
		list = append(list, attribute{key: attr.ChangePrevious, text: before})
	}
	r := logRecord{at: at, as: none, severity: severityInfo, event: attr.EventChange, body: strings.TrimSpace(c.Entity + " " + c.Dimension), attributes: list}
	if k.spec.Visibility == VisibleLate && k.spec.Late > 0 {
		t.lateLogs = append(t.lateLogs, lateLog{at + Time(k.spec.Late), r})
		return
	}
	t.log(r)
}

// A lateLog is a record that arrives at a time.
type lateLog struct {
	due    Time
	record logRecord
}

// changeKind is how a change event calls a kind of condition, or "" for what no
// tool reports: load and faults just happen.
func changeKind(c *Condition) string {
	switch c.Kind {
	case KindDeploy, KindConfig, KindFlag, KindPolicy, KindScale, KindPhase:
		return string(c.Kind)
	case KindCron:
		return "schedule"
	case KindLease:
		return "phase"
	case KindDNS, KindTelemetry:
		return "config"
	case KindLoad, KindFault:
		if c.Change.Dimension != "" {
			return "config"
		}
	}
	return ""
}

// Told returns what the change event of a condition says, as telemetry has it;
// false if nothing tells of it.
func (s *Sim) Told(id string) (Change, bool) {
	for i := range s.model.Conditions {
		if c := &s.model.Conditions[i]; c.ID == id {
			return s.changeOf(c), changeKind(c) != "" && c.Visibility != VisibleNone
		}
	}
	return Change{}, false
}

// changeOf says what the event of a condition says.
func (s *Sim) changeOf(c *Condition) Change {
	out := c.Change
	if out.Entity == "" {
		out.Entity, _, _ = strings.Cut(c.Target, "->")
	}
	if c.Kind == KindCron {
		if out.Dimension == "" {
			out.Dimension, out.Value = c.ID, "running"
		}
		return out
	}
	if len(c.Apply) == 0 {
		return out
	}
	first := c.Apply[0]
	if out.Dimension == "" {
		out.Dimension = dimensionOf(first.Param)
		if out.Value == "" {
			out.Value = textOf(first.Value)
		}
	}
	if out.Previous == "" {
		out.Previous = s.previousOf(c, first.Param)
	}
	if out.Value == "" {
		out.Value = "on"
	}
	return out
}

// dimensionOf is what Eddy calls the state that a parameter sets.
func dimensionOf(param string) string {
	if key, ok := strings.CutPrefix(param, "flag."); ok {
		return "flag " + strings.TrimSuffix(key, ".share")
	}
	if param == "version" {
		return attr.ServiceVersion
	}
	return param
}

// previousOf is the value of a parameter that the condition replaces, where it is
// a version or a variant, or the condition says it.
func (s *Sim) previousOf(c *Condition, param string) string {
	for _, r := range c.Revert {
		if r.Param == param {
			return textOf(r.Value)
		}
	}
	for _, v := range s.services {
		if v.base.ID != c.Target {
			continue
		}
		if param == "version" {
			return v.base.Version
		}
		for _, f := range v.base.Flags {
			if param == "flag."+f.Key {
				return f.Default
			}
		}
	}
	return ""
}

func textOf(v any) string {
	if d, ok := v.(time.Duration); ok {
		return d.String()
	}
	return fmt.Sprint(v)
}
