// Package store is what a backend must do, and one that does it in memory.
package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// ErrNotFound says that nothing is kept under the id that was asked for.
var ErrNotFound = errors.New("not found")

// A Store keeps telemetry and what was concluded from it, and answers
// questions about both. Callers own what they are given. All methods are safe
// for concurrent use.
type Store interface {
	// Append stores spans, logs and changes in one transaction, together with
	// the journal position up to which all telemetry is now stored. A change
	// whose ID is already stored is left out. Metric points are not kept: what
	// they say is kept as derived changes.
	Append(ctx context.Context, b telemetry.Batch, position uint64) error
	// Position is the highest position that was given to Append, 0 at first.
	Position(ctx context.Context) (uint64, error)
	// Save stores a step in one transaction: its observations, totals, changes,
	// and the incidents it touched. An observation or total that is already
	// stored is replaced, so saving a step twice is the same as once. It does
	// not keep r or what it points to.
	Save(ctx context.Context, r pipeline.Result) error

	// Observations yields the observations whose requests started in w, oldest
	// first.
	Observations(ctx context.Context, w telemetry.Window) iter.Seq2[Observation, error]
	// Totals returns the totals of the buckets that begin in w, by bucket, then
	// by entry. With entries, only theirs.
	Totals(ctx context.Context, w telemetry.Window, entries ...request.Entry) ([]pipeline.Total, error)
	// Changes yields the changes with a time in w, oldest first.
	Changes(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Change, error]
	// InForce returns, for each entity, instance and dimension, the last change
	// at or before at, unless that one ended the state: what is in force.
	InForce(ctx context.Context, at time.Time) ([]*telemetry.Change, error)
	// Spans yields the spans that were appended with a start in w, oldest first.
	Spans(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Span, error]
	// Trace returns the spans of a trace by start time, each once, and
	// ErrNotFound if there are none.
	Trace(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Span, error)
	// Logs returns the log records of a trace by time; none is no error.
	Logs(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Log, error)
	// Incidents returns the incidents that were updated in w, newest first. A
	// zero window means all.
	Incidents(ctx context.Context, w telemetry.Window) ([]incident.Incident, error)
	// Incident returns one incident, or ErrNotFound.
	Incident(ctx context.Context, id incident.ID) (incident.Incident, error)

	// Counts returns how many rows each table holds; spans are counted once
	// however often they were sent.
	Counts(ctx context.Context) (map[string]int64, error)
	// Retain deletes what is older than its retention at now and returns how
	// many rows went, by table. Changes that are still in force, and incidents
	// that are not resolved, stay however old they are.
	Retain(ctx context.Context, keep Retention, now time.Time) (map[string]int64, error)
	// Close ends the store. Methods that are called afterwards return an error.
	Close() error
}

// An Observation is one as it is stored: with its conditions written out,
// since numbers mean something only to the dictionary that gave them.
type Observation struct {
	condition.Observation // its Conditions are nil
	InForce               []condition.Condition
}

// Retention says how long each kind of record is kept. Zero keeps it for ever.
type Retention struct {
	Spans        time.Duration // default 24 h
	Logs         time.Duration // default 24 h
	Observations time.Duration // default 14 days
	Totals       time.Duration // default 180 days
	Changes      time.Duration // default 400 days
	Incidents    time.Duration // default 400 days
}

// DefaultRetention is what the fields of Retention call default.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{
		Spans: day, Logs: day, Observations: 14 * day, Totals: 180 * day,
		Changes: 400 * day, Incidents: 400 * day,
	}
}
