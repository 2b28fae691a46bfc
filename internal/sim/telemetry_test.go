package sim_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/telemetry"
)

// told runs a model, with some of its conditions, and returns its telemetry.
func told(t testing.TB, m *sim.Model, form sim.Format, on ...string) (*sim.MemorySink, *sim.Result) {
	t.Helper()
	sink := &sim.MemorySink{Form: form}
	set := make(map[string]bool)
	for _, c := range on {
		set[c] = true
	}
	s, err := sim.New(m, 1, sim.Settings{On: set, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sink, r
}

// Both formats are read by the Collector's own library, and mean the same.
func TestBothFormatsOfOTLPAreReadAndMeanTheSame(t *testing.T) {
	m := everything()
	m.Horizon = 25 * time.Second
	js, _ := told(t, m, sim.JSON)
	pb, _ := told(t, m, sim.Protobuf)
	if len(js.Requests) != len(pb.Requests) {
		t.Fatalf("%d requests in JSON and %d in Protobuf, want as many", len(js.Requests), len(pb.Requests))
	}
	seen := make(map[sim.Signal]int)
	for i, r := range js.Requests {
		a, b := readJSON(t, r), readProtobuf(t, pb.Requests[i])
		if a != b {
			t.Fatalf("request %d of %s differs:\n%.2000s\n%.2000s", i, r.Signal, a, b)
		}
		seen[r.Signal]++
	}
	for _, s := range []sim.Signal{sim.Traces, sim.Logs, sim.Metrics} {
		if seen[s] == 0 {
			t.Errorf("no request has %s", s)
		}
	}
}

func readJSON(t *testing.T, r sim.Request) string {
	t.Helper()
	var err error
	var out string
	switch r.Signal {
	case sim.Traces:
		v, e := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(r.Body)
		out, err = written(t, v, e)
	case sim.Logs:
		v, e := (&plog.JSONUnmarshaler{}).UnmarshalLogs(r.Body)
		out, err = written(t, v, e)
	case sim.Metrics:
		v, e := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(r.Body)
		out, err = written(t, v, e)
	}
	if err != nil {
		t.Fatalf("read %s: %v\n%.2000s", r.Signal, err, r.Body)
	}
	return out
}

func readProtobuf(t *testing.T, r sim.Request) string {
	t.Helper()
	var err error
	var out string
	switch r.Signal {
	case sim.Traces:
		v, e := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.Body)
		out, err = written(t, v, e)
	case sim.Logs:
		v, e := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(r.Body)
		out, err = written(t, v, e)
	case sim.Metrics:
		v, e := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(r.Body)
		out, err = written(t, v, e)
	}
	if err != nil {
		t.Fatalf("read %s: %v", r.Signal, err)
	}
	return out
}

// written writes what was read the way the library does.
func written(t *testing.T, v any, err error) (string, error) {
	t.Helper()
	if err != nil {
		return "", err
	}
	var out []byte
	switch x := v.(type) {
	case ptrace.Traces:
		out, err = (&ptrace.JSONMarshaler{}).MarshalTraces(x)
	case plog.Logs:
		out, err = (&plog.JSONMarshaler{}).MarshalLogs(x)
	case pmetric.Metrics:
		out, err = (&pmetric.JSONMarshaler{}).MarshalMetrics(x)
	}
	return string(out), err
}

// received reads telemetry as "eddy replay" does.
func received(t *testing.T, m *sim.Model, on ...string) (telemetry.Batch, *sim.Result) {
	t.Helper()
	var file bytes.Buffer
	set := make(map[string]bool)
	for _, c := range m.Conditions {
		set[c.ID] = slices.Contains(on, c.ID)
	}
	s, err := sim.New(m, 1, sim.Settings{On: set, Sink: sim.NewFileSink(&file)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := ingest.NewReader(ingest.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all telemetry.Batch
	for got, err := range reader.Read(&file) {
		if err != nil {
			t.Fatal(err)
		}
		all.Spans = append(all.Spans, got.Spans...)
		all.Logs = append(all.Logs, got.Logs...)
		all.Points = append(all.Points, got.Points...)
		all.Changes = append(all.Changes, got.Changes...)
	}
	return all, r
}

// shop is two services of which one reads a store, with a flag and a rule.
func shop() *sim.Model {
	ms := time.Millisecond
	return &sim.Model{
		Name: "shop", Horizon: 20 * time.Second,
		Services: []sim.Service{
			{ID: "gateway", Version: "1.0.0", Servers: 100, Calls: []sim.Call{{To: "pricing"}}},
			{
				ID: "pricing", Version: "2.1.0", Instances: 2, Servers: 100, ServiceTime: sim.ConstDist(5 * ms), Calls: []sim.Call{{To: "db"}},
				Flags: []sim.Flag{{Key: "rounding", Default: "half-up", Variant: "banker"}},
			},
		},
		Stores:    []sim.Store{{ID: "db", System: "postgresql", Servers: 100, Read: sim.ConstDist(2 * ms)}},
		Workloads: []sim.Workload{{ID: "users", Rate: sim.Rate{Const: 50}, Entry: "gateway", Op: "POST /checkout", Attributes: []sim.Attribute{{Key: "tenant", Value: "acme", Share: 0.5}}}},
		Policies: []sim.Policy{
			{From: "gateway", To: "pricing", Timeout: 200 * ms, Retry: sim.Retry{MaxAttempts: 2}, Network: sim.Network{Delay: sim.ConstDist(ms)}},
			{From: "pricing", To: "db", Pool: sim.Pool{Max: 5}},
		},
		Rules: []sim.Rule{{ID: "r", At: "pricing", Error: "RoundingMismatch", When: []sim.Atom{{Entity: "pricing", Dimension: "rounding", Value: "banker"}}}},
		Conditions: []sim.Condition{
			{ID: "flag", Kind: sim.KindFlag, Target: "pricing", Apply: []sim.Setting{{Param: "flag.rounding", Value: "banker"}}, Windows: []sim.Window{{From: 10 * time.Second, To: 15 * time.Second}}},
			{ID: "deploy", Kind: sim.KindDeploy, Target: "gateway", Apply: []sim.Setting{{Param: "version", Value: "1.1.0"}}, Windows: []sim.Window{{From: 5 * time.Second}}},
			{ID: "silent", Kind: sim.KindConfig, Target: "db", Visibility: sim.VisibleNone, Apply: []sim.Setting{{Param: "speed", Value: 0.5}}},
			{ID: "slow", Kind: sim.KindFault, Target: "db", Apply: []sim.Setting{{Param: "speed", Value: 0.5}}},
		},
	}
}

func TestARunTellsWhatEddyReads(t *testing.T) {
	all, r := received(t, shop(), "flag", "deploy", "silent", "slow")
	offered := r.Total(0, r.End).Offered
	roots := 0
	byID := make(map[telemetry.SpanID]*telemetry.Span)
	for _, s := range all.Spans {
		byID[s.ID] = s
	}
	flags, versions, tenants, resent, exceptions := map[string]int{}, map[string]int{}, 0, 0, 0
	for _, s := range all.Spans {
		service, _ := s.Resource.Attributes.Get("service.name")
		if v, ok := s.Attributes.Get("http.request.resend_count"); ok && v == "1" {
			resent++
		}
		for _, e := range s.Events {
			if v, ok := e.Attributes.Get("feature_flag.result.variant"); ok {
				flags[v]++
			}
			if v, _ := e.Attributes.Get("exception.type"); v == "RoundingMismatch" {
				exceptions++
			}
		}
		if s.Parent.IsZero() {
			roots++
			if service != "gateway" {
				t.Fatalf("a root span is of %s, want gateway", service)
			}
			v, _ := s.Resource.Attributes.Get("service.version")
			versions[v]++
			if v, _ := s.Attributes.Get("tenant"); v == "acme" {
				tenants++
			}
			continue
		}
		parent := byID[s.Parent]
		if parent == nil {
			t.Fatalf("the parent of a span of %s is missing", service)
		}
		if s.Start.Before(parent.Start) || s.End.After(parent.End) {
			t.Fatalf("%s from %v to %v is not within its parent from %v to %v", service, s.Start, s.End, parent.Start, parent.End)
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"root spans", roots, offered},
		{"requests of acme", tenants, offered / 2},
		{"on 1.1.0", versions["1.1.0"], offered * 3 / 4},
		{"banker", flags["banker"], 2 * offered / 4},
		{"attempts again", resent, offered / 4},
		{"exceptions", exceptions, 2 * offered / 4},
	} {
		if float64(c.got) < 0.85*float64(c.want) || float64(c.got) > 1.15*float64(c.want) {
			t.Errorf("%s: %d, want about %d", c.what, c.got, c.want)
		}
	}
	points := make(map[string]int)
	for _, p := range all.Points {
		points[p.Name]++
	}
	for _, name := range []string{"db.client.connection.count", "db.client.connection.max", "http.server.active_requests"} {
		if points[name] == 0 {
			t.Errorf("no point of %s", name)
		}
	}
	var changes []string
	for _, c := range all.Changes {
		changes = append(changes, fmt.Sprintf("%s %s %s %s=%s<%s", c.Time.Format("05"), c.Kind, c.Entity, c.Dimension, c.Value, c.Previous))
	}
	want := []string{"05 deploy gateway service.version=1.1.0<1.0.0", "10 flag pricing flag rounding=banker<half-up", "15 flag pricing flag rounding=half-up<banker"}
	if !slices.Equal(changes, want) {
		t.Errorf("changes %q, want %q: faults report nothing, nor does what is hidden", changes, want)
	}
}

// What is told goes out once a second, and histograms once in ten. Each says what was
// in force when it happened, and not when it goes out.
func TestWhatIsToldIsOfTheVersionAndTheFlagsThatServedIt(t *testing.T) {
	epoch := time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
	const deploy, flag = 5600 * time.Millisecond, 10600 * time.Millisecond
	m := shop()
	m.Conditions[0].Windows = []sim.Window{{From: flag}}
	m.Conditions[1].Windows = []sim.Window{{From: deploy}}
	all, _ := received(t, m, "flag", "deploy")
	version := func(s *telemetry.Span) string {
		v, _ := s.Resource.Attributes.Get("service.version")
		return v
	}
	byID := make(map[telemetry.SpanID]*telemetry.Span)
	served := make(map[string]uint64) // by version, on the gateway
	for _, s := range all.Spans {
		byID[s.ID] = s
		if !s.Parent.IsZero() {
			continue
		}
		want := "1.0.0"
		if s.Start.Sub(epoch) >= deploy {
			want = "1.1.0"
		}
		if got := version(s); got != want {
			t.Fatalf("a request of %s is told by version %s, want %s", s.Start.Format("05.000"), got, want)
		}
		served[want]++
	}
	variants := make(map[string]int)
	for _, s := range all.Spans {
		if parent := byID[s.Parent]; parent != nil && s.Kind == telemetry.KindClient && version(s) != version(parent) {
			t.Fatalf("a call of %s is told by version %s, and what makes it by %s", s.Start.Format("05.000"), version(s), version(parent))
		}
		variant, exception := "", false
		for _, e := range s.Events {
			if v, ok := e.Attributes.Get("feature_flag.result.variant"); ok {
				variant = v
			}
			if v, _ := e.Attributes.Get("exception.type"); v == "RoundingMismatch" {
				exception = true
			}
		}
		if exception != (variant == "banker") {
			t.Fatalf("a request of %s has the variant %q, and exception %t, want one if and only if it is banker", s.Start.Format("05.000"), variant, exception)
		}
		variants[variant]++
	}
	if variants["banker"] == 0 || variants["half-up"] == 0 {
		t.Errorf("variants %v, want both", variants)
	}
	sink, _ := told(t, m, sim.JSON, "flag", "deploy")
	counted := make(map[string]uint64)
	for _, r := range sink.Requests {
		if r.Signal == sim.Metrics {
			countDurations(t, r.Body, "gateway", counted)
		}
	}
	if !maps.Equal(counted, served) {
		t.Errorf("histograms of the gateway count %v by version, want %v", counted, served)
	}
}

func TestAClockThatIsSetChangesNoTimeOfBefore(t *testing.T) {
	epoch := time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
	const set, underWay = 5600 * time.Millisecond, 50 * time.Millisecond // that a request is at most
	m := shop()
	m.Conditions = append(m.Conditions, sim.Condition{
		ID: "clocks", Kind: sim.KindTelemetry, Target: "telemetry", Apply: []sim.Setting{{Param: "skew", Value: time.Minute}}, Windows: []sim.Window{{From: set}},
	})
	right, _ := received(t, m)
	wrong, _ := received(t, m, "clocks")
	told := make(map[telemetry.SpanID]*telemetry.Span)
	for _, s := range wrong.Spans {
		told[s.ID] = s
	}
	before := 0
	for _, s := range right.Spans {
		w := told[s.ID]
		switch {
		case w == nil:
			t.Fatalf("the span of %s is not told", s.Start.Format("05.000"))
		case s.End.Sub(epoch) < set:
			before++
			if !w.Start.Equal(s.Start) || !w.End.Equal(s.End) {
				t.Fatalf("what ended at %s, before the clocks were set, is told to have ended at %s", s.End.Format("05.000"), w.End.Format("05.000"))
			}
		case s.Start.Sub(epoch) > set+underWay && w.Start.Equal(s.Start):
			t.Fatalf("what began at %s is told by a clock that is right", s.Start.Format("05.000"))
		}
	}
	if before == 0 {
		t.Error("nothing ended before the clocks were set")
	}
}

// countDurations adds up what the histograms of a service count, by version.
func countDurations(t *testing.T, body []byte, service string, into map[string]uint64) {
	t.Helper()
	metrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range metrics.ResourceMetrics().All() {
		name, _ := r.Resource().Attributes().Get("service.name")
		version, _ := r.Resource().Attributes().Get("service.version")
		for _, scope := range r.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				if name.AsString() != service || metric.Type() != pmetric.MetricTypeHistogram {
					continue
				}
				for _, p := range metric.Histogram().DataPoints().All() {
					into[version.AsString()] += p.Count()
				}
			}
		}
	}
}

// What is true stands in the result. If telemetry had it, finding it would prove
// nothing.
func TestTelemetryHoldsNoTruth(t *testing.T) {
	m := shop()
	for i := range m.Conditions {
		m.Conditions[i].ID = "truth-" + m.Conditions[i].ID
	}
	m.Conditions = m.Conditions[2:] // those that no tool reports
	m.Rules[0].ID = "truth-rule"
	m.Rules[0].When, m.Rules[0].Error, m.Rules[0].Harm = nil, "", "truth-harm"
	js := &sim.MemorySink{}
	s, err := sim.New(m, 1, sim.Settings{Sink: js, On: map[string]bool{"truth-silent": true, "truth-slow": true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range js.Requests {
		if i := strings.Index(string(r.Body), "truth"); i >= 0 {
			t.Fatalf("telemetry says %.100s", r.Body[i:])
		}
	}
}

func TestThePipelineLosesWhatItIsSaidToLose(t *testing.T) {
	base := shop()
	_, all := told(t, base, sim.Protobuf)
	for _, c := range []struct {
		name string
		spec sim.Telemetry
		want float64
	}{
		{"sampling", sim.Telemetry{Sampling: 0.2}, 0.2},
		{"loss", sim.Telemetry{Loss: 0.1}, 0.9},
		{"queue", sim.Telemetry{Queue: 100}, 100. * 20 / float64(all.Telemetry.Spans)},
		{"late", sim.Telemetry{Late: 0.3, LateBy: 3 * time.Second}, 1},
	} {
		m := shop()
		m.Telemetry = c.spec
		_, r := told(t, m, sim.Protobuf)
		within(t, c.name, float64(r.Telemetry.Spans)/float64(all.Telemetry.Spans), c.want, 0.15)
		n := r.Telemetry
		if sum := n.Spans + n.Unkept + n.Lost + n.Overflow; sum != all.Telemetry.Spans {
			t.Errorf("%s: %d spans are accounted for, want %d", c.name, sum, all.Telemetry.Spans)
		}
		if digest(t, &sim.Result{Users: r.Users}) != digest(t, &sim.Result{Users: all.Users}) {
			t.Errorf("%s: what happened depends on what is told", c.name)
		}
	}
	m := shop()
	m.Telemetry = sim.Telemetry{Sampling: 0.01, KeepErrors: true}
	m.Conditions[0].Default = true
	batch, r := received(t, m, "flag")
	bad := 0
	for _, s := range batch.Spans {
		if s.Parent.IsZero() && s.Status == telemetry.StatusError {
			bad++
		}
	}
	if failed := r.Total(0, r.End).Failed; failed == 0 || bad != failed {
		t.Errorf("%d traces with an error are kept, want all %d", bad, failed)
	}
}

func TestTheSameSeedTellsTheSameBytes(t *testing.T) {
	sum := func() string {
		h := sha256.New()
		m := everything()
		m.Telemetry = sim.Telemetry{Sampling: 0.5, KeepErrors: true, Skew: 50 * time.Millisecond, Late: 0.1, LateBy: time.Second}
		sink, _ := told(t, m, sim.Protobuf)
		for _, r := range sink.Requests {
			h.Write(r.Body)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	first := sum()
	before := runtime.GOMAXPROCS(1)
	second := sum()
	runtime.GOMAXPROCS(before)
	if first != second {
		t.Errorf("sha256 %s and then %s", first, second)
	}
}

// A measurement that stands out leads to the trace that it is of.
func TestDurationsHaveExemplarsOfTracesThatWereKept(t *testing.T) {
	m := shop()
	m.Horizon = 25 * time.Second
	m.Telemetry.Sampling = 0.3
	sink, _ := told(t, m, sim.Protobuf)
	durations := make(map[string]float64) // of server spans
	kept := 0
	for _, r := range sink.Requests {
		if r.Signal != sim.Traces {
			continue
		}
		traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, rs := range traces.ResourceSpans().All() {
			for _, s := range rs.ScopeSpans().At(0).Spans().All() {
				durations[s.TraceID().String()+s.SpanID().String()] = float64(s.EndTimestamp()-s.StartTimestamp()) / 1e9
			}
		}
	}
	for _, r := range sink.Requests {
		if r.Signal != sim.Metrics {
			continue
		}
		metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, rm := range metrics.ResourceMetrics().All() {
			for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
				if metric.Type() != pmetric.MetricTypeHistogram {
					continue
				}
				p := metric.Histogram().DataPoints().At(0)
				for _, x := range p.Exemplars().All() {
					kept++
					took, ok := durations[x.TraceID().String()+x.SpanID().String()]
					if !ok || math.Abs(took-x.DoubleValue()) > 1e-9 || x.Timestamp() > p.Timestamp() || x.Timestamp() < p.StartTimestamp() {
						t.Fatalf("an exemplar of %v s at %v names trace %s, whose span took %v s (known: %v)", x.DoubleValue(), x.Timestamp(), x.TraceID(), took, ok)
					}
				}
			}
		}
	}
	if kept < 6 {
		t.Errorf("there are %d exemplars", kept)
	}
}
