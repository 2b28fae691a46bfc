package duckdb

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"strconv"

	duck "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/telemetry"
)

// maxKnownResources bounds the memory of which resources are stored. Beyond
// it everything is forgotten, and the next batches ask the table again.
const maxKnownResources = 20_000

// Append implements store.Store. A batch of a few thousand spans costs little
// more than one of ten: join small ones.
func (s *Store) Append(ctx context.Context, b telemetry.Batch, position uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	senders := newSenders(s.resources)
	var fresh []newSpan
	err := s.write(ctx, func(t transaction) (err error) {
		if fresh, err = t.addSpans(ctx, b.Spans, senders, s.stored); err != nil {
			return err
		}
		if err := t.addLogs(ctx, b.Logs, senders); err != nil {
			return err
		}
		if err := t.addResources(ctx, senders.fresh); err != nil {
			return err
		}
		if err := t.addChanges(ctx, b.Changes); err != nil {
			return err
		}
		return t.exec(ctx, "set_position", strconv.FormatUint(position, 10))
	})
	if err != nil {
		s.stored.forget() // what it learnt may not be so
		return s.wrap(err, "append %d spans, %d logs and %d changes at position %d",
			len(b.Spans), len(b.Logs), len(b.Changes), position)
	}
	s.stored.add(fresh)
	if len(s.resources)+len(senders.fresh) > maxKnownResources {
		clear(s.resources)
	}
	for _, r := range senders.fresh {
		s.resources[r.hash] = struct{}{}
	}
	return nil
}

func (t transaction) addLogs(ctx context.Context, logs []*telemetry.Log, from *senders) error {
	if len(logs) == 0 {
		return nil
	}
	err := t.stage(ctx, "logs", func(add addRow) error {
		var attributes []byte
		for i, l := range logs {
			var trace, span driver.Value
			if !l.Trace.IsZero() {
				trace = l.Trace.String()
			}
			if !l.Span.IsZero() {
				span = l.Span.String()
			}
			attributes = appendAttributes(attributes[:0], l.Attributes)
			r := from.of(l.Resource)
			err := add(nanos(l.Time), trace, span, l.Severity, text(l.EventName), text(l.Body),
				r.service, r.version, r.instance, attributes, r.hash)
			if err != nil {
				return fmt.Errorf("log record %d: %w", i, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(ctx, "insert_logs")
}

func (t transaction) addResources(ctx context.Context, list []*sender) error {
	if len(list) == 0 {
		return nil
	}
	err := t.stage(ctx, "resources", func(add addRow) error {
		for _, r := range list {
			if err := add(r.hash, r.service, text(r.Namespace), r.version, r.instance,
				text(r.Environment), appendAttributes(nil, r.Attributes)); err != nil {
				return fmt.Errorf("resource of %s: %w", r.service, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(ctx, "insert_resources")
}

func (t transaction) addChanges(ctx context.Context, changes []*telemetry.Change) error {
	if len(changes) == 0 {
		return nil
	}
	err := t.stage(ctx, "changes", func(add addRow) error {
		seen := make(map[string]struct{}, len(changes))
		for _, c := range changes {
			id := text(c.ID)
			if _, ok := seen[id]; ok {
				continue
			}
			seen[id] = struct{}{}
			err := add(nanos(c.Time), id, text(string(c.Kind)), text(c.Entity), text(c.Instance),
				text(c.Dimension), text(c.Value), text(c.Previous), c.Ends, text(string(c.Origin)),
				text(c.Source), text(c.Actor), text(c.Summary), text(c.URL))
			if err != nil {
				return fmt.Errorf("change %s: %w", c.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(ctx, "insert_changes")
}

// senders are the resources of a batch, hashed once each.
type senders struct {
	known map[duck.UUID]struct{} // stored before
	by    map[*telemetry.Resource]*sender
	fresh []*sender // not known to be stored, each once
	none  telemetry.Resource
}

// A sender is a resource with what every row repeats of it.
type sender struct {
	*telemetry.Resource
	hash                       duck.UUID
	service, version, instance string
}

func newSenders(known map[duck.UUID]struct{}) *senders {
	return &senders{known: known, by: make(map[*telemetry.Resource]*sender)}
}

// of returns the sender for r. A nil resource is taken for an empty one.
func (s *senders) of(r *telemetry.Resource) *sender {
	if r == nil {
		r = &s.none
	}
	if x := s.by[r]; x != nil {
		return x
	}
	x := &sender{Resource: r, hash: hashOf(r), service: text(r.Service), version: text(r.Version), instance: text(r.Instance)}
	s.by[r] = x
	if _, ok := s.known[x.hash]; ok {
		return x
	}
	for _, f := range s.fresh {
		if f.hash == x.hash {
			return x
		}
	}
	s.fresh = append(s.fresh, x)
	return x
}

// hashOf returns 128 bits of SHA-256 over all fields of r, each after its
// length, so that no two resources are taken for one.
func hashOf(r *telemetry.Resource) duck.UUID {
	var b []byte
	field := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range []string{r.Service, r.Namespace, r.Version, r.Instance, r.Environment} {
		field(s)
	}
	for _, a := range r.Attributes {
		field(a.Key)
		field(a.Value)
	}
	sum := sha256.Sum256(b)
	return duck.UUID(sum[:16])
}
