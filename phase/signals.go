package phase

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"example.test/eddy/attr"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
)

// scope names this package to OpenTelemetry.
const scope = "example.test/eddy/phase"

// signals emits what this package does. Metrics never carry a subject or an
// epoch, of which there is no end.
type signals struct {
	interactions metric.Int64Counter
	expired      metric.Int64Counter
	rejected     metric.Int64Counter
	propagation  metric.Float64Histogram
	logger       log.Logger
}

func newSignals(c Config) (*signals, error) {
	meter := c.MeterProvider.Meter(scope)
	s := &signals{logger: c.LoggerProvider.Logger(scope)}
	var err error
	counter := func(name, unit, description string) metric.Int64Counter {
		k, fault := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		if fault != nil && err == nil {
			err = fault
		}
		return k
	}
	s.interactions = counter(attr.MetricPhaseInteractions, "{interaction}", "Actions that arrived at a subject, by what was in force and what was believed.")
	s.expired = counter(attr.MetricPhaseExpired, "{belief}", "Beliefs that ended because they were not confirmed in time.")
	s.rejected = counter(attr.MetricFenceRejected, "{write}", "Writes that a resource refused because their token was stale.")
	var fault error
	s.propagation, fault = meter.Float64Histogram(attr.MetricPhasePropagation, metric.WithUnit("s"), metric.WithDescription("From the commit of a phase to when a consumer believed it, by the clocks of both."))
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, fmt.Errorf("phase metrics: %w", err)
	}
	return s, nil
}

// interaction counts one action that arrived, and puts it on the server's span.
func (s *signals) interaction(ctx context.Context, c *contract.Contract, action string, b *Belief, actual View, v Verdict) {
	s.annotate(ctx, c, action, b, actual, v)
	believed, role := "?", "unknown"
	if b != nil {
		if _, ok := c.Consumer(b.Role); ok { // what a stranger sends must not make series
			role = b.Role
		}
		if _, ok := c.Phase(b.Phase); ok {
			believed = string(b.Phase)
		}
	}
	if _, ok := c.Actions[action]; !ok {
		action = "unknown"
	}
	s.interactions.Add(ctx, 1, metric.WithAttributes(
		attribute.String(attr.PhaseContract, c.ID()), attribute.String(attr.PhaseRole, role), attribute.String(attr.PhaseAction, action),
		attribute.String(attr.PhaseActual, string(actual.Phase)), attribute.String(attr.PhaseBelieved, believed),
		attribute.Bool(attr.PhaseLate, late(c, action, b, actual, v)), attribute.String(attr.PhaseVerdict, string(v))))
}

// late reports whether the verdict would have been another when the actual phase
// had just begun, so that a reader of the counter can tell it from the labels.
func late(c *contract.Contract, action string, b *Belief, actual View, v Verdict) bool {
	if b == nil {
		return actual.Age > c.Propagation.Bound
	}
	return v != c.Judge(contract.Interaction{Role: b.Role, Action: action, Actual: actual.Phase, Believed: b.Phase, Known: b.Phase != ""})
}

// annotate puts an interaction on the server's span.
func (s *signals) annotate(ctx context.Context, c *contract.Contract, action string, b *Belief, actual View, v Verdict) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	source := "none"
	if b != nil {
		source = "header"
		span.SetAttributes(attribute.String(attr.PhaseRole, b.Role),
			attribute.String(attr.PhaseBelieved, string(b.Phase)), attribute.Int64(attr.PhaseBelievedEpoch, int64(b.Epoch)), attribute.Int64(attr.PhaseBelievedAge, b.Age.Milliseconds()))
	}
	span.SetAttributes(
		attribute.String(attr.PhaseContract, c.ID()), attribute.String(attr.PhaseSubject, actual.Key), attribute.String(attr.PhaseAction, action),
		attribute.String(attr.PhaseActual, string(actual.Phase)), attribute.Int64(attr.PhaseActualEpoch, int64(actual.Epoch)), attribute.Int64(attr.PhaseActualSince, actual.Age.Milliseconds()),
		attribute.String(attr.PhaseBelievedSource, source), attribute.String(attr.PhaseVerdict, string(v)))
}

// believes puts what the caller believes on the client's span.
func (s *signals) believes(ctx context.Context, c *contract.Contract, role, action string, v View) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String(attr.PhaseContract, c.ID()), attribute.String(attr.PhaseSubject, v.Key), attribute.String(attr.PhaseRole, role), attribute.String(attr.PhaseAction, action),
		attribute.String(attr.PhaseBelieved, string(v.Phase)), attribute.Int64(attr.PhaseBelievedEpoch, int64(v.Epoch)), attribute.Int64(attr.PhaseBelievedAge, v.Age.Milliseconds()),
		attribute.String(attr.PhaseBelievedSource, "channel"), attribute.Bool(attr.PhasePanic, v.Panic))
}

// enforced tells that a phase is in force.
func (s *signals) enforced(ctx context.Context, c *contract.Contract, v View, cause protocol.Cause) {
	s.emit(ctx, attr.EventPhaseEnforced, c, v, attribute.String(attr.PhaseCause, string(cause)))
}

// observed tells that a consumer has begun to believe in a phase, and how long
// that took. Consumers are named as they are to the mediator, whose events tell of
// their acknowledgements.
func (s *signals) observed(ctx context.Context, c *contract.Contract, role, consumer string, v View, took time.Duration) {
	s.propagation.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String(attr.PhaseContract, c.ID()), attribute.String(attr.PhaseRole, role)))
	s.emit(ctx, attr.EventPhaseObserved, c, v, attribute.String(attr.PhaseRole, role), attribute.String(attr.ConsumerID, consumer))
}

// ended tells that a belief has ended.
func (s *signals) ended(ctx context.Context, c *contract.Contract, role, consumer string, v View) {
	s.expired.Add(ctx, 1, metric.WithAttributes(attribute.String(attr.PhaseRole, role)))
	s.emit(ctx, attr.EventPhaseExpired, c, v, attribute.String(attr.PhaseRole, role), attribute.String(attr.ConsumerID, consumer))
}

// stale counts a write that a resource refused.
func (s *signals) stale(ctx context.Context) { s.rejected.Add(ctx, 1) }

// emit writes an event about a subject. Its contract is named with its version, as on
// spans and by the mediator.
func (s *signals) emit(ctx context.Context, name string, c *contract.Contract, v View, more ...attribute.KeyValue) {
	var r log.Record
	r.SetEventName(name)
	r.SetTimestamp(time.Now())
	r.SetSeverity(log.SeverityInfo)
	r.AddAttributes(
		attribute.String(attr.PhaseContract, c.ID()), attribute.String(attr.PhaseSubject, v.Key), attribute.String(attr.PhaseName, string(v.Last)),
		attribute.Int64(attr.PhaseEpoch, int64(v.Epoch)))
	r.AddAttributes(more...)
	s.logger.Emit(ctx, r)
}
