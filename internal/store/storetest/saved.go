package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

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
