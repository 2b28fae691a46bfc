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
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
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
	for i := range 50 {
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
		if i%25 == 24 {
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

func positionIsTheHighestGiven(t *testing.T, s store.Store) {
	for _, c := range []struct{ give, want uint64 }{{7, 7}, {3, 7}, {1<<63 + 5, 1<<63 + 5}, {0, 1<<63 + 5}} {
		must(t, s.Append(t.Context(), telemetry.Batch{}, c.give))
		if p, err := s.Position(t.Context()); err != nil || p != c.want {
			t.Fatalf("Position after %d = %d, %v, want %d", c.give, p, err, c.want)
		}
	}
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

func spansComeBackAsTheyWere(t *testing.T, s store.Store) {
	root, child, other := plain(1, 1, at(0)), plain(1, 2, at(0.000000001)), plain(2, 1, at(5))
	child.Parent = root.ID
	local := *other
	local.Start = other.Start.In(time.FixedZone("elsewhere", 3600))
	must(t, s.Append(t.Context(), telemetry.Batch{Spans: []*telemetry.Span{&local, child, root}}, 1))
	trace, err := s.Trace(t.Context(), root.Trace)
	if d := diff([]*telemetry.Span{root, child}, trace); err != nil || d != "" {
		t.Errorf("Trace: %v (-want +got):\n%s", err, d)
	}
	all := gather(s.Spans(t.Context(), Always()))
	if d := diff(answer{Value: []*telemetry.Span{root, child, other}}, all); d != "" {
		t.Errorf("Spans (-want +got):\n%s", d)
	}
	if _, err := s.Trace(t.Context(), telemetry.TraceID{7}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Trace of an unknown id: %v, want ErrNotFound", err)
	}
}

func hardTextAndTimesComeBackAsTheyWere(t *testing.T, s store.Store) {
	var b telemetry.Batch
	times := []time.Time{
		{},
		time.Unix(0, 0).UTC(), time.Unix(0, 1).UTC(), time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2100, 12, 31, 23, 59, 59, 999999999, time.UTC),
	}
	texts := []string{"", "\x00", "a\x00", "\x00\x00b", "☃", "\"", "\\u0000", "\n", strings.Repeat("long", 1<<15), "\uFFFD", "NULL"}
	for i, text := range texts {
		x := plain(1, byte(i), times[i%len(times)])
		x.End = times[(i+1)%len(times)]
		x.Name, x.Message, x.Resource = text, text, &telemetry.Resource{Service: text, Version: text, Instance: text, Namespace: text, Environment: text}
		x.Attributes = telemetry.NewAttributes([]telemetry.Attribute{{Key: text, Value: text}, {Key: "other", Value: text}})
		x.Events[0] = telemetry.Event{Time: times[i%len(times)], Name: text, Attributes: x.Attributes}
		b.Spans = append(b.Spans, x)
		b.Logs = append(b.Logs, &telemetry.Log{Time: times[i%len(times)], Trace: x.Trace, Body: text, EventName: text, Attributes: x.Attributes, Resource: x.Resource})
		b.Changes = append(b.Changes, &telemetry.Change{ID: "id" + text, Time: times[i%len(times)], Kind: "deploy", Entity: text, Instance: text, Dimension: text, Value: text, Previous: text, Origin: "reported", Source: text, Actor: text, Summary: text, URL: text})
	}
	oracle := store.NewMem()
	both(t, oracle, s, func(x store.Store) error { return x.Append(t.Context(), b, 1) })
	Same(t, oracle, s)
	trace, err := s.Trace(t.Context(), b.Spans[0].Trace)
	if err != nil || len(trace) != len(texts) {
		t.Fatalf("Trace: %d spans, %v, want %d", len(trace), err, len(texts))
	}
	if d := diff(answer{Value: trace}, got(oracle.Trace(t.Context(), b.Spans[0].Trace))); d != "" {
		t.Errorf("Trace (-got +want):\n%s", short(d))
	}
	logs, err := s.Logs(t.Context(), b.Spans[0].Trace)
	if err != nil || len(logs) != len(texts) {
		t.Errorf("Logs: %d records, %v, want %d", len(logs), err, len(texts))
	}
}

func textThatIsNotUTF8IsNoError(t *testing.T, s store.Store) {
	bad := "a\xff\xfeb\xc3"
	x := plain(1, 1, at(0))
	x.Name, x.Message = bad, bad
	x.Attributes = telemetry.NewAttributes([]telemetry.Attribute{{Key: "\xff", Value: bad}, {Key: "\xfe", Value: bad}, {Key: "k", Value: bad}})
	x.Events[0].Attributes, x.Events[0].Name = x.Attributes, bad
	x.Resource = &telemetry.Resource{Service: bad, Version: bad, Attributes: x.Attributes}
	b := telemetry.Batch{
		Spans:   []*telemetry.Span{x},
		Logs:    []*telemetry.Log{{Time: at(0), Trace: x.Trace, Body: bad, Attributes: x.Attributes, Resource: x.Resource}},
		Changes: []*telemetry.Change{{ID: bad, Time: at(0), Kind: telemetry.ChangeKind(bad), Entity: bad, Dimension: bad, Value: bad}},
	}
	must(t, s.Append(t.Context(), b, 1))
	d := condition.NewDictionary(0)
	c1, _ := d.ID(condition.Condition{Dimension: "\xff", Value: bad})
	c2, _ := d.ID(condition.Condition{Dimension: "\xfe", Value: bad})
	must(t, s.Save(t.Context(), pipeline.Result{
		Dictionary:   d,
		Observations: []condition.Observation{{Request: request.ID{Trace: x.Trace, Span: x.ID}, Time: at(0), Reason: bad, Entry: request.Entry{Service: bad}, Conditions: []condition.ID{c1, c2}}},
		Totals:       []pipeline.Total{{Bucket: at(0).Unix(), Entry: request.Entry{Service: bad}}},
		Incidents:    []incident.Incident{{ID: incident.ID(bad), Title: bad, Updated: at(0)}},
	}))
	counts, err := s.Counts(t.Context())
	if d := diff(map[string]int64{"spans": 1, "logs": 1, "changes": 1, "observations": 1, "totals": 1, "incidents": 1, "findings": 0}, counts); err != nil || d != "" {
		t.Errorf("Counts: %v (-want +got):\n%s", err, d)
	}
	if trace, err := s.Trace(t.Context(), x.Trace); err != nil || len(trace) != 1 || trace[0].Kind != x.Kind {
		t.Errorf("Trace = %v, %v, want the span", trace, err)
	}
	for o, err := range s.Observations(t.Context(), Always()) {
		if err != nil || len(o.InForce) == 0 {
			t.Errorf("observation %v, %v, want one with conditions", o, err)
		}
	}
}

func aSpanSentTwiceIsStoredOnce(t *testing.T, s store.Store) {
	a, b, late := plain(1, 1, at(0)), plain(1, 2, at(1)), plain(1, 3, at(-7200))
	again, longAgo := *a, *late
	must(t, s.Append(t.Context(), telemetry.Batch{Spans: []*telemetry.Span{a, &again, late}}, 1))
	must(t, s.Append(t.Context(), telemetry.Batch{Spans: []*telemetry.Span{b, &again, &longAgo, b}}, 2))
	trace, err := s.Trace(t.Context(), a.Trace)
	if d := diff([]*telemetry.Span{late, a, b}, trace); err != nil || d != "" {
		t.Errorf("Trace: %v (-want +got):\n%s", err, d)
	}
	if counts, err := s.Counts(t.Context()); err != nil || counts["spans"] != 3 {
		t.Errorf("Counts = %v, %v, want 3 spans", counts, err)
	}
}

func aChangeSentTwiceIsStoredOnce(t *testing.T, s store.Store) {
	c := &telemetry.Change{ID: "1", Time: at(0), Kind: telemetry.ChangeFlag, Dimension: "flag rounding", Value: "banker", Origin: telemetry.OriginReported}
	again := *c
	again.Value = "other"
	must(t, s.Append(t.Context(), telemetry.Batch{Changes: []*telemetry.Change{c, &again}}, 1))
	must(t, s.Append(t.Context(), telemetry.Batch{Changes: []*telemetry.Change{&again}}, 2))
	must(t, s.Save(t.Context(), pipeline.Result{Changes: []*telemetry.Change{&again}}))
	if d := diff(answer{Value: []*telemetry.Change{c}}, gather(s.Changes(t.Context(), Always()))); d != "" {
		t.Errorf("Changes (-want +got):\n%s", d)
	}
}

func theLastChangeOfAStateIsInForce(t *testing.T, s store.Store) {
	var list []*telemetry.Change
	set := func(id, entity, instance, value string, seconds float64, ends bool) {
		list = append(list, &telemetry.Change{ID: id, Time: at(seconds), Entity: entity, Instance: instance, Dimension: "service.version", Value: value, Ends: ends})
	}
	set("old", "cart", "", "2.3.0", -1e6, false)
	set("new", "cart", "", "2.4.0", 10, false)
	set("instance", "cart", "cart-7f", "2.4.1", 10, false)
	set("everywhere", "", "", "winter", 5, false)
	set("ended", "pricing", "", "1", 1, false)
	set("end", "pricing", "", "", 20, true)
	set("same time, first", "tie", "", "a", 7, false)
	set("same time, second", "tie", "", "b", 7, false)
	must(t, s.Append(t.Context(), telemetry.Batch{Changes: list[:5]}, 1))
	must(t, s.Append(t.Context(), telemetry.Batch{Changes: list[5:]}, 2))
	for _, c := range []struct {
		at   float64
		want string
	}{
		{-2e6, ""},
		{0, "old"},
		{9, "everywhere, old, ended, same time, second"},
		{10, "everywhere, new, instance, ended, same time, second"},
		{20, "everywhere, new, instance, same time, second"},
	} {
		inForce, err := s.InForce(t.Context(), at(c.at))
		var ids []string
		for _, c := range inForce {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, ", "); err != nil || got != c.want {
			t.Errorf("InForce at %v s = %q, %v, want %q", c.at, got, err, c.want)
		}
	}
}

func savingAStepTwiceIsTheSameAsOnce(t *testing.T, s store.Store) {
	source, once := NewSource(11), store.NewMem()
	for range 5 {
		r := source.Result()
		must(t, once.Save(t.Context(), r))
		must(t, s.Save(t.Context(), r))
		must(t, s.Save(t.Context(), r))
	}
	Same(t, once, s)
}

func aLaterStepReplacesWhatAnEarlierOneSaid(t *testing.T, s store.Store) {
	d := condition.NewDictionary(0)
	version, _ := d.ID(condition.Condition{Entity: "cart", Dimension: "service.version", Value: "2.4.0"})
	flag, _ := d.ID(condition.Condition{Dimension: "flag a b", Value: "=on"})
	o := condition.Observation{Request: request.ID{Trace: telemetry.TraceID{1}, Span: telemetry.SpanID{1}}, Time: at(0), Weight: 1}
	step := func(outcome request.Outcome, start time.Time, failed int, state incident.State, conditions ...condition.ID) {
		o.Outcome, o.Time, o.Conditions = outcome, start, conditions
		must(t, s.Save(t.Context(), pipeline.Result{
			Dictionary: d, Observations: []condition.Observation{o},
			Totals:    []pipeline.Total{{Bucket: at(0).Unix(), Requests: 10, Failed: failed}},
			Incidents: []incident.Incident{{ID: "1", State: state, Updated: at(float64(failed))}},
		}))
	}
	step(request.OK, at(0), 1, incident.Open, flag)
	step(request.Failed, at(-60), 2, incident.Mitigated, flag, version)

	o.Conditions = nil
	want := []store.Observation{{Observation: o, InForce: []condition.Condition{d.Condition(flag), d.Condition(version)}}}
	if diff := diff(answer{Value: want}, gather(s.Observations(t.Context(), Always()))); diff != "" {
		t.Errorf("Observations (-want +got):\n%s", diff)
	}
	totals, err := s.Totals(t.Context(), Always())
	if diff := diff([]pipeline.Total{{Bucket: at(0).Unix(), Requests: 10, Failed: 2}}, totals); err != nil || diff != "" {
		t.Errorf("Totals: %v (-want +got):\n%s", err, diff)
	}
	in, err := s.Incident(t.Context(), "1")
	if err != nil || in.State != incident.Mitigated {
		t.Errorf("Incident = %v, %v, want it mitigated", in, err)
	}
	if _, err := s.Incident(t.Context(), "2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Incident of an unknown id: %v, want ErrNotFound", err)
	}
}

func anUnknownConditionStoresNothing(t *testing.T, s store.Store) {
	d := condition.NewDictionary(0)
	known, _ := d.ID(condition.Condition{Dimension: "zone", Value: "b"})
	r := pipeline.Result{
		Dictionary:   d,
		Totals:       []pipeline.Total{{Bucket: 10, Requests: 1}},
		Observations: []condition.Observation{{Time: at(0), Conditions: []condition.ID{known, 99}}},
	}
	if err := s.Save(t.Context(), r); err == nil || !strings.Contains(err.Error(), "condition 99") {
		t.Errorf("Save = %v, want an error that names condition 99", err)
	}
	Same(t, store.NewMem(), s)
	r.Observations[0].Conditions = []condition.ID{known}
	must(t, s.Save(t.Context(), r))
	for o, err := range s.Observations(t.Context(), Always()) {
		if err != nil || len(o.InForce) != 1 || o.InForce[0] != d.Condition(known) {
			t.Errorf("observation = %v, %v, want the condition zone=b", o, err)
		}
	}
}

func aWindowHoldsItsStartAndNotItsEnd(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), telemetry.Batch{Spans: []*telemetry.Span{plain(1, 1, at(0)), plain(1, 2, at(1)), plain(1, 3, at(2))}}, 1))
	must(t, s.Save(t.Context(), pipeline.Result{Totals: []pipeline.Total{{Bucket: at(0).Unix()}, {Bucket: at(10).Unix()}, {Bucket: at(20).Unix()}}}))
	var n int
	for _, err := range s.Spans(t.Context(), telemetry.Window{Start: at(1), End: at(2)}) {
		must(t, err)
		n++
	}
	if n != 1 {
		t.Errorf("spans from 1 s to 2 s = %d, want 1", n)
	}
	for _, c := range []struct {
		from, to float64
		want     int
	}{{10, 20, 1}, {9.5, 20.5, 2}, {10.000000001, 20, 0}, {0, 20.000000001, 3}} {
		totals, err := s.Totals(t.Context(), telemetry.Window{Start: at(c.from), End: at(c.to)})
		if err != nil || len(totals) != c.want {
			t.Errorf("totals from %v s to %v s = %d, %v, want %d", c.from, c.to, len(totals), err, c.want)
		}
	}
}

func retainDropsWhatIsOldAndKeepsWhatIsInForce(t *testing.T, s store.Store) {
	now := at(0)
	var b telemetry.Batch
	change := func(id, dimension string, hours float64, ends bool) {
		b.Changes = append(b.Changes, &telemetry.Change{ID: id, Time: at(hours * 3600), Dimension: dimension, Ends: ends})
	}
	change("replaced", "version", -3000, false)
	change("in force for months", "version", -2000, false)
	change("begun", "backup", -3000, false)
	change("ended", "backup", -2999, true)
	change("of today", "flag", -1, true)
	change("to come", "flag", 1, false)
	for i := range 10 {
		b.Spans = append(b.Spans, plain(1, byte(i), at(-3600*float64(i))))
	}
	b.Spans = append(b.Spans, plain(1, 10, at(5*3600)), plain(1, 11, at(5*3600+1)), plain(1, 12, at(2e9)))
	must(t, s.Append(t.Context(), b, 1))
	must(t, s.Save(t.Context(), pipeline.Result{
		Totals: []pipeline.Total{{Bucket: at(-5000 * 3600).Unix()}, {Bucket: now.Unix()}},
		Incidents: []incident.Incident{
			{ID: "old, resolved", State: incident.Resolved, Updated: at(-3000 * 3600)},
			{ID: "old, mitigated", State: incident.Mitigated, Updated: at(-3000 * 3600)},
			{ID: "new, resolved", State: incident.Resolved, Updated: now},
		},
	}))
	keep := store.Retention{Spans: 5 * time.Hour, Totals: 24 * time.Hour, Changes: 24 * time.Hour, Incidents: 24 * time.Hour}
	gone, err := s.Retain(t.Context(), keep, now)
	want := map[string]int64{"spans": 6, "logs": 0, "changes": 3, "observations": 0, "totals": 1, "incidents": 1, "findings": 0}
	if d := diff(want, gone); err != nil || d != "" {
		t.Errorf("Retain: %v (-want +got):\n%s", err, d)
	}
	var kept []string
	for c, err := range s.Changes(t.Context(), Always()) {
		must(t, err)
		kept = append(kept, c.ID)
	}
	if d := diff([]string{"in force for months", "of today", "to come"}, kept); d != "" {
		t.Errorf("changes kept (-want +got):\n%s", d)
	}
	gone, err = s.Retain(t.Context(), store.Retention{}, now.AddDate(100, 0, 0))
	for table, n := range gone {
		if n != 0 || err != nil {
			t.Errorf("Retain with zero retention dropped %d %s, %v", n, table, err)
		}
	}
	// What rows refer to is still there for those that stayed.
	if trace, err := s.Trace(t.Context(), b.Spans[0].Trace); err != nil || len(trace) != 7 || trace[0].Resource.Version != "2.4.0" {
		t.Errorf("Trace after Retain: %d spans, %v, want 7 of version 2.4.0", len(trace), err)
	}
	must(t, s.Append(t.Context(), telemetry.Batch{Spans: []*telemetry.Span{plain(2, 1, now)}}, 2))
	if _, err := s.Trace(t.Context(), plain(2, 1, now).Trace); err != nil {
		t.Errorf("Trace of a span appended after Retain: %v", err)
	}
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
