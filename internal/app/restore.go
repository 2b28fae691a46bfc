package app

import (
	"context"
	"fmt"
	"iter"
	"time"

	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/telemetry"
)

// restore takes up what an earlier process left in the store. What only the
// journal holds comes out of ingest.Server.Receive before anything else.
func (a *App) restore(ctx context.Context) error {
	now := time.Now()
	memory, err := a.remember(ctx, now)
	if err == nil {
		err = a.pipeline.Restore(now, memory)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// remember reads what the pipeline needs to go on. Observations and spans are
// many, so they are read when it asks for them.
func (a *App) remember(ctx context.Context, now time.Time) (pipeline.Memory, error) {
	var m pipeline.Memory
	var err error
	// Late telemetry and clocks that are ahead lie a little after now.
	window := telemetry.Window{Start: now.Add(-a.pipeline.Window()), End: now.Add(24 * time.Hour)}
	if m.Changes, err = a.store.InForce(ctx, window.Start); err != nil {
		return m, err
	}
	for c, err := range a.store.Changes(ctx, window) {
		if err != nil {
			return m, err
		}
		m.Changes = append(m.Changes, c)
	}
	// The oldest bucket of the window began before it.
	if m.Totals, err = a.store.Totals(ctx, telemetry.Window{Start: window.Start.Add(-10 * time.Second), End: window.End}); err != nil {
		return m, err
	}
	m.Observations = func(yield func(pipeline.Remembered, error) bool) {
		for o, err := range a.store.Observations(ctx, window) {
			if !yield(pipeline.Remembered{Observation: o.Observation, InForce: o.InForce}, err) {
				return
			}
		}
	}
	m.Spans = func(from time.Time) iter.Seq2[*telemetry.Span, error] {
		return a.store.Spans(ctx, telemetry.Window{Start: from, End: window.End})
	}
	m.Incidents, err = a.store.Incidents(ctx, telemetry.Window{})
	return m, err
}
