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

func positionIsTheHighestGiven(t *testing.T, s store.Store) {
	for _, c := range []struct{ give, want uint64 }{{7, 7}, {3, 7}, {1<<63 + 5, 1<<63 + 5}, {0, 1<<63 + 5}} {
		must(t, s.Append(t.Context(), telemetry.Batch{}, c.give))
		if p, err := s.Position(t.Context()); err != nil || p != c.want {
			t.Fatalf("Position after %d = %d, %v, want %d", c.give, p, err, c.want)
		}
	}
}
