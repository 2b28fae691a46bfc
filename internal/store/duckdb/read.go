package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// pageRows is how many rows an iterator reads at a time. The driver holds the
// whole answer to a query in memory, so an iterator asks for a window in parts.
const pageRows = 8192

// Position implements store.Store.
func (s *Store) Position(ctx context.Context) (uint64, error) {
	var value string // database/sql has no unsigned 64 bits
	if err := s.one(ctx, "position", nil, &value); err != nil {
		return 0, s.wrap(err, "journal position")
	}
	position, err := strconv.ParseUint(value, 10, 64)
	return position, s.wrap(err, "journal position")
}

// pages cuts w where sql/name.sql says and returns the parts, at least one.
func (s *Store) pages(ctx context.Context, name string, w telemetry.Window) ([]run, error) {
	first, end := nanos(w.Start), nanos(w.End)
	var parts []run
	err := s.each(ctx, name, func(row scanner) error {
		var cut time.Time
		if err := row.Scan(&cut); err != nil {
			return err
		}
		if c := cut.UnixNano(); c > first {
			parts = append(parts, run{first, c})
			first = c
		}
		return nil
	}, first, end, pageRows)
	return append(parts, run{first, end}), err
}

// inPages yields what read returns for each part of w. No connection is held
// while the consumer works, so consumers may ask other questions meanwhile.
func inPages[V any](ctx context.Context, s *Store, what, cuts string, w telemetry.Window,
	read func(part run) ([]V, error),
) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		var none V
		parts, err := s.pages(ctx, cuts, w)
		if err != nil {
			yield(none, s.wrap(err, "%s", what))
			return
		}
		for _, part := range parts {
			list, err := read(part)
			if err != nil {
				yield(none, s.wrap(err, "%s", what))
				return
			}
			for _, v := range list {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Totals implements store.Store.
func (s *Store) Totals(ctx context.Context, w telemetry.Window, entries ...request.Entry) ([]pipeline.Total, error) {
	name, args := "totals_in_window", []any{bucketFrom(w.Start), bucketFrom(w.End)}
	if len(entries) > 0 {
		services, operations := make([]string, len(entries)), make([]string, len(entries))
		for i, e := range entries {
			services[i], operations[i] = text(e.Service), text(e.Operation)
		}
		name, args = "totals_of_entries", append(args, services, operations)
	}
	var list []pipeline.Total
	err := s.each(ctx, name, func(row scanner) error {
		var t pipeline.Total
		if err := row.Scan(&t.Bucket, &t.Entry.Service, &t.Entry.Operation, &t.Requests, &t.Failed, &t.Slow); err != nil {
			return err
		}
		list = append(list, t)
		return nil
	}, args...)
	return list, s.wrap(err, "totals")
}

// bucketFrom returns the first whole second at or after t.
func bucketFrom(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Change, error] {
	return inPages(ctx, s, "changes", "change_pages", w, func(part run) ([]*telemetry.Change, error) {
		return s.changes(ctx, "changes_in_window", part.first, part.last)
	})
}

// InForce implements store.Store.
func (s *Store) InForce(ctx context.Context, at time.Time) ([]*telemetry.Change, error) {
	list, err := s.changes(ctx, "changes_in_force", nanos(at))
	return list, s.wrap(err, "changes in force")
}

func (s *Store) changes(ctx context.Context, name string, args ...any) ([]*telemetry.Change, error) {
	var list []*telemetry.Change
	err := s.each(ctx, name, func(row scanner) error {
		var c telemetry.Change
		if err := row.Scan(&c.Time, &c.ID, &c.Kind, &c.Entity, &c.Instance, &c.Dimension, &c.Value,
			&c.Previous, &c.Ends, &c.Origin, &c.Source, &c.Actor, &c.Summary, &c.URL); err != nil {
			return err
		}
		c.Time = timeOf(c.Time)
		list = append(list, &c)
		return nil
	}, args...)
	return list, err
}

// Incidents implements store.Store.
func (s *Store) Incidents(ctx context.Context, w telemetry.Window) ([]incident.Incident, error) {
	name, args := "incidents_in_window", []any{nanos(w.Start), nanos(w.End)}
	if w.Start.IsZero() && w.End.IsZero() {
		name, args = "incidents", nil
	}
	var list []incident.Incident
	err := s.each(ctx, name, func(row scanner) error {
		var document string
		if err := row.Scan(&document); err != nil {
			return err
		}
		in, err := parseIncident(document)
		list = append(list, in)
		return err
	}, args...)
	if err != nil {
		return nil, s.wrap(err, "incidents")
	}
	return list, nil
}

// Incident implements store.Store.
func (s *Store) Incident(ctx context.Context, id incident.ID) (incident.Incident, error) {
	var document string
	err := s.one(ctx, "incident", []any{text(string(id))}, &document)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return incident.Incident{}, s.wrap(err, "incident %s", id)
	}
	in, err := parseIncident(document)
	return in, s.wrap(err, "incident %s", id)
}

func parseIncident(document string) (incident.Incident, error) {
	var in incident.Incident
	if err := json.Unmarshal([]byte(document), &in); err != nil {
		return incident.Incident{}, fmt.Errorf("document: %w", err)
	}
	return in, nil
}

// Counts implements store.Store.
func (s *Store) Counts(ctx context.Context) (map[string]int64, error) {
	counts := make(map[string]int64)
	err := s.each(ctx, "counts", func(row scanner) error {
		var table string
		var n int64
		err := row.Scan(&table, &n)
		counts[table] = n
		return err
	})
	return counts, s.wrap(err, "counts")
}
