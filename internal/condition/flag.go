package condition

import (
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// An evaluation is what a flag was for one piece of work.
type evaluation struct {
	service, flag, value string
	span                 telemetry.SpanID
	at                   time.Time // when it came
}

// dimension is what a flag's state is called; changes of flags use it too.
func (e evaluation) dimension() string { return FlagDimension(e.flag) }

// FlagDimension is the dimension of a flag's state: "flag rounding".
func FlagDimension(flag string) string { return "flag " + flag }

// evaluationOf reads an evaluation from the attributes of a span, a span event
// or a log record. The variant goes before the value, since it is a name that
// somebody chose to tell values apart.
func evaluationOf(attributes telemetry.Attributes) (evaluation, bool) {
	var e evaluation
	var variant, value string
	for _, a := range attributes {
		switch attr.Current(a.Key) {
		case attr.FeatureFlagKey:
			e.flag = a.Value
		case attr.FeatureFlagVariant:
			variant = a.Value
		case attr.FeatureFlagValue:
			value = a.Value
		}
	}
	if e.value = variant; variant == "" {
		e.value = value
	}
	return e, e.flag != "" && e.value != ""
}

// isEvaluation reports whether a log record is the event that a flag was
// evaluated. Before OTLP had a field for it, the name was an attribute.
func isEvaluation(l *telemetry.Log) bool {
	if l == nil || l.Resource == nil {
		return false
	}
	if l.EventName != "" {
		return attr.IsFlagEvent(l.EventName)
	}
	v, ok := l.Attributes.Get(attr.EventName)
	return ok && attr.IsFlagEvent(v)
}

// evaluations wait for the requests of their traces. The oldest are dropped
// when there are more than the limit, and when they have waited too long.
type evaluations struct {
	byTrace map[telemetry.TraceID][]evaluation
	queue   []telemetry.TraceID // of each evaluation, in order of arrival
	limit   int
	wait    time.Duration
}

func newEvaluations(limit int, wait time.Duration) evaluations {
	return evaluations{byTrace: make(map[telemetry.TraceID][]evaluation), limit: limit, wait: wait}
}

func (e *evaluations) of(trace telemetry.TraceID) []evaluation {
	if len(e.byTrace) == 0 {
		return nil
	}
	return e.byTrace[trace]
}

// add reports whether another evaluation had to go.
func (e *evaluations) add(trace telemetry.TraceID, x evaluation) (lost bool) {
	if len(e.queue) >= e.limit {
		e.drop()
		lost = true
	}
	e.byTrace[trace] = append(e.byTrace[trace], x)
	e.queue = append(e.queue, trace)
	return lost
}

// drop removes the evaluation that came first.
func (e *evaluations) drop() {
	trace := e.queue[0]
	e.queue = e.queue[1:]
	if rest := e.byTrace[trace][1:]; len(rest) > 0 {
		e.byTrace[trace] = rest
	} else {
		delete(e.byTrace, trace)
	}
}

func (e *evaluations) forget(now time.Time) {
	for len(e.queue) > 0 && now.Sub(e.byTrace[e.queue[0]][0].at) > e.wait {
		e.drop()
	}
}
