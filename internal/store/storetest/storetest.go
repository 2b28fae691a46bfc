// Package storetest is what every store must pass. Its last word is a store in
// memory: random operations are done to both, and all answers must agree.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// Run tests the stores that open returns. Each is empty, and open sees to it
// that it is closed when its test ends; closing twice must be no error.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"AnEmptyStoreAnswers", anEmptyStoreAnswers},
		{"PositionIsTheHighestGiven", positionIsTheHighestGiven},
		{"SpansComeBackAsTheyWere", spansComeBackAsTheyWere},
		{"HardTextAndTimesComeBackAsTheyWere", hardTextAndTimesComeBackAsTheyWere},
		{"TextThatIsNotUTF8IsNoError", textThatIsNotUTF8IsNoError},
		{"ASpanSentTwiceIsStoredOnce", aSpanSentTwiceIsStoredOnce},
		{"AChangeSentTwiceIsStoredOnce", aChangeSentTwiceIsStoredOnce},
		{"TheLastChangeOfAStateIsInForce", theLastChangeOfAStateIsInForce},
		{"SavingAStepTwiceIsTheSameAsOnce", savingAStepTwiceIsTheSameAsOnce},
		{"ALaterStepReplacesWhatAnEarlierOneSaid", aLaterStepReplacesWhatAnEarlierOneSaid},
		{"AnUnknownConditionStoresNothing", anUnknownConditionStoresNothing},
		{"AWindowHoldsItsStartAndNotItsEnd", aWindowHoldsItsStartAndNotItsEnd},
		{"RetainDropsWhatIsOldAndKeepsWhatIsInForce", retainDropsWhatIsOldAndKeepsWhatIsInForce},
		{"AnIteratorMayAskAndMayStop", anIteratorMayAskAndMayStop},
		{"ACancelledCallStoresNothing", aCancelledCallStoresNothing},
		{"CallersMayChangeWhatTheyGaveAndGot", callersMayChangeWhatTheyGaveAndGot},
		{"ItIsSafeForConcurrentUse", itIsSafeForConcurrentUse},
		{"AClosedStoreSaysSo", aClosedStoreSaysSo},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprintf("RandomOperationsGiveWhatMemoryGivesSeed%d", seed), func(t *testing.T) {
			agrees(t, open(t), seed)
		})
	}
}

// agrees does the same random operations to s and to a store in memory.
func agrees(t *testing.T, s store.Store, seed uint64) {
	source, oracle := NewSource(seed), store.NewMem()
	var position uint64
	for i := range 40 {
		switch n := source.rng.IntN(20); {
		case n < 10:
			b := source.Batch()
			position += uint64(b.Len())
			both(t, oracle, s, func(x store.Store) error { return x.Append(t.Context(), b, position) })
		case n < 18:
			r := source.Result()
			both(t, oracle, s, func(x store.Store) error { return x.Save(t.Context(), r) })
		default:
			keep := store.Retention{
				Spans: 90 * time.Minute, Logs: time.Hour, Observations: 80 * time.Minute,
				Totals: 100 * time.Minute, Changes: time.Hour, Incidents: time.Hour,
			}
			now := source.near()
			want, _ := oracle.Retain(t.Context(), keep, now)
			gone, err := s.Retain(t.Context(), keep, now)
			if d := diff(want, gone); err != nil || d != "" {
				t.Fatalf("Retain at %v: %v (-want +got):\n%s", now, err, d)
			}
		}
		if i%20 == 19 {
			Same(t, oracle, s)
		}
		if t.Failed() {
			t.Fatalf("the stores parted by operation %d of seed %d", i, seed)
		}
	}
}

func both(t *testing.T, a, b store.Store, do func(store.Store) error) {
	t.Helper()
	must(t, do(a))
	must(t, do(b))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func anEmptyStoreAnswers(t *testing.T, s store.Store) {
	Same(t, store.NewMem(), s)
}

// plain returns a span that is like any other.
func plain(trace, id byte, start time.Time) *telemetry.Span {
	return &telemetry.Span{
		Trace: telemetry.TraceID{1, 15: trace}, ID: telemetry.SpanID{1, 7: id}, Name: "POST /checkout",
		Kind: telemetry.KindServer, Start: start, End: start.Add(time.Second), Status: telemetry.StatusError, Message: "no stock",
		Attributes: telemetry.NewAttributes([]telemetry.Attribute{{Key: "http.route", Value: "/checkout"}, {Key: "empty", Value: ""}}),
		Events: []telemetry.Event{{
			Time: start.Add(3), Name: "exception",
			Attributes: telemetry.NewAttributes([]telemetry.Attribute{{Key: "exception.type", Value: "NoStock"}}),
		}},
		Links:    []telemetry.Link{{Trace: telemetry.TraceID{9}, Span: telemetry.SpanID{8}}},
		Resource: &telemetry.Resource{Service: "cart", Version: "2.4.0", Attributes: telemetry.Attributes{{Key: "service.name", Value: "cart"}}},
		Dropped:  2,
	}
}

func at(seconds float64) time.Time {
	return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(seconds * 1e9))
}

func anIteratorMayAskAndMayStop(t *testing.T, s store.Store) {
	var b telemetry.Batch
	for i := range 100 {
		b.Spans = append(b.Spans, plain(byte(i), 1, at(float64(i))))
	}
	must(t, s.Append(t.Context(), b, 1))
	// More nested iterators than a store could have connections.
	var nest func(depth int)
	nest = func(depth int) {
		for x, err := range s.Spans(t.Context(), Always()) {
			must(t, err)
			if trace, err := s.Trace(t.Context(), x.Trace); err != nil || len(trace) != 1 {
				t.Fatalf("Trace within Spans: %d spans, %v", len(trace), err)
			}
			if depth < 20 {
				nest(depth + 1)
			}
			return
		}
	}
	nest(0)
}

func aCancelledCallStoresNothing(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := NewSource(5)
	if err := s.Append(ctx, source.Batch(), 9); !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v, want context.Canceled", err)
	}
	if err := s.Save(ctx, source.Result()); !errors.Is(err, context.Canceled) {
		t.Errorf("Save = %v, want context.Canceled", err)
	}
	for _, err := range s.Spans(ctx, Always()) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Spans = %v, want context.Canceled", err)
		}
	}
	Same(t, store.NewMem(), s)
}

func callersMayChangeWhatTheyGaveAndGot(t *testing.T, s store.Store) {
	source, oracle := NewSource(6), store.NewMem()
	var r pipeline.Result
	for len(r.Observations) == 0 || len(r.Incidents) == 0 || len(r.Observations[0].Conditions) == 0 || r.Incidents[0].Finding == nil {
		r = source.Result()
	}
	both(t, oracle, s, func(x store.Store) error { return x.Save(t.Context(), r) })
	r.Observations[0].Conditions[0], r.Observations[0].Reason = 9999, "changed"
	r.Incidents[0].Finding.Conditions[0].Value, r.Incidents[0].Entries[0].Service = "changed", "changed"
	Same(t, oracle, s)
	for o, err := range s.Observations(t.Context(), Always()) {
		must(t, err)
		clear(o.InForce)
	}
	list, err := s.Incidents(t.Context(), telemetry.Window{})
	must(t, err)
	for i := range list {
		clear(list[i].Missing)
		clear(list[i].Timeline)
	}
	for o, err := range s.Observations(t.Context(), Always()) {
		must(t, err)
		for _, c := range o.InForce {
			if c == (condition.Condition{}) {
				t.Errorf("observation %s lost conditions to a caller", o.Request)
			}
		}
	}
	Same(t, oracle, s)
}

func itIsSafeForConcurrentUse(t *testing.T, s store.Store) {
	const batches, size = 8, 10
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			source := NewSource(uint64(20 + w))
			for i := range batches {
				var b telemetry.Batch
				for j := range size {
					b.Spans = append(b.Spans, plain(byte(w), byte(i*size+j), at(float64(i))))
				}
				if err := s.Append(t.Context(), b, uint64(i)); err != nil {
					t.Error(err)
				}
				if err := s.Save(t.Context(), source.Result()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for range 3 {
				for _, q := range questions()[:12] {
					if a, ok := q.ask(t.Context(), s).(answer); ok && a.Err != "" {
						t.Errorf("%s while others write: %s", q.name, a.Err)
					}
				}
				if _, err := s.Retain(t.Context(), store.DefaultRetention(), at(0)); err != nil {
					t.Errorf("Retain while others write: %v", err)
				}
			}
		})
	}
	all.Wait()
	if counts, err := s.Counts(t.Context()); err != nil || counts["spans"] != 3*batches*size {
		t.Errorf("Counts = %v, %v, want %d spans", counts, err, 3*batches*size)
	}
}

func aClosedStoreSaysSo(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), NewSource(1).Batch(), 1))
	must(t, s.Close())
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	ctx := t.Context()
	first := func(ask any) error {
		if a, ok := ask.(answer); ok && strings.Contains(a.Err, store.ErrClosed.Error()) {
			return store.ErrClosed
		}
		return fmt.Errorf("answer %v", ask)
	}
	_, positionErr := s.Position(ctx)
	_, traceErr := s.Trace(ctx, TraceID(1))
	_, logsErr := s.Logs(ctx, TraceID(1))
	_, retainErr := s.Retain(ctx, store.DefaultRetention(), at(0))
	_, countsErr := s.Counts(ctx)
	_, incidentErr := s.Incident(ctx, "1")
	for name, err := range map[string]error{
		"Append": s.Append(ctx, telemetry.Batch{}, 2), "Save": s.Save(ctx, pipeline.Result{}),
		"Position": positionErr, "Trace": traceErr, "Logs": logsErr, "Retain": retainErr, "Counts": countsErr, "Incident": incidentErr,
		"Spans": first(gather(s.Spans(ctx, Always()))), "Changes": first(gather(s.Changes(ctx, Always()))),
		"Observations": first(gather(s.Observations(ctx, Always()))), "Totals": first(got(s.Totals(ctx, Always()))),
		"InForce": first(got(s.InForce(ctx, at(0)))), "Incidents": first(got(s.Incidents(ctx, Always()))),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}
