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

// ErrClosed is what the methods of a store return after Close.
var ErrClosed = errors.New("store is closed")

// A Store keeps telemetry and what was concluded from it, and answers
// questions about both. Callers own what they are given, except spans, logs and
// changes: nobody may change those. All methods are safe for concurrent use.
//
// Times are kept to the nanosecond from 1678 to 2261, and so is the zero time;
// one outside may be moved to the nearer end. Text that is not UTF-8 may come
// back with U+FFFD for what was not. A nil list and an empty one are the same.
//
// The iterators can be used once and end at the first error. What is stored
// while one runs may be missing from it; nothing comes twice.
type Store interface {
	// Append stores spans, logs and changes in one transaction, together with
	// the journal position up to which all telemetry is now stored. A span is
	// left out if one with the same trace, ID and start is already stored, so
	// that a client may send again what it does not know to have arrived. So is
	// a change whose ID is already stored. Log records have nothing to know
	// them by and are all kept. Metric points are not kept: what they say is
	// kept as derived changes.
	Append(ctx context.Context, b telemetry.Batch, position uint64) error
	// Position is the highest position that was given to Append, 0 at first.
	Position(ctx context.Context) (uint64, error)
	// Save stores a step in one transaction: its observations, totals, changes
	// and findings, and the incidents it touched. What is already stored is
	// replaced, so that saving a step twice is the same as once: an observation
	// by its request, a total by its bucket and entry, an incident by its ID,
	// the findings of an outcome by the window. A total therefore says how many
	// requests of its bucket there were in all, not how many came since the last
	// step. Two observations of one request must start within an hour of each
	// other. Save does not keep r or what it points to.
	Save(ctx context.Context, r pipeline.Result) error

	// Observations yields the observations whose requests started in w, oldest
	// first, those of one time by request.
	Observations(ctx context.Context, w telemetry.Window) iter.Seq2[Observation, error]
	// Totals returns the totals of the buckets that begin in w, by bucket, then
	// by service and operation. With entries, only theirs.
	Totals(ctx context.Context, w telemetry.Window, entries ...request.Entry) ([]pipeline.Total, error)
	// Changes yields the changes with a time in w, oldest first, those of one
	// time as they came.
	Changes(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Change, error]
	// InForce returns, for each entity, instance and dimension, the last change
	// at or before at, unless that one ended the state: what is in force, by
	// entity, dimension and instance. Of two changes of one time the one that
	// came later holds.
	InForce(ctx context.Context, at time.Time) ([]*telemetry.Change, error)
	// Spans yields the spans that were appended with a start in w, oldest first,
	// those of one time by trace and ID.
	Spans(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Span, error]
	// Trace returns the spans of a trace by start time and ID, and ErrNotFound
	// if there are none.
	Trace(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Span, error)
	// Logs returns the log records of a trace by time, those of one time as they
	// came; none is no error.
	Logs(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Log, error)
	// Incidents returns the incidents that were updated in w, the last updated
	// first, those of one time by descending ID. A zero window means all.
	Incidents(ctx context.Context, w telemetry.Window) ([]incident.Incident, error)
	// Incident returns one incident, or ErrNotFound.
	Incident(ctx context.Context, id incident.ID) (incident.Incident, error)

	// Counts returns how many rows each of the tables spans, logs, changes,
	// observations, totals, incidents and findings holds.
	Counts(ctx context.Context) (map[string]int64, error)
	// Retain deletes what is older than its retention at now and returns how
	// many rows went, for the tables that Counts names: spans and findings by
	// when they, or their windows, begin, incidents by their last update, the
	// others by their time. Changes that are still in force at now, and
	// incidents that are not resolved, stay however old they are. Spans, logs,
	// observations and findings go too when they are as far ahead of now, so
	// that a clock that is wrong does not keep them for ever. It gives way to
	// other calls between small transactions; when it fails, what it returns is
	// what went.
	Retain(ctx context.Context, keep Retention, now time.Time) (map[string]int64, error)
	// Close ends the store. Methods that are called afterwards return an error.
	Close() error
}

// An Observation is one as it is stored: with its conditions written out,
// since numbers mean something only to the dictionary that gave them.
type Observation struct {
	condition.Observation                       // its Conditions are nil
	InForce               []condition.Condition // ordered by condition.Compare, each once
}

// Retention says how long each kind of record is kept. Zero keeps it for ever.
type Retention struct {
	Spans        time.Duration `yaml:"spans"`        // default 24 h
	Logs         time.Duration `yaml:"logs"`         // default 24 h
	Observations time.Duration `yaml:"observations"` // default 14 days; findings are kept as long
	Totals       time.Duration `yaml:"totals"`       // default 180 days
	Changes      time.Duration `yaml:"changes"`      // default 400 days
	Incidents    time.Duration `yaml:"incidents"`    // default 400 days
}

// DefaultRetention is what the fields of Retention call default.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{
		Spans: day, Logs: day, Observations: 14 * day, Totals: 180 * day,
		Changes: 400 * day, Incidents: 400 * day,
	}
}
