package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
)

// Save implements store.Store.
func (s *Store) Save(ctx context.Context, r pipeline.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fresh []numbered
	err := s.write(ctx, func(t transaction) error {
		if err := t.saveObservations(ctx, r, &s.conditions, &fresh); err != nil {
			return err
		}
		if err := t.saveTotals(ctx, r.Totals); err != nil {
			return err
		}
		if err := t.addChanges(ctx, r.Changes); err != nil {
			return err
		}
		if err := t.saveFindings(ctx, r); err != nil {
			return err
		}
		return t.saveIncidents(ctx, r.Incidents)
	})
	if err != nil {
		s.conditions.forget(fresh)
	}
	return s.wrap(err, "save step")
}

// lastOf returns the positions of the last of each key, ascending.
func lastOf[V any, K comparable](list []V, key func(V) K) []int {
	at := make(map[K]int, len(list))
	for i, v := range list {
		at[key(v)] = i
	}
	return slices.Sorted(maps.Values(at))
}

func (t transaction) saveObservations(ctx context.Context, r pipeline.Result, d *dictionary, fresh *[]numbered) error {
	if len(r.Observations) == 0 {
		return nil
	}
	times := make([]int64, 0, len(r.Observations))
	err := t.stage(ctx, "observations", func(add addRow) error {
		var conditions []byte
		for _, i := range lastOf(r.Observations, func(o condition.Observation) request.ID { return o.Request }) {
			o := &r.Observations[i]
			var err error
			if conditions, err = d.translate(conditions[:0], r.Dictionary, o.Conditions, fresh); err != nil {
				return fmt.Errorf("observation %s: %w", o.Request, err)
			}
			times = append(times, nanos(o.Time))
			err = add(nanos(o.Time), o.Request.Trace.String(), o.Request.Span.String(),
				text(o.Entry.Service), text(o.Entry.Operation), int64(o.Duration),
				o.Outcome.String(), text(o.Reason), o.Weight, conditions,
				o.Gaps.MissingRoot, o.Gaps.MissingParents, o.Gaps.SkewedSpans, o.Gaps.DroppedItems, o.Gaps.Truncated)
			if err != nil {
				return fmt.Errorf("observation %s: %w", o.Request, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.addConditions(ctx, *fresh); err != nil {
		return err
	}
	// A late span can move the start of a request, but not by more than an hour.
	for _, r := range runsOf(times, time.Hour) {
		if err := t.exec(ctx, "drop_stored_observations", r.first, r.last); err != nil {
			return err
		}
	}
	return t.exec(ctx, "insert_observations")
}

func (t transaction) addConditions(ctx context.Context, fresh []numbered) error {
	if len(fresh) == 0 {
		return nil
	}
	err := t.stage(ctx, "conditions", func(add addRow) error {
		for _, n := range fresh {
			if err := add(n.id, n.Entity, n.Dimension, n.Value); err != nil {
				return fmt.Errorf("condition %s: %w", n.Condition, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(ctx, "insert_conditions")
}

func (t transaction) saveTotals(ctx context.Context, totals []pipeline.Total) error {
	if len(totals) == 0 {
		return nil
	}
	type key struct {
		bucket int64
		entry  request.Entry
	}
	first, last := totals[0].Bucket, totals[0].Bucket
	err := t.stage(ctx, "totals", func(add addRow) error {
		for _, i := range lastOf(totals, func(x pipeline.Total) key { return key{x.Bucket, x.Entry} }) {
			x := totals[i]
			first, last = min(first, x.Bucket), max(last, x.Bucket)
			if err := add(x.Bucket, text(x.Entry.Service), text(x.Entry.Operation), x.Requests, x.Failed, x.Slow); err != nil {
				return fmt.Errorf("total of %s: %w", x.Entry, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "drop_stored_totals", first, last); err != nil {
		return err
	}
	return t.exec(ctx, "insert_totals")
}

func (t transaction) saveFindings(ctx context.Context, r pipeline.Result) error {
	start, end := nanos(r.Window.Start), nanos(r.Window.End)
	for _, outcome := range slices.Sorted(maps.Keys(r.Findings)) {
		if err := t.exec(ctx, "drop_stored_findings", start, end, outcome.String()); err != nil {
			return err
		}
		list := r.Findings[outcome].Findings
		if len(list) == 0 {
			continue
		}
		err := t.stage(ctx, "findings", func(add addRow) error {
			for _, f := range list {
				if err := addFinding(add, outcome, f); err != nil {
					return fmt.Errorf("finding %d of %s: %w", f.Rank, outcome, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := t.exec(ctx, "insert_findings", start, end); err != nil {
			return err
		}
	}
	return nil
}

func addFinding(add addRow, outcome request.Outcome, f interaction.Finding) error {
	document, err := json.Marshal(f)
	if err != nil {
		return err
	}
	names := make([]string, len(f.Conditions))
	for i, c := range f.Conditions {
		names[i] = c.String()
	}
	conditions, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return add(outcome.String(), f.Rank, text(string(f.Verdict)), text(f.Grade), conditions,
		f.Coverage, f.Excess, f.Difference, f.P, document)
}

func (t transaction) saveIncidents(ctx context.Context, list []incident.Incident) error {
	if len(list) == 0 {
		return nil
	}
	err := t.stage(ctx, "incidents", func(add addRow) error {
		for _, i := range lastOf(list, func(in incident.Incident) incident.ID { return in.ID }) {
			in := &list[i]
			document, err := json.Marshal(in)
			if err != nil {
				return fmt.Errorf("incident %s: %w", in.ID, err)
			}
			err = add(text(string(in.ID)), string(in.State), text(in.Title), in.Outcome.String(),
				nanos(in.Opened), nanos(in.Began), nanos(in.Updated), nanos(in.Closed), nanos(in.LastFailure),
				in.Failures, in.Requests, document)
			if err != nil {
				return fmt.Errorf("incident %s: %w", in.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "drop_stored_incidents"); err != nil {
		return err
	}
	return t.exec(ctx, "insert_incidents")
}
