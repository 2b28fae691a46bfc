package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// Always is a window that holds every time that a Source makes up, the zero
// time included.
func Always() telemetry.Window {
	return telemetry.Window{End: time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Same asks both stores every question about what a Source can make up, and
// fails t where the answers differ.
func Same(t *testing.T, want, got store.Store) {
	t.Helper()
	for _, d := range Differences(t.Context(), want, got) {
		t.Error(d)
	}
}

// Differences asks as Same does and returns where the answers differ.
func Differences(ctx context.Context, want, got store.Store) []string {
	var list []string
	for _, q := range questions() {
		if d := diff(q.ask(ctx, want), q.ask(ctx, got)); d != "" {
			list = append(list, fmt.Sprintf("%s: answers differ (-want +got):\n%s", q.name, short(d)))
		}
	}
	return list
}

// diff compares as stores are asked to keep: a nil list equals an empty one.
func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// short cuts a diff that nobody would read to its end.
func short(s string) string {
	if len(s) > 6000 {
		return strings.ToValidUTF8(s[:6000], "") + "\n... and more"
	}
	return s
}

type question struct {
	name string
	ask  func(ctx context.Context, s store.Store) any
}

func questions() []question {
	base := NewSource(0).Base()
	list := []question{
		{"Position", func(ctx context.Context, s store.Store) any { return got(s.Position(ctx)) }},
		{"Counts", func(ctx context.Context, s store.Store) any { return got(s.Counts(ctx)) }},
		{"Totals of two entries", func(ctx context.Context, s store.Store) any {
			return got(s.Totals(ctx, Always(), Entry(1), Entry(3)))
		}},
		{"Incidents, all", func(ctx context.Context, s store.Store) any {
			return got(s.Incidents(ctx, telemetry.Window{}))
		}},
	}
	for _, w := range []telemetry.Window{
		Always(),
		{Start: base, End: base.Add(time.Hour)},
		{Start: base.Add(-20 * time.Minute), End: base.Add(-20*time.Minute + 123456789)},
		{Start: base.Add(10), End: base},
	} {
		list = append(list, windowQuestions(w)...)
	}
	// What Spans and Incidents say of all is asked of some one by one.
	for i := 0; i < traces+3; i += 4 {
		id := TraceID(i)
		list = append(list,
			question{"Trace " + id.String(), func(ctx context.Context, s store.Store) any { return got(s.Trace(ctx, id)) }},
			question{"Logs " + id.String(), func(ctx context.Context, s store.Store) any { return got(s.Logs(ctx, id)) }})
	}
	for i := 0; i <= incidents; i += 4 {
		id := incident.ID(fmt.Sprintf("2026-11-21-%d", i))
		list = append(list, question{"Incident " + string(id), func(ctx context.Context, s store.Store) any {
			return got(s.Incident(ctx, id))
		}})
	}
	for _, at := range []time.Time{base.Add(-3 * time.Hour), base, base.Add(7 * time.Minute), base.Add(3 * time.Hour)} {
		list = append(list, question{"InForce " + at.Format(time.TimeOnly), func(ctx context.Context, s store.Store) any {
			return got(s.InForce(ctx, at))
		}})
	}
	return list
}

func windowQuestions(w telemetry.Window) []question {
	name := func(what string) string {
		return what + " " + w.Start.Format(time.RFC3339Nano) + " to " + w.End.Format(time.RFC3339Nano)
	}
	return []question{
		{name("Spans"), func(ctx context.Context, s store.Store) any { return gather(s.Spans(ctx, w)) }},
		{name("Changes"), func(ctx context.Context, s store.Store) any { return gather(s.Changes(ctx, w)) }},
		{name("Observations"), func(ctx context.Context, s store.Store) any { return gather(s.Observations(ctx, w)) }},
		{name("Totals"), func(ctx context.Context, s store.Store) any { return got(s.Totals(ctx, w)) }},
		{name("Incidents"), func(ctx context.Context, s store.Store) any { return got(s.Incidents(ctx, w)) }},
	}
}

// answer is what a question gave: a value or the kind of error.
type answer struct {
	Value any
	Err   string
}

func got[V any](value V, err error) any {
	switch {
	case err == nil:
		return answer{Value: value}
	case errors.Is(err, store.ErrNotFound):
		return answer{Err: "not found"}
	}
	return answer{Err: err.Error()}
}

func gather[V any](seq iter.Seq2[V, error]) any {
	var list []V
	for v, err := range seq {
		if err != nil {
			return answer{Err: err.Error()}
		}
		list = append(list, v)
	}
	return answer{Value: list}
}
