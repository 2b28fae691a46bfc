package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/eddytest"
)

// benchSpans is the size of a batch: what the SDKs' and the Collector's batchers
// send by default.
const benchSpans = 512

// benchRequest encodes a request as a fleet of eight services sends it: about
// ten attributes a span, of which one is an id.
func benchRequest(b *testing.B) []byte {
	b.Helper()
	td := ptrace.NewTraces()
	now := time.Now()
	for svc := range 8 {
		rs := td.ResourceSpans().AppendEmpty()
		for k, v := range map[string]string{
			"service.name": fmt.Sprintf("service-%d", svc), "service.version": "2.4.0", "service.instance.id": fmt.Sprintf("instance-%d", svc),
			"deployment.environment.name": "production", "host.name": "node-1", "telemetry.sdk.language": "go", "telemetry.sdk.name": "opentelemetry",
		} {
			rs.Resource().Attributes().PutStr(k, v)
		}
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp")
		for i := range benchSpans / 8 {
			s := ss.Spans().AppendEmpty()
			s.SetTraceID(pcommon.TraceID{1, byte(i), byte(svc)})
			s.SetSpanID(pcommon.SpanID{2, byte(i), byte(svc)})
			s.SetParentSpanID(pcommon.SpanID{3, byte(i)})
			s.SetName([]string{"GET /cart/{id}", "POST /buy", "SELECT orders", "charge"}[i%4])
			s.SetKind(ptrace.SpanKindServer)
			s.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
			s.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(20 * time.Millisecond)))
			a := s.Attributes()
			a.PutStr("http.request.method", "GET")
			a.PutStr("http.route", "/cart/{id}")
			a.PutStr("url.scheme", "http")
			a.PutStr("server.address", "cart.shop.svc.cluster.local")
			a.PutInt("server.port", 8080)
			a.PutInt("http.response.status_code", 200)
			a.PutStr("user_agent.original", "Go-http-client/1.1")
			a.PutStr("network.protocol.version", "1.1")
			a.PutStr("feature_flag.result.variant", "banker")
			a.PutStr("order.id", fmt.Sprintf("order-%d-%d-%d", svc, i, now.UnixNano()%100_000))
		}
	}
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func decode(b *testing.B, data []byte) ptrace.Traces {
	b.Helper()
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	if err != nil {
		b.Fatal(err)
	}
	return td
}

// perSecond reports spans per second of CPU time, used since start; garbage
// collection is in it.
func perSecond(b *testing.B, start time.Duration) {
	b.ReportMetric(float64(b.N)*benchSpans/(eddytest.ProcessorTime(b)-start).Seconds(), "spans/cpu-s")
}

func benchBorder(b *testing.B) *border {
	b.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		b.Fatal(err)
	}
	return newBorder(Config{}.withDefaults().Bounds, newRedactor(RedactConfig{}), m)
}

// BenchmarkUnmarshal is what the wire format costs before any of our work.
func BenchmarkUnmarshal(b *testing.B) {
	data := benchRequest(b)
	b.ReportAllocs()
	start := eddytest.ProcessorTime(b)
	for b.Loop() {
		decode(b, data)
	}
	perSecond(b, start)
}

// BenchmarkDecodeToBatch unmarshals, checks, redacts and converts.
func BenchmarkDecodeToBatch(b *testing.B) {
	data := benchRequest(b)
	border := benchBorder(b)
	b.ReportAllocs()
	start := eddytest.ProcessorTime(b)
	for b.Loop() {
		w := border.begin(time.Now())
		if n := len(w.traces(decode(b, data))); n != benchSpans {
			b.Fatalf("%d spans, want %d", n, benchSpans)
		}
		w.end()
	}
	perSecond(b, start)
}

// BenchmarkAccept is the whole path of a request behind the transport:
// unmarshal, check, redact, convert, journal, queue, take.
func BenchmarkAccept(b *testing.B) {
	data := benchRequest(b)
	s, err := New(Config{Journal: JournalConfig{Dir: b.TempDir(), MaxBytes: 256 << 30}}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	start := eddytest.ProcessorTime(b)
	for b.Loop() {
		if err := s.consumeTraces(context.Background(), decode(b, data)); err != nil {
			b.Fatal(err)
		}
		got, err := s.Receive(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Release(got.Position); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, start)
}

// BenchmarkJournalAppend writes records of 128 KiB, with fsync twice a second.
func BenchmarkJournalAppend(b *testing.B) {
	m, err := newMetrics(nil)
	if err != nil {
		b.Fatal(err)
	}
	j, err := openJournal(JournalConfig{Dir: b.TempDir(), SegmentBytes: 64 << 20, MaxBytes: 1 << 40}, 0, slog.New(slog.DiscardHandler), m)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	payload := make([]byte, 128<<10)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := j.Append(recordTraces, time.Now(), payload, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := j.Release(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	rules := newRedactor(RedactConfig{})
	for _, bb := range []struct{ name, text string }{
		{"route", "/cart/{id}/items"},
		{"id", "order-7-12-8812345"},
		{"sql", "SELECT id, total FROM orders WHERE customer = ? AND state IN (?, ?) ORDER BY created DESC LIMIT 50"},
		{"numbers", "1772373780000000000 1772373780000000001"},
		{"email", "order of anna@example.com was declined"},
		{"stack", strings.Repeat("at com.example.shop.Cart.total(Cart.java:118)\n", 80)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var h hits
			b.SetBytes(int64(len(bb.text)))
			b.ReportAllocs()
			for b.Loop() {
				rules.text(bb.text, &h)
			}
		})
	}
}

// BenchmarkNesting is what the check for deep nesting adds to large requests.
func BenchmarkNesting(b *testing.B) {
	data := benchRequest(b)
	b.SetBytes(int64(len(data)))
	start := eddytest.ProcessorTime(b)
	for b.Loop() {
		if err := checkNesting(data); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, start)
}
