package duckdb

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// Observations implements store.Store.
func (s *Store) Observations(ctx context.Context, w telemetry.Window) iter.Seq2[store.Observation, error] {
	return inPages(ctx, s, "observations", "observation_pages", w, func(part run) ([]store.Observation, error) {
		s.conditions.mu.RLock()
		defer s.conditions.mu.RUnlock()
		var list []store.Observation
		err := s.each(ctx, "observations_in_window", func(row scanner) error {
			o, err := s.conditions.scanObservation(row)
			list = append(list, o)
			return err
		}, part.first, part.last)
		return list, err
	})
}

// scanObservation is called with the dictionary locked for reading.
func (d *dictionary) scanObservation(row scanner) (store.Observation, error) {
	var o store.Observation
	var trace, span, outcome string
	var duration int64
	var conditions any
	err := row.Scan(&o.Time, &trace, &span, &o.Entry.Service, &o.Entry.Operation, &duration, &outcome, &o.Reason,
		&o.Weight, &conditions, &o.Gaps.MissingRoot, &o.Gaps.MissingParents, &o.Gaps.SkewedSpans,
		&o.Gaps.DroppedItems, &o.Gaps.Truncated)
	if err != nil {
		return o, err
	}
	o.Time, o.Duration = timeOf(o.Time), time.Duration(duration)
	if o.Request.Trace, err = telemetry.ParseTraceID(trace); err != nil {
		return o, err
	}
	if o.Request.Span, err = telemetry.ParseSpanID(span); err != nil {
		return o, err
	}
	if err := o.Outcome.UnmarshalText([]byte(outcome)); err != nil {
		return o, err
	}
	o.InForce, err = d.spellOut(conditions)
	if err != nil {
		return o, fmt.Errorf("observation %s: %w", o.Request, err)
	}
	return o, nil
}

// spellOut returns the conditions for a list of numbers as the driver gives it.
func (d *dictionary) spellOut(numbers any) ([]condition.Condition, error) {
	list, ok := numbers.([]any)
	if !ok {
		return nil, fmt.Errorf("conditions: got %T, want a list", numbers)
	}
	out := make([]condition.Condition, len(list))
	for i, x := range list {
		id, ok := x.(uint32)
		if !ok {
			return nil, fmt.Errorf("conditions: got %T, want a number", x)
		}
		if out[i], ok = d.byID[id]; !ok {
			return nil, fmt.Errorf("condition %d is not in the table conditions", id)
		}
	}
	slices.SortFunc(out, condition.Compare)
	return slices.Compact(out), nil
}
