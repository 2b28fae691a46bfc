package web

import (
	"context"
	"iter"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// Records is what the pages and the API ask; store.Store satisfies it. Errors
// that are store.ErrNotFound become 404.
type Records interface {
	Incidents
	Traces
	History
}

// Incidents answers what went wrong.
type Incidents interface {
	// Incidents returns the incidents updated in w, newest first; a zero window
	// means all.
	Incidents(ctx context.Context, w telemetry.Window) ([]incident.Incident, error)
	// Incident returns one incident, or store.ErrNotFound.
	Incident(ctx context.Context, id incident.ID) (incident.Incident, error)
}

// Traces answers what one trace did.
type Traces interface {
	// Trace returns spans by start time, or store.ErrNotFound if there are none.
	Trace(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Span, error)
	// Logs returns log records by time.
	Logs(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Log, error)
}

// History answers what was in force, and how requests fared.
type History interface {
	// Observations yields those of w, oldest first.
	Observations(ctx context.Context, w telemetry.Window) iter.Seq2[store.Observation, error]
	// Totals returns exact counts by bucket and entry; with entries, only theirs.
	Totals(ctx context.Context, w telemetry.Window, entries ...request.Entry) ([]pipeline.Total, error)
	// Changes yields those of w, oldest first.
	Changes(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Change, error]
	// InForce returns the change that set each state in force at the time.
	InForce(ctx context.Context, at time.Time) ([]*telemetry.Change, error)
}

// Coverage is how much of what the analysis needs the services send.
type Coverage struct {
	Services []ServiceCoverage `json:"services"`
	// Missing says in sentences what to send to learn more.
	Missing []string `json:"missing"`
}

// ServiceCoverage is how complete one service's telemetry is.
type ServiceCoverage struct {
	Service string `json:"service"`
	// Figures are shares of the service's spans, logs or requests.
	Figures []Figure `json:"figures"`
}

// A Figure is a share: "versions", 412 of 500.
type Figure struct {
	Name string `json:"name"`
	Part int    `json:"part"`
	Of   int    `json:"of"` // 0 means that nothing was there to have it
}
