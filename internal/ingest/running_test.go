package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/ingest"
)

func TestStockExportersAreUnderstood(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	for name, open := range map[string]func() (*otlptrace.Exporter, error){
		"grpc": func() (*otlptrace.Exporter, error) {
			return otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(f.GRPCAddr()), otlptracegrpc.WithInsecure(), otlptracegrpc.WithCompressor("gzip"))
		},
		"http": func() (*otlptrace.Exporter, error) {
			return otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(f.HTTPAddr()), otlptracehttp.WithInsecure(), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		},
	} {
		t.Run(name, func(t *testing.T) {
			exporter, err := open()
			if err != nil {
				t.Fatal(err)
			}
			provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
				sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", name))))
			for range 100 {
				ctx, parent := provider.Tracer("test").Start(t.Context(), "parent")
				_, child := provider.Tracer("test").Start(ctx, "child")
				child.RecordError(errors.New("declined"))
				child.End()
				parent.End()
			}
			if err := provider.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := 0
			for n < 200 {
				got := f.receive(t)
				n += len(got.Spans)
				for _, s := range got.Spans {
					if s.Resource.Service != name || s.Name == "child" && (s.Parent.IsZero() || s.Events[0].Name != "exception") {
						t.Fatalf("span %+v of %q, want one of %q", s, s.Resource.Service, name)
					}
				}
			}
			if n != 200 {
				t.Errorf("%d spans, want 200", n)
			}
		})
	}
}

// tokens returns a list with one token of each of two roles.
func tokens(t testing.TB) *access.List {
	t.Helper()
	l, err := access.New([]access.Token{
		{Name: "collector", Role: access.Ingest, Token: "collector-token-1"},
		{Name: "vera", Role: access.Viewer, Token: "viewer-token-12345"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSendersNeedAnIngestTokenIfThereAreTokens(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{Tokens: tokens(t)})
	for _, tt := range []struct {
		header string
		http   int
		grpc   codes.Code
	}{
		{"", http.StatusUnauthorized, codes.Unauthenticated},
		{"Bearer nobody-token-1234", http.StatusUnauthorized, codes.Unauthenticated},
		{"Bearer viewer-token-12345", http.StatusForbidden, codes.PermissionDenied},
		{"Bearer collector-token-1", http.StatusOK, codes.OK},
	} {
		for path, body := range map[string][]byte{
			"/v1/traces":      encodeTraces(t, traces(1, nil)),
			"/api/v1/changes": fmt.Appendf(nil, `{"id":%q,"time":"2026-03-01T14:03:00Z","kind":"deploy","entity":"cart","dimension":"service.version","value":"1"}`, tt.header),
		} {
			contentType := protobufType
			if path == "/api/v1/changes" {
				contentType = jsonType
			}
			code, _, text := post(t, "http://"+f.HTTPAddr()+path, map[string]string{"Content-Type": contentType, "Authorization": tt.header}, body)
			if code != tt.http {
				t.Errorf("%s with %q: status %d: %s, want %d", path, tt.header, code, text, tt.http)
			}
		}
		ctx := t.Context()
		if tt.header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", tt.header)
		}
		if _, err := f.dial(t).Export(ctx, ptraceotlp.NewExportRequestFromTraces(traces(1, nil))); status.Code(err) != tt.grpc {
			t.Errorf("gRPC with %q: %v, want %v", tt.header, err, tt.grpc)
		}
	}
	for range 3 { // HTTP, change, gRPC
		f.receive(t)
	}
	if !f.empty(t) {
		t.Error("something arrived without a token")
	}
}

func TestListeningElsewhereWithoutProtectionIsRefused(t *testing.T) {
	cfg := ingest.Config{GRPC: "0.0.0.0:0", HTTP: "127.0.0.1:0", Journal: ingest.JournalConfig{Dir: t.TempDir()}}
	if _, err := ingest.New(cfg, ingest.Options{Tokens: tokens(t)}); err == nil || !strings.Contains(err.Error(), "--insecure-listen") {
		t.Errorf("New = %v, want a refusal that says what to do", err)
	}
	cfg.InsecureListen = true
	s, err := ingest.New(cfg, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOverloadIsRefusedRetryablyAndRecovers(t *testing.T) {
	f := serve(t, ingest.Config{Bounds: ingest.Bounds{QueueBytes: 256 << 10}}, ingest.Options{})
	accepted := 0
	var code int
	var header http.Header
	var body string
	for accepted < 1000 {
		if code, header, body = f.postTraces(t, traces(100, nil)); code != http.StatusOK {
			break
		}
		accepted++
	}
	if code != http.StatusTooManyRequests || header.Get("Retry-After") != "2" {
		t.Fatalf("when full: status %d, Retry-After %q: %s, want 429 and 2", code, header.Get("Retry-After"), body)
	}
	client := f.dial(t)
	_, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(100, nil)))
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted || len(st.Details()) != 1 {
		t.Fatalf("gRPC when full: %v, want ResourceExhausted with a delay", err)
	}
	if info, ok := st.Details()[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() != 2*time.Second {
		t.Errorf("detail %v, want RetryInfo of 2s", st.Details()[0])
	}
	if q := f.metric(t, "queue_bytes"); q > 256<<10 || q == 0 {
		t.Errorf("queue_bytes = %v, want up to 256 KiB", q)
	}
	// One batch is taken: there is room again, and what was refused left
	// nothing behind.
	for i := range accepted {
		if got := f.receive(t); len(got.Spans) != 100 || got.Position != uint64(i+1) {
			t.Fatalf("batch %d: %d spans at position %d", i, len(got.Spans), got.Position)
		}
	}
	if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(100, nil))); err != nil {
		t.Errorf("after the load: %v", err)
	}
	if got := f.receive(t); got.Position != uint64(accepted+1) {
		t.Errorf("position %d, want %d: a refused request was journaled", got.Position, accepted+1)
	}
}

func TestAFullJournalIsRefusedRetryablyAndRecovers(t *testing.T) {
	f := serve(t, ingest.Config{Journal: ingest.JournalConfig{SegmentBytes: 16 << 10, MaxBytes: 64 << 10}}, ingest.Options{})
	for range 1000 {
		code, header, body := f.postTraces(t, traces(50, nil))
		if code == http.StatusOK {
			continue
		}
		if code != http.StatusTooManyRequests || header.Get("Retry-After") == "" || !strings.Contains(body, "journal full") {
			t.Fatalf("status %d, %q, want 429 that names the journal", code, body)
		}
		break
	}
	var last uint64
	for !f.empty(t) { // takes one when it is not
		last++
	}
	if err := f.Release(last); err != nil {
		t.Fatal(err)
	}
	if code, _, body := f.postTraces(t, traces(50, nil)); code != http.StatusOK {
		t.Errorf("after Release: status %d: %s", code, body)
	}
}

func TestTooManyRequestsAtATimeAreRefusedRetryably(t *testing.T) {
	f := serve(t, ingest.Config{Bounds: ingest.Bounds{Requests: 1}}, ingest.Options{})
	// A request whose body never comes holds the only place.
	conn, err := net.Dial("tcp", f.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", protobufType); err != nil {
		t.Fatal(err)
	}
	// The server asks for the body once the request has its place.
	buf := make([]byte, 25)
	if _, err := conn.Read(buf); err != nil || !strings.Contains(string(buf), "100 Continue") {
		t.Fatalf("read %q, %v, want 100 Continue", buf, err)
	}
	if code, header, body := f.postTraces(t, traces(1, nil)); code != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("status %d: %s, want 429 with Retry-After", code, body)
	}
	if _, err := f.dial(t).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(1, nil))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC: %v, want ResourceExhausted", err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		if code, _, _ := f.postTraces(t, traces(1, nil)); code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place was not given back")
		}
	}
}

func TestBytesUnderWayAreBounded(t *testing.T) {
	f := serve(t, ingest.Config{Bounds: ingest.Bounds{InflightBytes: 64 << 10}}, ingest.Options{})
	// A request of which all but the last byte has come holds its bytes.
	large := encodeTraces(t, traces(2000, nil))
	conn, err := net.Dial("tcp", f.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", protobufType, len(large)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(large[:len(large)-1]); err != nil {
		t.Fatal(err)
	}
	client := f.dial(t)
	deadline := time.Now().Add(5 * time.Second)
	for refusedHTTP, refusedGRPC := false, false; !refusedHTTP || !refusedGRPC; {
		code, _, _ := f.postTraces(t, traces(1, nil))
		refusedHTTP = refusedHTTP || code == http.StatusTooManyRequests
		_, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(1, nil)))
		refusedGRPC = refusedGRPC || status.Code(err) == codes.ResourceExhausted && len(status.Convert(err).Details()) == 1
		if time.Now().After(deadline) {
			t.Fatalf("refused over HTTP %v, over gRPC %v: want both while the large request is under way", refusedHTTP, refusedGRPC)
		}
	}
	if _, err := conn.Write(large[len(large)-1:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Fatalf("the large request: %q, %v, want 200: the only one is never refused", answer, err)
	}
	for {
		if code, _, _ := f.postTraces(t, traces(1, nil)); code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the bytes were not given back")
		}
	}
}

func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	first, err := ingest.New(ingest.Config{GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Journal: ingest.JournalConfig{Dir: dir}}, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var wg sync.WaitGroup
	for sender := range 4 {
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprintf("%d/%d", sender, i)
				td := traces(3, func(_ int, s ptrace.Span) { s.SetName(name) })
				code, _, _ := post(t, "http://"+first.HTTPAddr()+"/v1/traces", map[string]string{"Content-Type": protobufType}, encodeTraces(t, td))
				if code == http.StatusOK {
					mu.Lock()
					acknowledged[name] = true
					mu.Unlock()
				}
			}
		})
	}
	change := `{"time":"2026-03-01T14:03:00Z","kind":"deploy","entity":"cart","dimension":"service.version","value":"2.4.0"}`
	if code, _, body := post(t, "http://"+first.HTTPAddr()+"/api/v1/changes", nil, []byte(change)); code != http.StatusOK {
		t.Fatalf("change: status %d: %s", code, body)
	}
	wg.Wait()
	// The first server is left as a kill leaves it: neither shut down nor closed,
	// nothing of it taken. Another opens the same journal.
	defer first.Close()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = first.Shutdown(ctx) // only to stop its goroutines
	}()
	second := open(t, ingest.Config{Journal: ingest.JournalConfig{Dir: dir}}, ingest.Options{})
	got := map[string]int{}
	changes := 0
	var positions []uint64
	for !(len(got) == len(acknowledged) && changes == 1) {
		r := second.receive(t)
		positions = append(positions, r.Position)
		changes += len(r.Changes)
		for _, s := range r.Spans {
			got[s.Name]++
		}
	}
	for name := range acknowledged {
		if got[name] != 3 {
			t.Errorf("%s: %d spans after the kill, want 3", name, got[name])
		}
	}
	if len(acknowledged) != 80 || !slices.IsSorted(positions) {
		t.Errorf("%d acknowledged, positions sorted %v, want 80 in order", len(acknowledged), slices.IsSorted(positions))
	}
	// A restart that has stored half of it is given the other half only.
	third := open(t, ingest.Config{Journal: ingest.JournalConfig{Dir: dir}}, ingest.Options{Stored: positions[40]})
	if r := third.receive(t); r.Position != positions[41] {
		t.Errorf("position %d, want %d, the next after the stored one", r.Position, positions[41])
	}
}

func TestShutdownLetsRequestsEndAndTheQueueDrain(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	const senders = 8
	var mu sync.Mutex
	acknowledged := 0
	started := make(chan struct{}, senders)
	var wg sync.WaitGroup
	for range senders {
		client := f.dial(t)
		wg.Go(func() {
			for i := range 200 {
				_, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(1, nil)))
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged++
				mu.Unlock()
				if i == 5 {
					started <- struct{}{}
				}
			}
		})
	}
	for range senders {
		<-started
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := f.Shutdown(ctx); err != nil {
		t.Fatalf("Shutdown = %v", err)
	}
	wg.Wait()
	got := 0
	for {
		r, err := f.Receive(ctx)
		if errors.Is(err, ingest.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got += len(r.Spans)
	}
	if got < acknowledged {
		t.Errorf("received %d spans, want the %d that were acknowledged", got, acknowledged)
	}
	w := &recorder{}
	req, err := http.NewRequest(http.MethodPost, "/api/v1/changes", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	f.Changes().ServeHTTP(w, req)
	if w.code != http.StatusServiceUnavailable {
		t.Errorf("a change after Shutdown: status %d, want 503", w.code)
	}
}

// A recorder keeps the status of an answer.
type recorder struct {
	code   int
	header http.Header
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(code int)        { r.code = code }

func TestShutdownDoesNotWaitForeverForASilentClient(t *testing.T) {
	cfg := ingest.Config{GRPC: "127.0.0.1:0", HTTP: "off", Bounds: ingest.Bounds{Requests: 1}, Journal: ingest.JournalConfig{Dir: t.TempDir()}}
	s, err := ingest.New(cfg, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.GRPCAddr(), plain()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/opentelemetry.proto.collector.trace.v1.TraceService/Export"); err != nil {
		t.Fatal(err)
	}
	// The stream, which stays silent, has arrived when it holds the only place.
	client := ptraceotlp.NewGRPCClient(conn)
	for range 1000 {
		if _, err = client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(1, nil))); status.Code(err) == codes.ResourceExhausted {
			break
		}
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("Export = %v, want ResourceExhausted", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown = %v, want the deadline's error", err)
	}
	if _, err := s.Receive(t.Context()); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("Receive = %v, want %v", err, ingest.ErrClosed)
	}
}
