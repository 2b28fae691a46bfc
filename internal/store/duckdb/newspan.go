package duckdb

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/telemetry"
)

// spanKey is what a span is known by.
type spanKey struct {
	trace telemetry.TraceID
	id    telemetry.SpanID
	start int64
}

// A newSpan is one of a batch that is not in the batch before.
type newSpan struct {
	*telemetry.Span
	key spanKey
}

// addSpans stores the spans that are not stored yet, and returns them. They go
// into the table directly: to stage whole spans, as other rows are, costs as
// much again.
func (t transaction) addSpans(ctx context.Context, spans []*telemetry.Span, from *senders, stored *recall) ([]newSpan, error) {
	if len(spans) == 0 {
		return nil, nil
	}
	fresh := distinctSpans(spans)
	if err := stored.learn(ctx, t, fresh); err != nil {
		return nil, err
	}
	fresh, err := t.withoutStored(ctx, fresh, stored)
	if err != nil || len(fresh) == 0 {
		return nil, err
	}
	var attributes, events, links []byte
	err = fill(ctx, t.conn, "", "span_rows", func(add addRow) error {
		for _, s := range fresh {
			var parent, message, eventText, linkText driver.Value
			if !s.Parent.IsZero() {
				parent = number(s.Parent)
			}
			if s.Message != "" {
				message = text(s.Message)
			}
			if len(s.Events) > 0 {
				events = appendEvents(events[:0], s.Events)
				eventText = events
			}
			if len(s.Links) > 0 {
				links = appendLinks(links[:0], s.Links)
				linkText = links
			}
			attributes = appendAttributes(attributes[:0], s.Attributes)
			err := add(time.Unix(0, s.key.start), time.Unix(0, nanos(s.End)), int64(s.Duration()),
				duck.UUID(s.Trace), number(s.ID), parent, text(s.Name), s.Kind.String(), s.Status.String(), message,
				attributes, eventText, linkText, s.Dropped, from.of(s.Resource).hash)
			if err != nil {
				return fmt.Errorf("span %s of trace %s: %w", s.ID, s.Trace, err)
			}
		}
		return nil
	})
	return fresh, err
}

// distinctSpans returns each span once.
func distinctSpans(spans []*telemetry.Span) []newSpan {
	seen := make(map[spanKey]struct{}, len(spans))
	list := make([]newSpan, 0, len(spans))
	for _, s := range spans {
		key := spanKey{s.Trace, s.ID, nanos(s.Start)}
		if _, ok := seen[key]; !ok {
			seen[key] = struct{}{}
			list = append(list, newSpan{s, key})
		}
	}
	return list
}

// withoutStored drops from list what is stored already. It asks the table only
// about the spans of which that may be so.
func (t transaction) withoutStored(ctx context.Context, list []newSpan, stored *recall) ([]newSpan, error) {
	var doubtful []int
	for i, s := range list {
		if stored.mayHold(s.key) {
			doubtful = append(doubtful, i)
		}
	}
	if len(doubtful) == 0 {
		return list, nil
	}
	starts := make([]int64, 0, len(doubtful))
	err := t.stage(ctx, "spans", func(add addRow) error {
		for _, i := range doubtful {
			key := list[i].key
			starts = append(starts, key.start)
			if err := add(int64(i), key.start, duck.UUID(key.trace), number(key.id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	known := make(map[int]struct{})
	// A span that is sent twice starts at the same time twice.
	for _, r := range runsOf(starts, 0) {
		err := each(ctx, t.conn, "stored_spans", func(row scanner) error {
			var i int
			err := row.Scan(&i)
			known[i] = struct{}{}
			return err
		}, r.first, r.last)
		if err != nil {
			return nil, err
		}
	}
	kept := list[:0]
	for i, s := range list {
		if _, ok := known[i]; !ok {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// number is a span's ID as the tables have it.
func number(id telemetry.SpanID) uint64 { return binary.BigEndian.Uint64(id[:]) }
