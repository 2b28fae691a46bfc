package duckdb

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"

	duck "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// Spans implements store.Store.
func (s *Store) Spans(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Span, error] {
	return inPages(ctx, s, "spans", "span_pages", w, func(part run) ([]*telemetry.Span, error) {
		return s.spans(ctx, "spans_in_window", part.first, part.last)
	})
}

// Trace implements store.Store. It looks at the trace id of every stored span,
// which takes some 10 ms for a million of them.
func (s *Store) Trace(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Span, error) {
	list, err := s.spans(ctx, "spans_of_trace", id.String())
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	return list, s.wrap(err, "trace %s", id)
}

func (s *Store) spans(ctx context.Context, name string, args ...any) ([]*telemetry.Span, error) {
	var list []*telemetry.Span
	err := s.view(ctx, func(q querier) error {
		from := make(emitters)
		err := each(ctx, q, name, func(row scanner) error {
			x, resource, err := scanSpan(row)
			if err != nil {
				return err
			}
			x.Resource = from.of(resource)
			list = append(list, x)
			return nil
		}, args...)
		if err != nil {
			return err
		}
		return from.fill(ctx, q)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func scanSpan(row scanner) (x *telemetry.Span, resource string, err error) {
	x = new(telemetry.Span)
	var trace duck.UUID
	var id uint64
	var parent sql.Null[uint64]
	var kind, status, attributes string
	var message, events, links sql.NullString
	if err := row.Scan(&x.Start, &x.End, &trace, &id, &parent, &x.Name, &kind, &status, &message,
		&attributes, &events, &links, &x.Dropped, &resource); err != nil {
		return nil, "", err
	}
	x.Start, x.End = timeOf(x.Start), timeOf(x.End)
	x.Kind, x.Status = kindOf(kind), statusOf(status)
	x.Trace, x.Message = telemetry.TraceID(trace), message.String
	binary.BigEndian.PutUint64(x.ID[:], id)
	binary.BigEndian.PutUint64(x.Parent[:], parent.V)
	if x.Attributes, err = parseAttributes(attributes); err != nil {
		return nil, "", err
	}
	if events.Valid {
		if x.Events, err = parseEvents(events.String); err != nil {
			return nil, "", err
		}
	}
	if links.Valid {
		if x.Links, err = parseLinks(links.String); err != nil {
			return nil, "", err
		}
	}
	return x, resource, nil
}

func kindOf(s string) telemetry.Kind {
	for k := telemetry.KindUnspecified; k <= telemetry.KindConsumer; k++ {
		if k.String() == s {
			return k
		}
	}
	return telemetry.KindUnspecified
}

func statusOf(s string) telemetry.Status {
	for x := telemetry.StatusUnset; x <= telemetry.StatusError; x++ {
		if x.String() == s {
			return x
		}
	}
	return telemetry.StatusUnset
}

// Logs implements store.Store.
func (s *Store) Logs(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Log, error) {
	var list []*telemetry.Log
	err := s.view(ctx, func(q querier) error {
		from := make(emitters)
		err := each(ctx, q, "logs_of_trace", func(row scanner) error {
			l, resource, err := scanLog(row)
			if err != nil {
				return err
			}
			l.Resource = from.of(resource)
			list = append(list, l)
			return nil
		}, nullTrace(id))
		if err != nil {
			return err
		}
		return from.fill(ctx, q)
	})
	if err != nil {
		return nil, s.wrap(err, "logs of trace %s", id)
	}
	return list, nil
}

func scanLog(row scanner) (l *telemetry.Log, resource string, err error) {
	l = new(telemetry.Log)
	var trace, span sql.NullString
	var attributes string
	if err := row.Scan(&l.Time, &trace, &span, &l.Severity, &l.EventName, &l.Body, &attributes, &resource); err != nil {
		return nil, "", err
	}
	l.Time = timeOf(l.Time)
	if trace.Valid {
		if l.Trace, err = telemetry.ParseTraceID(trace.String); err != nil {
			return nil, "", err
		}
	}
	if span.Valid {
		if l.Span, err = telemetry.ParseSpanID(span.String); err != nil {
			return nil, "", err
		}
	}
	if l.Attributes, err = parseAttributes(attributes); err != nil {
		return nil, "", err
	}
	return l, resource, nil
}

// nullTrace returns what the column trace_id holds for id.
func nullTrace(id telemetry.TraceID) any {
	if id.IsZero() {
		return nil
	}
	return id.String()
}

// emitters are the resources of an answer by their hash as text. Rows point to
// them before their fields are known.
type emitters map[string]*telemetry.Resource

func (e emitters) of(hash string) *telemetry.Resource {
	r := e[hash]
	if r == nil {
		r = new(telemetry.Resource)
		e[hash] = r
	}
	return r
}

// fill reads the fields of all of them.
func (e emitters) fill(ctx context.Context, q querier) error {
	if len(e) == 0 {
		return nil
	}
	found := 0
	err := each(ctx, q, "resources", func(row scanner) error {
		var hash, attributes string
		var r telemetry.Resource
		err := row.Scan(&hash, &r.Service, &r.Namespace, &r.Version, &r.Instance, &r.Environment, &attributes)
		if err != nil {
			return err
		}
		if r.Attributes, err = parseAttributes(attributes); err != nil {
			return err
		}
		*e.of(hash) = r
		found++
		return nil
	}, slices.Sorted(maps.Keys(e)))
	if err == nil && found < len(e) {
		err = fmt.Errorf("resources: found %d of %d", found, len(e))
	}
	return err
}
