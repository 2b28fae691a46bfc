package app

import (
	"context"
	"fmt"
	"time"

	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/telemetry"
)

// restore takes up what an earlier process left in the store. What only the
// journal holds comes out of ingest.Server.Receive before anything else.
func (a *App) restore(ctx context.Context) error {
	now := time.Now()
	memory, err := a.remember(ctx, now)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	a.pipeline.Restore(now, memory)
	return nil
}

// remember reads what the pipeline needs to go on.
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
	if m.Totals, err = a.store.Totals(ctx, window); err != nil {
		return m, err
	}
	for o, err := range a.store.Observations(ctx, window) {
		if err != nil {
			return m, err
		}
		m.Observations = append(m.Observations, pipeline.Remembered{Observation: o.Observation, InForce: o.InForce})
	}
	recent := telemetry.Window{Start: now.Add(-a.pipeline.Open()), End: window.End}
	for s, err := range a.store.Spans(ctx, recent) {
		if err != nil {
			return m, err
		}
		m.Spans = append(m.Spans, s)
	}
	m.Incidents, err = a.store.Incidents(ctx, telemetry.Window{})
	return m, err
}
