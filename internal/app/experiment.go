package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
)

// record gives an incident the result of an experiment and tells the pages.
func (a *App) record(ctx context.Context, id incident.ID, e incident.Experiment) (incident.Incident, error) {
	e.Time = time.Now()
	k, err := a.pipeline.Record(ctx, id, e)
	if errors.Is(err, incident.ErrUnknown) {
		k, err = a.recordOld(ctx, id, e)
	}
	if err != nil {
		return k, err
	}
	a.log.InfoContext(ctx, "experiment recorded", "incident_id", id, "status", k.Status, "by", e.By)
	a.web.PublishIncident(k)
	return k, nil
}

// recordOld does so for an incident that the pipeline has forgotten, as it does
// with those that were closed long ago: nobody else changes it.
func (a *App) recordOld(ctx context.Context, id incident.ID, e incident.Experiment) (incident.Incident, error) {
	k, err := a.store.Incident(ctx, id)
	if err != nil {
		return k, err
	}
	k, fresh, err := k.With(e)
	if err != nil {
		return k, fmt.Errorf("incident %s: %w", id, err)
	}
	if fresh {
		err = a.store.Save(ctx, pipeline.Result{Incidents: []incident.Incident{k}})
	}
	return k, err
}
