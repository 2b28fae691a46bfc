package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.test/eddy/internal/ingest"
)

// A fixture is a running server, and what a test needs to look into it.
type fixture struct {
	*ingest.Server
	registry *prometheus.Registry
	dir      string
}

// serve starts a server on free ports. The test's end shuts it down.
func serve(t testing.TB, cfg ingest.Config, opts ingest.Options) *fixture {
	t.Helper()
	f := open(t, cfg, opts)
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// open makes a server that does not listen.
func open(t testing.TB, cfg ingest.Config, opts ingest.Options) *fixture {
	t.Helper()
	if cfg.GRPC == "" {
		cfg.GRPC = "127.0.0.1:0"
	}
	if cfg.HTTP == "" {
		cfg.HTTP = "127.0.0.1:0"
	}
	if cfg.Journal.Dir == "" {
		cfg.Journal.Dir = filepath.Join(t.TempDir(), "journal")
	}
	f := &fixture{registry: prometheus.NewRegistry(), dir: cfg.Journal.Dir}
	opts.Registerer = f.registry
	s, err := ingest.New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = s
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return f
}

// metric returns the sum of a metric's series that have the label values.
func (f *fixture) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "eddy_ingest_"+name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			have := map[string]bool{}
			for _, l := range m.GetLabel() {
				have[l.GetValue()] = true
			}
			for _, want := range labels {
				if !have[want] {
					continue series
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// settledMetric returns a metric once it is at least as large as wanted, or what
// it is after 10 seconds.
func (f *fixture) settledMetric(t testing.TB, want float64, name string, labels ...string) float64 {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	got := f.metric(t, name, labels...)
	for deadline := time.Now().Add(10 * time.Second); got < want && time.Now().Before(deadline); <-tick.C {
		got = f.metric(t, name, labels...)
	}
	return got
}

// receive takes one batch.
func (f *fixture) receive(t testing.TB) ingest.Received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := f.Receive(ctx)
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	return got
}

// empty reports whether nothing waits to be received.
func (f *fixture) empty(t testing.TB) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.Receive(ctx)
	return errors.Is(err, context.DeadlineExceeded)
}

// post sends a request and returns status, header and body of the answer.
func post(t testing.TB, url string, header map[string]string, body []byte) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

func (f *fixture) postTraces(t testing.TB, td ptrace.Traces) (int, http.Header, string) {
	t.Helper()
	return post(t, "http://"+f.HTTPAddr()+"/v1/traces", map[string]string{"Content-Type": protobufType}, encodeTraces(t, td))
}

func plain() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1 << 30))}
}

// dial returns a gRPC client for traces.
func (f *fixture) dial(t testing.TB, opts ...grpc.DialOption) ptraceotlp.GRPCClient {
	t.Helper()
	conn, err := grpc.NewClient(f.GRPCAddr(), append(plain(), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return ptraceotlp.NewGRPCClient(conn)
}

func encodeTraces(t testing.TB, td ptrace.Traces) []byte {
	t.Helper()
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// traces builds a request with n spans of the service cart, each of which fill
// may change.
func traces(n int, fill func(i int, s ptrace.Span)) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "cart")
	rs.Resource().Attributes().PutStr("service.version", "2.4.0")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	spans.EnsureCapacity(n)
	start := time.Now().Add(-time.Minute)
	for i := range n {
		s := spans.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.SetSpanID(pcommon.SpanID{2, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		s.SetName("POST /buy")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(20 * time.Millisecond)))
		if fill != nil {
			fill(i, s)
		}
	}
	return td
}

func TestSpansArriveOverHTTPAndGRPC(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	if code, _, body := f.postTraces(t, traces(3, nil)); code != http.StatusOK {
		t.Fatalf("HTTP: status %d: %s", code, body)
	}
	if _, err := f.dial(t).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(2, nil))); err != nil {
		t.Fatalf("gRPC: %v", err)
	}
	for i, want := range []int{3, 2} {
		got := f.receive(t)
		if len(got.Spans) != want || got.Position != uint64(i+1) || got.First.IsZero() || got.Last.Sub(got.First) != 20*time.Millisecond {
			t.Errorf("batch %d: %d spans at position %d from %v to %v, want %d spans over 20ms", i, len(got.Spans), got.Position, got.First, got.Last, want)
		}
		if s := got.Spans[0]; s.Name != "POST /buy" || s.Resource.Service != "cart" || s.Resource.Version != "2.4.0" {
			t.Errorf("batch %d: span %q of %+v, want POST /buy of cart 2.4.0", i, s.Name, s.Resource)
		}
	}
	if got := f.metric(t, "accepted_items_total", "spans"); got != 5 {
		t.Errorf("accepted_items_total = %v, want 5", got)
	}
}
