package request_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

func spanID(n uint64) (id telemetry.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

// traces draws spans of a few traces, some of which are broken: parents that
// are missing, are the span itself, or make a cycle; links to anywhere.
func traces() *rapid.Generator[[]*telemetry.Span] {
	return rapid.Custom(func(t *rapid.T) []*telemetry.Span {
		resources := []*telemetry.Resource{
			eddytest.Resource(map[string]string{"service.name": "a"}),
			eddytest.Resource(map[string]string{"service.name": "b"}),
			eddytest.Resource(map[string]string{"service.name": "c"}),
		}
		var spans []*telemetry.Span
		for tr := range rapid.IntRange(1, 3).Draw(t, "traces") {
			n := rapid.IntRange(1, 12).Draw(t, "spans")
			for i := range n {
				s := &telemetry.Span{
					Trace:    eddytest.TraceID(fmt.Sprint(tr)),
					ID:       spanID(uint64(i + 1)),
					Parent:   spanID(uint64(rapid.IntRange(0, n+1).Draw(t, "parent"))),
					Kind:     telemetry.Kind(rapid.IntRange(0, 5).Draw(t, "kind")),
					Name:     "work",
					Status:   telemetry.Status(rapid.IntRange(0, 2).Draw(t, "status")),
					Resource: rapid.SampledFrom(resources).Draw(t, "resource"),
				}
				s.Start = eddytest.Start().Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "start")) * time.Millisecond)
				s.End = s.Start.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "duration")) * time.Millisecond)
				if rapid.IntRange(0, 3).Draw(t, "linked") == 0 {
					s.Links = []telemetry.Link{{
						Trace: eddytest.TraceID(fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "to"))),
						Span:  spanID(uint64(rapid.IntRange(1, 12).Draw(t, "span"))),
					}}
				}
				spans = append(spans, s)
			}
		}
		return spans
	})
}

// all describes what an assembler made of the spans, given in batches within
// the quiet time.
func all(spans []*telemetry.Span, cut func(n int) int) string {
	var out strings.Builder
	a := request.New(request.Config{})
	now := eddytest.Start()
	for len(spans) > 0 {
		n := cut(len(spans))
		a.Add(now, spans[:n])
		spans = spans[n:]
		for _, r := range a.Flush(now) {
			out.WriteString(describe(r))
		}
		now = now.Add(10 * time.Millisecond)
	}
	for _, r := range a.Flush(now.Add(time.Hour)) {
		out.WriteString(r.ID.String() + " " + describe(r))
	}
	s := a.Stats()
	if s.OpenTraces != 0 {
		fmt.Fprintf(&out, "open traces: %d\n", s.OpenTraces)
	}
	out.WriteString(describeStats(s))
	return out.String()
}

func TestOrderOfArrivalAndBatchesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := traces().Draw(t, "traces")
		want := all(spans, func(n int) int { return n })
		shuffled := rapid.Permutation(spans).Draw(t, "order")
		got := all(shuffled, func(n int) int { return rapid.IntRange(1, n).Draw(t, "batch") })
		if got != want {
			t.Fatalf("in another order:\n%s\nin order:\n%s", got, want)
		}
	})
}

func TestEachSpanIsInAtMostOneRequestAfterItsParent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := traces().Draw(t, "traces")
		a := request.New(request.Config{})
		a.Add(eddytest.Start(), spans)
		seen := make(map[string]bool)
		for _, r := range a.Drain(eddytest.Start()) {
			if r.Spans[0].ID != r.ID.Span || r.Spans[0].Trace != r.ID.Trace {
				t.Fatalf("request %v begins with span %v", r.ID, r.Spans[0].ID)
			}
			at := make(map[telemetry.SpanID]int)
			for i, s := range r.Spans {
				key := s.Trace.String() + s.ID.String()
				if seen[key] {
					t.Fatalf("span %s is in two requests, or twice in one", key)
				}
				seen[key] = true
				at[s.ID] = i
			}
			for i, s := range r.Spans[1:] {
				if p, ok := at[s.Parent]; ok && s.Parent != s.ID && p > i+1 && r.Gaps.MissingParents == 0 {
					t.Fatalf("span %v stands before its parent %v", s.ID, s.Parent)
				}
			}
		}
	})
}

func TestASpanThatIsSentTwiceCountsOnce(t *testing.T) {
	spans := parse(t, "gateway POST /buy 100ms\n  cart get 10ms")
	a := request.New(request.Config{})
	now := eddytest.Start()
	a.Add(now, spans)
	a.Add(now, spans)
	got := a.Flush(now.Add(5 * time.Second))
	if len(got) != 1 || len(got[0].Spans) != 2 {
		t.Fatalf("requests %v, want one of two spans", got)
	}
	a.Add(now.Add(6*time.Second), spans) // a client that did not hear the answer
	if again := a.Drain(now.Add(time.Minute)); len(again) != 0 {
		t.Errorf("the same spans after the release gave %d more requests", len(again))
	}
	if s := a.Stats(); s.Duplicates != 4 || s.Late != 0 {
		t.Errorf("%d duplicates and %d late spans, want 4 and 0", s.Duplicates, s.Late)
	}
}

func parse(t testing.TB, text string) []*telemetry.Span {
	t.Helper()
	spans, err := eddytest.ParseTrace(text)
	if err != nil {
		t.Fatal(err)
	}
	return spans
}

func TestACallerThatSendsNothingIsNotWaitedForAgain(t *testing.T) {
	a := request.New(request.Config{})
	now := eddytest.Start()
	visit := func(n int) *telemetry.Span {
		spans := parse(t, fmt.Sprintf("trace visit-%d\nfront GET 1s lost\n  gateway GET 900ms http.request.method=GET http.route=/", n))
		return spans[0]
	}
	for n := range 3 {
		a.Add(now, []*telemetry.Span{visit(n)})
	}
	if got := a.Flush(now.Add(10 * time.Second)); len(got) != 0 {
		t.Fatalf("%d requests before the parent was waited for", len(got))
	}
	for _, r := range a.Flush(now.Add(time.Minute)) {
		if !r.Gaps.MissingRoot {
			t.Errorf("request %v does not miss its root, though nothing says that it never comes", r.ID)
		}
	}
	now = now.Add(2 * time.Minute)
	a.Add(now, []*telemetry.Span{visit(3)})
	got := a.Flush(now.Add(5 * time.Second))
	if len(got) != 1 || got[0].Gaps.MissingRoot {
		t.Errorf("after three visits without a parent: %v, want the fourth after the quiet time and without a gap", got)
	}
}

// wide makes one trace of n spans whose root comes last.
func wide(n int) []*telemetry.Span {
	res := eddytest.Resource(map[string]string{"service.name": "batch"})
	spans := make([]*telemetry.Span, n)
	for i := range n {
		parent := uint64(1)
		if i > 10 {
			parent = uint64(i/2 + 1)
		}
		spans[n-1-i] = &telemetry.Span{
			Trace: eddytest.TraceID("wide"), ID: spanID(uint64(i + 1)), Parent: spanID(parent), Resource: res,
			Name: "step", Kind: telemetry.KindInternal,
			Start: eddytest.Start(), End: eddytest.Start().Add(time.Second),
		}
	}
	spans[n-1].Parent, spans[n-1].Kind = telemetry.SpanID{}, telemetry.KindServer
	return spans
}

func TestATraceOf50000SpansIsTruncatedAndKeepsItsRoot(t *testing.T) {
	a := request.New(request.Config{})
	a.Add(eddytest.Start(), wide(50_000))
	got := a.Flush(eddytest.Start().Add(5 * time.Second))
	if len(got) != 1 || len(got[0].Spans) != 10_001 || !got[0].Gaps.Truncated || got[0].Gaps.MissingParents != 0 {
		t.Fatalf("%d requests, the first of %d spans with %+v; want one of 10001 spans, truncated", len(got), len(got[0].Spans), got[0].Gaps)
	}
	if s := a.Stats(); s.TruncatedSpans != 39_999 || s.HeldSpans != 0 {
		t.Errorf("stats %+v: want 39999 truncated spans and none held", s)
	}
}

func TestWhatIsHeldStaysWithinItsBounds(t *testing.T) {
	a := request.New(request.Config{MaxSpans: 100, MaxTraces: 60})
	now := eddytest.Start()
	res := eddytest.Resource(map[string]string{"service.name": "a"})
	requests := 0
	for i := range 5_000 {
		a.Add(now, []*telemetry.Span{{
			Trace: eddytest.TraceID(fmt.Sprint(i / 3)), ID: spanID(uint64(i + 1)), Resource: res,
			Kind: telemetry.KindProducer, Start: now, End: now,
		}})
		if s := a.Stats(); s.HeldSpans > 100 || s.OpenTraces > 60 {
			t.Fatalf("after %d spans: %d held in %d traces, want at most 100 in 60", i, s.HeldSpans, s.OpenTraces)
		}
		if i%50 == 49 {
			requests += len(a.Flush(now))
		}
		now = now.Add(time.Millisecond)
	}
	requests += len(a.Drain(now))
	s := a.Stats()
	if s.EarlyTraces == 0 {
		t.Error("no trace was released early, though three quarters of the bound were in use")
	}
	if s.Refused > 0 || s.HeldSpans > 100 {
		t.Errorf("%d requests, %d refused spans of 5000, %d held: want none refused at half the bound a flush", requests, s.Refused, s.HeldSpans)
	}
	if requests < 5_000/3 {
		t.Errorf("%d requests of 5000 producer spans in 1667 traces: want at least one a trace", requests)
	}
}

func TestClocksThatAreFarOffAreHandled(t *testing.T) {
	a := request.New(request.Config{})
	now := eddytest.Start()
	res := eddytest.Resource(map[string]string{"service.name": "a"})
	for i, start := range []time.Time{time.Unix(0, 0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), {}, time.Unix(1<<40, 0)} {
		trace := eddytest.TraceID(fmt.Sprint(i))
		a.Add(now, []*telemetry.Span{
			{Trace: trace, ID: spanID(1), Resource: res, Kind: telemetry.KindServer, Start: start, End: now},
			{Trace: trace, ID: spanID(2), Parent: spanID(1), Resource: res, Start: now, End: start},
			{Trace: trace, ID: spanID(3), Parent: spanID(9), Resource: res, Start: now, End: start},
		})
	}
	got := a.Flush(now.Add(10 * time.Second))
	if len(got) != 4 {
		t.Fatalf("%d requests, want 4", len(got))
	}
	for _, r := range got {
		if len(r.Spans) != 3 || r.Duration < 0 {
			t.Errorf("request from %v has %d spans and took %v", r.Start, len(r.Spans), r.Duration)
		}
	}
}

func TestObjectivesDecideWhatIsSlow(t *testing.T) {
	c := request.Config{Objectives: []request.Objective{
		{Entry: "gateway POST /checkout", Latency: 300 * time.Millisecond},
		{Entry: "gateway *", Latency: time.Second},
	}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	a := request.New(c)
	a.Add(eddytest.Start(), parse(t, `
gateway POST /checkout 301ms
trace 2
gateway GET /cart 999ms
trace 3
gateway GET /cart 1001ms
trace 4
gateway GET /cart 1001ms error
trace 5
cart GET 20s`))
	var got []string
	for _, r := range a.Drain(eddytest.Start()) {
		got = append(got, fmt.Sprint(r.Entry, " ", r.Duration, " ", r.Outcome))
	}
	slices.Sort(got)
	want := []string{
		"cart GET 20s ok",
		"gateway GET /cart 1.001s failed",
		"gateway GET /cart 1.001s slow",
		"gateway GET /cart 999ms ok",
		"gateway POST /checkout 301ms slow",
	}
	if !slices.Equal(got, want) {
		t.Errorf("outcomes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// serve plays minutes of traffic at one entry and returns the share of slow
// requests of each minute. During an incident every fifth request takes two
// seconds.
func serve(a *request.Assembler, from, minutes, perMinute int, incident bool, rng *rand.Rand) []float64 {
	res := eddytest.Resource(map[string]string{"service.name": "gateway"})
	var shares []float64
	for m := from; m < from+minutes; m++ {
		start := eddytest.Start().Add(time.Duration(m) * time.Minute)
		for i := range perMinute {
			d := time.Duration(80+rng.ExpFloat64()*30) * time.Millisecond
			if incident && i%5 == 0 {
				d = 2 * time.Second
			}
			a.Add(start, []*telemetry.Span{{
				Trace: eddytest.TraceID(fmt.Sprint(m, "/", i)), ID: spanID(uint64(i + 1)), Resource: res,
				Name: "GET /", Kind: telemetry.KindServer, Start: start, End: start.Add(d),
			}})
		}
		slow := 0
		for _, r := range a.Flush(start.Add(10 * time.Second)) {
			if r.Outcome == request.Slow {
				slow++
			}
		}
		shares = append(shares, float64(slow)/float64(perMinute))
	}
	return shares
}

func TestUsualLatencyIsLearnedAndDoesNotChaseAnIncident(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := request.New(request.Config{})
	calm := serve(a, 0, 30, 120, false, rng)
	for m, share := range calm {
		if share > 0.02 {
			t.Errorf("minute %d without an incident: %.3f of the requests slow, want hardly any", m, share)
		}
	}
	for m, share := range serve(a, 30, 120, 120, true, rng) {
		if share < 0.19 || share > 0.23 {
			t.Errorf("minute %d of the incident: %.3f of the requests slow, want the fifth that is", m, share)
		}
	}
	for m, share := range serve(a, 150, 10, 120, false, rng) {
		if share > 0.02 {
			t.Errorf("minute %d after the incident: %.3f of the requests slow", m, share)
		}
	}
}

func TestUsualLatencyHoldsWhenTheIncidentBeginsSoonAfterTheStart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := request.New(request.Config{})
	serve(a, 0, 3, 120, false, rng)
	for m, share := range serve(a, 3, 30, 120, true, rng) {
		if share < 0.19 || share > 0.23 {
			t.Errorf("minute %d of the incident: %.3f of the requests slow, want the fifth that is", m, share)
		}
	}
}

func TestConfigsThatMeanNothingAreRefused(t *testing.T) {
	for want, c := range map[string]request.Config{
		"quiet":                     {Quiet: -1},
		"max spans":                 {MaxSpans: -1},
		"is shorter than quiet":     {Quiet: time.Hour},
		"objective 1 names no":      {Objectives: []request.Objective{{Latency: 1}}},
		"objective 1 (a b) has lat": {Objectives: []request.Objective{{Entry: "a b"}}},
		"quantile is 1.5":           {Usual: request.Usual{Quantile: 1.5}},
		"tolerance is 0.5":          {Usual: request.Usual{Tolerance: 0.5}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want an error with %q", err, want)
		}
	}
	if err := (request.Config{}).Validate(); err != nil {
		t.Errorf("the zero config is refused: %v", err)
	}
}

func BenchmarkAssemble(b *testing.B) {
	res := []*telemetry.Resource{
		eddytest.Resource(map[string]string{"service.name": "gateway"}),
		eddytest.Resource(map[string]string{"service.name": "cart"}),
	}
	var spans []*telemetry.Span
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		a := request.New(request.Config{})
		spans = spans[:0]
		for tr := range 1_000 {
			trace := telemetry.TraceID{0: 1, 14: byte(tr >> 8), 15: byte(tr)}
			for i := range 10 {
				s := &telemetry.Span{
					Trace: trace, ID: spanID(uint64(tr*10 + i + 1)), Resource: res[i%2], Name: "step",
					Start: eddytest.Start().Add(time.Duration(i)), End: eddytest.Start().Add(time.Second),
				}
				if i > 0 {
					s.Parent, s.Kind = spanID(uint64(tr*10+(i+1)/2)), telemetry.KindInternal
				} else {
					s.Kind = telemetry.KindServer
				}
				spans = append(spans, s)
			}
		}
		a.Add(eddytest.Start(), spans)
		if got := a.Drain(eddytest.Start()); len(got) != 1_000 {
			b.Fatalf("%d requests", len(got))
		}
		n += len(spans)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "spans/s")
}
