package storetest

import (
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
	for _, q := range questions() {
		a, b := q.ask(t, want), q.ask(t, got)
		if d := diff(a, b); d != "" {
			t.Errorf("%s: answers differ (-want +got):\n%s", q.name, short(d))
		}
	}
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
	ask  func(t *testing.T, s store.Store) any
}

func questions() []question {
	base := NewSource(0).Base()
	list := []question{
		{"Position", func(t *testing.T, s store.Store) any { return got(s.Position(t.Context())) }},
		{"Counts", func(t *testing.T, s store.Store) any { return got(s.Counts(t.Context())) }},
		{"Totals of two entries", func(t *testing.T, s store.Store) any {
			return got(s.Totals(t.Context(), Always(), Entry(1), Entry(3)))
		}},
		{"Incidents, all", func(t *testing.T, s store.Store) any {
			return got(s.Incidents(t.Context(), telemetry.Window{}))
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
	for i := range traces + 2 {
		id := TraceID(i)
		list = append(list,
			question{"Trace " + id.String(), func(t *testing.T, s store.Store) any { return got(s.Trace(t.Context(), id)) }},
			question{"Logs " + id.String(), func(t *testing.T, s store.Store) any { return got(s.Logs(t.Context(), id)) }})
	}
	for i := range incidents + 1 {
		id := incident.ID(fmt.Sprintf("2026-11-21-%d", i))
		list = append(list, question{"Incident " + string(id), func(t *testing.T, s store.Store) any {
			return got(s.Incident(t.Context(), id))
		}})
	}
	for _, at := range []time.Time{base.Add(-3 * time.Hour), base, base.Add(7 * time.Minute), base.Add(3 * time.Hour)} {
		list = append(list, question{"InForce " + at.Format(time.TimeOnly), func(t *testing.T, s store.Store) any {
			return got(s.InForce(t.Context(), at))
		}})
	}
	return list
}

func windowQuestions(w telemetry.Window) []question {
	name := func(what string) string {
		return what + " " + w.Start.Format(time.RFC3339Nano) + " to " + w.End.Format(time.RFC3339Nano)
	}
	return []question{
		{name("Spans"), func(t *testing.T, s store.Store) any { return gather(s.Spans(t.Context(), w)) }},
		{name("Changes"), func(t *testing.T, s store.Store) any { return gather(s.Changes(t.Context(), w)) }},
		{name("Observations"), func(t *testing.T, s store.Store) any { return gather(s.Observations(t.Context(), w)) }},
		{name("Totals"), func(t *testing.T, s store.Store) any { return got(s.Totals(t.Context(), w)) }},
		{name("Incidents"), func(t *testing.T, s store.Store) any { return got(s.Incidents(t.Context(), w)) }},
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
