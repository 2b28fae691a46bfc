package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"example.test/eddy/internal/store"
)

// retainRows is how many rows Retain deletes in one transaction.
const retainRows = 100_000

// sweepConditions is how many conditions there must be before Retain looks for
// those that no observation refers to any more: it must read all observations
// to know.
const sweepConditions = 100_000

// Retain implements store.Store.
func (s *Store) Retain(ctx context.Context, keep store.Retention, now time.Time) (map[string]int64, error) {
	gone := make(map[string]int64)
	var errs []error
	for _, r := range []struct {
		table string
		kept  time.Duration
		do    func(ctx context.Context, table string, before, now time.Time) (int64, error)
	}{
		{"spans", keep.Spans, s.retainInParts},
		{"logs", keep.Logs, s.retainInParts},
		{"observations", keep.Observations, s.retainInParts},
		{"totals", keep.Totals, s.retainTotals},
		{"changes", keep.Changes, s.retainChanges},
		{"findings", keep.Observations, s.retainInParts},
		{"incidents", keep.Incidents, s.retainAtOnce},
	} {
		gone[r.table] = 0
		if r.kept <= 0 {
			continue
		}
		n, err := r.do(ctx, r.table, now.Add(-r.kept), now)
		gone[r.table] = n
		if err != nil {
			errs = append(errs, s.wrap(err, "retain %s", r.table))
		}
	}
	if err := s.tidy(ctx, gone); err != nil {
		errs = append(errs, s.wrap(err, "retain"))
	}
	return gone, errors.Join(errs...)
}

// retainInParts deletes the oldest rows first, retainRows at a time.
// Each part also takes what is as far ahead of now: a clock that is wrong must
// not keep rows for ever.
func (s *Store) retainInParts(ctx context.Context, table string, before, now time.Time) (int64, error) {
	var gone int64
	ahead := nanos(now.Add(now.Sub(before)))
	for {
		cut := nanos(before)
		var t time.Time
		err := s.one(ctx, "retain_"+table+"_part", []any{cut, retainRows}, &t)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return gone, err
		default:
			cut = t.UnixNano() + 1
		}
		n, deleteErr := s.delete(ctx, "retain_"+table, cut, ahead)
		gone += n
		if err != nil || deleteErr != nil { // the last part, or none
			return gone, deleteErr
		}
	}
}

func (s *Store) retainAtOnce(ctx context.Context, table string, before, _ time.Time) (int64, error) {
	return s.delete(ctx, "retain_"+table, nanos(before))
}

func (s *Store) retainTotals(ctx context.Context, table string, before, _ time.Time) (int64, error) {
	return s.delete(ctx, "retain_"+table, bucketFrom(before))
}

func (s *Store) retainChanges(ctx context.Context, table string, before, now time.Time) (int64, error) {
	return s.delete(ctx, "retain_"+table, nanos(before), nanos(now))
}

// delete runs sql/name.sql in a transaction and returns how many rows went.
func (s *Store) delete(ctx context.Context, name string, args ...any) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deleteLocked(ctx, name, args...)
}

// deleteLocked is delete for a caller that holds s.mu.
func (s *Store) deleteLocked(ctx context.Context, name string, args ...any) (int64, error) {
	var n int64
	err := s.write(ctx, func(t transaction) error {
		result, err := t.conn.ExecContext(ctx, query(name), args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	s.stored.forget() // what was deleted may come again
	if err != nil {
		return 0, err
	}
	return n, nil
}

// tidy deletes what only deleted rows referred to, and gives the space of
// deleted rows back to the file.
func (s *Store) tidy(ctx context.Context, gone map[string]int64) error {
	if gone["spans"]+gone["logs"] > 0 {
		if err := s.sweepResources(ctx); err != nil {
			return err
		}
	}
	if gone["observations"] > 0 {
		if err := s.sweepConditions(ctx); err != nil {
			return err
		}
	}
	for _, n := range gone {
		if n > 0 {
			return s.checkpoint(ctx)
		}
	}
	return nil
}

func (s *Store) sweepResources(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.deleteLocked(ctx, "sweep_resources")
	clear(s.resources)
	return err
}

func (s *Store) sweepConditions(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.conditions
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.byID) < sweepConditions {
		return nil
	}
	if _, err := s.deleteLocked(ctx, "sweep_conditions"); err != nil {
		return err
	}
	return d.load(ctx, s.writer)
}

// checkpoint moves the log into the tables. DuckDB refuses while other
// transactions run; then the next checkpoint does it.
func (s *Store) checkpoint(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	err := transaction{s.writer}.exec(ctx, "checkpoint")
	if err != nil && strings.Contains(err.Error(), "other") && strings.Contains(err.Error(), "transactions active") {
		return nil
	}
	return err
}
