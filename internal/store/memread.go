package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// Observations implements Store.
func (m *Mem) Observations(ctx context.Context, w telemetry.Window) iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(Observation{}, err)
			return
		}
		list := m.observations.matching(func(o Observation) bool { return w.Contains(o.Time) })
		m.mu.Unlock()
		slices.SortFunc(list, func(a, b Observation) int {
			return cmp.Or(a.Time.Compare(b.Time),
				slices.Compare(a.Request.Trace[:], b.Request.Trace[:]),
				slices.Compare(a.Request.Span[:], b.Request.Span[:]))
		})
		yieldAll(ctx, list, func(o Observation, err error) bool {
			o.InForce = slices.Clone(o.InForce)
			return yield(o, err)
		})
	}
}

// yieldAll yields list until the consumer has enough or ctx ends.
func yieldAll[V any](ctx context.Context, list []V, yield func(V, error) bool) {
	for _, v := range list {
		if err := ctx.Err(); err != nil {
			var none V
			yield(none, err)
			return
		}
		if !yield(v, nil) {
			return
		}
	}
}

// Totals implements Store.
func (m *Mem) Totals(ctx context.Context, w telemetry.Window, entries ...request.Entry) ([]pipeline.Total, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := m.totals.matching(func(t pipeline.Total) bool {
		return w.Contains(time.Unix(t.Bucket, 0)) && (len(entries) == 0 || slices.Contains(entries, t.Entry))
	})
	slices.SortFunc(list, func(a, b pipeline.Total) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket),
			strings.Compare(a.Entry.Service, b.Entry.Service),
			strings.Compare(a.Entry.Operation, b.Entry.Operation))
	})
	return list, nil
}

// Changes implements Store.
func (m *Mem) Changes(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Change, error] {
	return func(yield func(*telemetry.Change, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		list := m.changes.matching(func(c *telemetry.Change) bool { return w.Contains(c.Time) })
		m.mu.Unlock()
		slices.SortStableFunc(list, func(a, b *telemetry.Change) int { return a.Time.Compare(b.Time) })
		yieldAll(ctx, list, yield)
	}
}

// InForce implements Store.
func (m *Mem) InForce(ctx context.Context, at time.Time) ([]*telemetry.Change, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []*telemetry.Change
	for _, c := range lastChanges(m.changes.values(), &at) {
		if !c.Ends {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *telemetry.Change) int {
		return cmp.Or(strings.Compare(a.Entity, b.Entity),
			strings.Compare(a.Dimension, b.Dimension), strings.Compare(a.Instance, b.Instance))
	})
	return list, nil
}

func keyOf(c *telemetry.Change) stateKey { return stateKey{c.Entity, c.Dimension, c.Instance} }

// lastChanges returns the last change of each state, at or before at unless
// that is nil.
func lastChanges(list []*telemetry.Change, at *time.Time) map[stateKey]*telemetry.Change {
	last := make(map[stateKey]*telemetry.Change)
	for _, c := range list {
		if at != nil && c.Time.After(*at) {
			continue
		}
		if p := last[keyOf(c)]; p == nil || !c.Time.Before(p.Time) {
			last[keyOf(c)] = c
		}
	}
	return last
}

// Spans implements Store.
func (m *Mem) Spans(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Span, error] {
	return func(yield func(*telemetry.Span, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		list := m.spans.matching(func(s *telemetry.Span) bool { return w.Contains(s.Start) })
		m.mu.Unlock()
		slices.SortFunc(list, compareSpans)
		yieldAll(ctx, list, yield)
	}
}

func compareSpans(a, b *telemetry.Span) int {
	return cmp.Or(a.Start.Compare(b.Start), slices.Compare(a.Trace[:], b.Trace[:]), slices.Compare(a.ID[:], b.ID[:]))
}

// Trace implements Store.
func (m *Mem) Trace(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Span, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := m.spans.matching(func(s *telemetry.Span) bool { return s.Trace == id })
	if len(list) == 0 {
		return nil, fmt.Errorf("trace %s: %w", id, ErrNotFound)
	}
	slices.SortFunc(list, compareSpans)
	return list, nil
}

// Logs implements Store.
func (m *Mem) Logs(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Log, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := m.logs.matching(func(l *telemetry.Log) bool { return l.Trace == id })
	slices.SortStableFunc(list, func(a, b *telemetry.Log) int { return a.Time.Compare(b.Time) })
	return list, nil
}

// Incidents implements Store.
func (m *Mem) Incidents(ctx context.Context, w telemetry.Window) ([]incident.Incident, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	all := w.Start.IsZero() && w.End.IsZero()
	list := m.incidents.matching(func(in memIncident) bool { return all || w.Contains(in.updated) })
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b memIncident) int {
		return cmp.Or(b.updated.Compare(a.updated), cmp.Compare(b.id, a.id))
	})
	out := make([]incident.Incident, len(list))
	for i, in := range list {
		var err error
		if out[i], err = in.decode(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Incident implements Store.
func (m *Mem) Incident(ctx context.Context, id incident.ID) (incident.Incident, error) {
	if err := m.enter(ctx); err != nil {
		return incident.Incident{}, err
	}
	in, ok := m.incidents.get(id)
	m.mu.Unlock()
	if !ok {
		return incident.Incident{}, fmt.Errorf("incident %s: %w", id, ErrNotFound)
	}
	return in.decode()
}

// Counts implements Store.
func (m *Mem) Counts(ctx context.Context) (map[string]int64, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	findings := 0
	for _, f := range m.findings.values() {
		findings += f.count
	}
	return map[string]int64{
		"spans":        int64(len(m.spans.rows)),
		"logs":         int64(len(m.logs.rows)),
		"changes":      int64(len(m.changes.rows)),
		"observations": int64(len(m.observations.rows)),
		"totals":       int64(len(m.totals.rows)),
		"incidents":    int64(len(m.incidents.rows)),
		"findings":     int64(findings),
	}, nil
}
