package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/telemetry"
)

// The times of the requests below.
var (
	t0 = time.Date(2026, 3, 1, 14, 3, 0, 123456789, time.UTC)
	t1 = t0.Add(250 * time.Millisecond)
)

func ts(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }

// everyType puts an attribute of every type into m.
func everyType(m pcommon.Map) {
	m.PutStr("z.string", "text")
	m.PutBool("bool", true)
	m.PutInt("int", -42)
	m.PutDouble("double", 0.25)
	m.PutEmptyBytes("bytes").FromRaw([]byte{1, 2, 3})
	list := m.PutEmptySlice("list")
	list.AppendEmpty().SetStr("a")
	list.AppendEmpty().SetInt(2)
	nested := m.PutEmptyMap("map")
	nested.PutStr("b", "x")
	nested.PutDouble("a", 1.5)
	m.PutStr("empty", "")
	m.PutEmpty("absent")
}

func wantEveryType() telemetry.Attributes {
	return telemetry.Attributes{
		{Key: "bool", Value: "true"},
		{Key: "bytes", Value: "AQID"},
		{Key: "double", Value: "0.25"},
		{Key: "empty", Value: ""},
		{Key: "int", Value: "-42"},
		{Key: "list", Value: `["a",2]`},
		{Key: "map", Value: `{"a":1.5,"b":"x"}`},
		{Key: "z.string", Value: "text"},
	}
}

func TestASpanIsConvertedWhole(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	for k, v := range map[string]string{
		"service.name": "cart", "service.namespace": "shop", "service.version": "2.4.0",
		"k8s.pod.name": "cart-7f", "host.name": "node-1", "deployment.environment": "prod",
	} {
		rs.Resource().Attributes().PutStr(k, v)
	}
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(pcommon.TraceID{1, 2})
	s.SetSpanID(pcommon.SpanID{3, 4})
	s.SetParentSpanID(pcommon.SpanID{5, 6})
	s.SetName("POST /buy")
	s.SetKind(ptrace.SpanKindClient)
	s.SetStartTimestamp(ts(t0))
	s.SetEndTimestamp(ts(t1))
	s.Status().SetCode(ptrace.StatusCodeError)
	s.Status().SetMessage("declined")
	s.SetDroppedAttributesCount(1)
	s.SetDroppedEventsCount(2)
	s.SetDroppedLinksCount(3)
	everyType(s.Attributes())
	e := s.Events().AppendEmpty()
	e.SetName("exception")
	e.SetTimestamp(ts(t1))
	e.Attributes().PutStr("exception.type", "Declined")
	l := s.Links().AppendEmpty()
	l.SetTraceID(pcommon.TraceID{7})
	l.SetSpanID(pcommon.SpanID{8})
	l.Attributes().PutStr("why", "batch")
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	got := f.receive(t)
	want := &telemetry.Span{
		Trace: telemetry.TraceID{1, 2}, ID: telemetry.SpanID{3, 4}, Parent: telemetry.SpanID{5, 6},
		Name: "POST /buy", Kind: telemetry.KindClient, Start: t0, End: t1,
		Status: telemetry.StatusError, Message: "declined", Dropped: 6,
		Attributes: wantEveryType(),
		Events:     []telemetry.Event{{Time: t1, Name: "exception", Attributes: telemetry.Attributes{{Key: "exception.type", Value: "Declined"}}}},
		Links:      []telemetry.Link{{Trace: telemetry.TraceID{7}, Span: telemetry.SpanID{8}, Attributes: telemetry.Attributes{{Key: "why", Value: "batch"}}}},
		Resource: &telemetry.Resource{
			Service: "cart", Namespace: "shop", Version: "2.4.0", Instance: "cart-7f", Environment: "prod",
			Attributes: telemetry.Attributes{
				{Key: "deployment.environment", Value: "prod"},
				{Key: "host.name", Value: "node-1"},
				{Key: "k8s.pod.name", Value: "cart-7f"},
				{Key: "service.name", Value: "cart"},
				{Key: "service.namespace", Value: "shop"},
				{Key: "service.version", Value: "2.4.0"},
			},
		},
	}
	if diff := cmp.Diff([]*telemetry.Span{want}, got.Spans); diff != "" {
		t.Errorf("span (-want +got):\n%s", diff)
	}
	// The next request of the same sender shares the resource.
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	if again := f.receive(t); again.Spans[0].Resource != got.Spans[0].Resource {
		t.Error("equal resources of two requests are two")
	}
}

func TestEveryTypeOfMetricIsConverted(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	add := func(name string) pmetric.Metric {
		m := metrics.AppendEmpty()
		m.SetName(name)
		m.SetUnit("s")
		m.SetDescription("for people")
		return m
	}
	gauge := add("gauge").SetEmptyGauge().DataPoints()
	p := gauge.AppendEmpty()
	p.SetDoubleValue(1.5)
	p.SetTimestamp(ts(t0))
	everyType(p.Attributes())
	p.Exemplars().AppendEmpty().FilteredAttributes().PutStr("user", "anna")
	p = gauge.AppendEmpty()
	p.SetIntValue(7)
	p.SetTimestamp(ts(t1))
	none := gauge.AppendEmpty()
	none.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))

	for _, tt := range []struct {
		name        string
		monotonic   bool
		temporality pmetric.AggregationTemporality
	}{
		{"counter", true, pmetric.AggregationTemporalityCumulative},
		{"delta", true, pmetric.AggregationTemporalityDelta},
		{"level", false, pmetric.AggregationTemporalityCumulative},
	} {
		sum := add(tt.name).SetEmptySum()
		sum.SetIsMonotonic(tt.monotonic)
		sum.SetAggregationTemporality(tt.temporality)
		p := sum.DataPoints().AppendEmpty()
		p.SetIntValue(9)
		p.SetTimestamp(ts(t0))
	}
	h := add("histogram").SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	hp := h.DataPoints().AppendEmpty()
	hp.SetSum(12.5)
	hp.SetCount(5)
	hp.SetTimestamp(ts(t0))
	x := add("exponential").SetEmptyExponentialHistogram()
	x.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	xp := x.DataPoints().AppendEmpty()
	xp.SetSum(2.5)
	xp.SetCount(2)
	xp.SetTimestamp(ts(t0))
	sp := add("summary").SetEmptySummary().DataPoints().AppendEmpty()
	sp.SetSum(3)
	sp.SetCount(4)
	sp.SetTimestamp(ts(t0))
	data, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, body := post(t, "http://"+f.HTTPAddr()+"/v1/metrics", map[string]string{"Content-Type": protobufType}, data); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	unknown := &telemetry.Resource{Service: "unknown_service"}
	want := []*telemetry.Point{
		{Time: t0, Name: "gauge", Unit: "s", Value: 1.5, Attributes: wantEveryType(), Resource: unknown},
		{Time: t1, Name: "gauge", Unit: "s", Value: 7, Resource: unknown},
		{Time: t0, Name: "counter", Unit: "s", Value: 9, Cumulative: true, Resource: unknown},
		{Time: t0, Name: "delta", Unit: "s", Value: 9, Resource: unknown},
		{Time: t0, Name: "level", Unit: "s", Value: 9, Resource: unknown},
		{Time: t0, Name: "histogram", Unit: "s", Value: 12.5, Count: 5, Resource: unknown},
		{Time: t0, Name: "exponential", Unit: "s", Value: 2.5, Count: 2, Cumulative: true, Resource: unknown},
		{Time: t0, Name: "summary", Unit: "s", Value: 3, Count: 4, Cumulative: true, Resource: unknown},
	}
	if diff := cmp.Diff(want, f.receive(t).Points); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

func TestLogsStayLogsAndChangeEventsBecomeChanges(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "pricing")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()

	r := records.AppendEmpty()
	r.SetTimestamp(ts(t0))
	r.SetSeverityNumber(plog.SeverityNumberWarn)
	r.SetTraceID(pcommon.TraceID{1})
	r.SetSpanID(pcommon.SpanID{2})
	r.Body().SetStr("slow")
	everyType(r.Attributes())

	r = records.AppendEmpty()
	r.SetObservedTimestamp(ts(t1))
	r.SetEventName("feature_flag.evaluation")
	r.Attributes().PutStr("feature_flag.key", "rounding")
	r.Attributes().PutStr("feature_flag.result.variant", "banker")

	r = records.AppendEmpty()
	r.SetTimestamp(ts(t0))
	r.Attributes().PutStr("event.name", "old.name")
	r.Body().SetEmptyMap().PutStr("k", "v")

	r = records.AppendEmpty()
	r.SetTimestamp(ts(t0))
	r.SetEventName("eddy.change")
	r.Body().SetStr("rounding rolled out")
	for k, v := range map[string]string{"kind": "flag", "dimension": "flag rounding", "value": "banker", "previous": "half-up", "id": "c-1"} {
		r.Attributes().PutStr("eddy.change."+k, v)
	}
	r = records.AppendEmpty()
	r.SetTimestamp(ts(t0))
	r.SetEventName("eddy.change")
	r.Attributes().PutStr("eddy.change.kind", "nonsense")

	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, body := post(t, "http://"+f.HTTPAddr()+"/v1/logs", map[string]string{"Content-Type": protobufType}, data); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	pricing := &telemetry.Resource{Service: "pricing", Attributes: telemetry.Attributes{{Key: "service.name", Value: "pricing"}}}
	wantLogs := []*telemetry.Log{
		{Time: t0, Trace: telemetry.TraceID{1}, Span: telemetry.SpanID{2}, Severity: 13, Body: "slow", Attributes: wantEveryType(), Resource: pricing},
		{Time: t1, EventName: "feature_flag.evaluation", Resource: pricing, Attributes: telemetry.Attributes{
			{Key: "feature_flag.key", Value: "rounding"}, {Key: "feature_flag.result.variant", Value: "banker"},
		}},
		{Time: t0, EventName: "old.name", Body: `{"k":"v"}`, Resource: pricing, Attributes: telemetry.Attributes{{Key: "event.name", Value: "old.name"}}},
	}
	wantChanges := []*telemetry.Change{{
		ID: "c-1", Time: t0, Kind: telemetry.ChangeFlag, Entity: "pricing", Dimension: "flag rounding", Value: "banker", Previous: "half-up",
		Origin: telemetry.OriginReported, Source: "pricing", Summary: "rounding rolled out",
	}}
	got := f.receive(t)
	if diff := cmp.Diff(wantLogs, got.Logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantChanges, got.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if n := f.metric(t, "rejected_items_total", "logs", "change"); n != 1 {
		t.Errorf("rejected changes = %v, want 1", n)
	}
}

func TestOTLPJSONIsReadAsProtobufIs(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := traces(2, func(_ int, s ptrace.Span) { everyType(s.Attributes()) })
	data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + f.HTTPAddr() + "/v1/traces"
	for _, tt := range []struct {
		encoding string
		body     []byte
	}{{"", data}, {"gzip", gzipped(t, data)}, {"zstd", zstded(t, data)}} {
		code, _, body := post(t, url, map[string]string{"Content-Type": jsonType, "Content-Encoding": tt.encoding}, tt.body)
		if code != http.StatusOK {
			t.Fatalf("%q: status %d: %s", tt.encoding, code, body)
		}
		if got := f.receive(t); len(got.Spans) != 2 || cmp.Diff(wantEveryType(), got.Spans[1].Attributes) != "" {
			t.Errorf("%q: got %d spans, attributes %v", tt.encoding, len(got.Spans), got.Spans[0].Attributes)
		}
	}
}
