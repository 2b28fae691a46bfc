package app_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/telemetry"
)

// traces makes n requests of five spans each through three services, as
// instrumentation libraries send them.
func traces(first uint64, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	now := time.Now()
	var lists []ptrace.SpanSlice
	for i, service := range []string{"gateway", "cart", "pricing"} {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", service)
		rs.Resource().Attributes().PutStr("service.version", "1.0."+fmt.Sprint(i))
		rs.Resource().Attributes().PutStr("service.instance.id", service+"-1")
		rs.Resource().Attributes().PutStr("cloud.availability_zone", "eu-1a")
		lists = append(lists, rs.ScopeSpans().AppendEmpty().Spans())
	}
	add := func(service int, trace uint64, id, parent byte, kind ptrace.SpanKind, name string) {
		s := lists[service].AppendEmpty()
		var t [16]byte
		binary.BigEndian.PutUint64(t[:8], trace)
		binary.BigEndian.PutUint64(t[8:], trace*0x9e3779b97f4a7c15)
		s.SetTraceID(t)
		s.SetSpanID([8]byte{id})
		if parent != 0 {
			s.SetParentSpanID([8]byte{parent})
		}
		s.SetKind(kind)
		s.SetName(name)
		start := now.Add(time.Duration(id) * time.Millisecond)
		s.SetStartTimestamp(ptraceTime(start))
		s.SetEndTimestamp(ptraceTime(now.Add(20*time.Millisecond - time.Duration(id)*time.Millisecond)))
		a := s.Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("http.route", name)
		a.PutInt("http.response.status_code", 200)
		a.PutStr("server.address", "10.0.0.7")
		a.PutStr("url.path", "/products/17")
		a.PutStr("user_agent.original", "shop/1.0")
		a.PutStr("app.tenant", fmt.Sprintf("tenant-%d", trace%40))
		a.PutStr("app.tier", []string{"gold", "silver"}[trace%2])
		a.PutStr("network.protocol.version", "1.1")
		a.PutInt("thread.id", int64(trace%64))
	}
	for i := range n {
		t := first + uint64(i)
		add(0, t, 1, 0, ptrace.SpanKindServer, "GET /products")
		add(0, t, 2, 1, ptrace.SpanKindClient, "GET")
		add(1, t, 3, 2, ptrace.SpanKindServer, "GET /items")
		add(1, t, 4, 3, ptrace.SpanKindClient, "GET")
		add(2, t, 5, 4, ptrace.SpanKindServer, "GET /price")
	}
	return td
}

// received converts requests as the border does.
func received(b *testing.B, dir string) (*ingest.Server, func(ptrace.Traces) telemetry.Batch) {
	b.Helper()
	c := ingest.Config{GRPC: "127.0.0.1:0", HTTP: "off", Journal: ingest.JournalConfig{Dir: filepath.Join(dir, "journal")}}
	s, err := ingest.New(c, ingest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		_ = s.Shutdown(context.Background())
		_ = s.Close()
	})
	client := ptraceotlp.NewGRPCClient(conn)
	return s, func(td ptrace.Traces) telemetry.Batch {
		if _, err := client.Export(b.Context(), ptraceotlp.NewExportRequestFromTraces(td)); err != nil {
			b.Fatal(err)
		}
		r, err := s.Receive(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return r.Batch
	}
}

// discard is a store that keeps nothing, so that only the analysis is measured.
type discard struct{}

func (discard) Save(context.Context, pipeline.Result) error { return nil }

// BenchmarkSpansToObservations carries spans that have been decoded to
// observations in the window.
func BenchmarkSpansToObservations(b *testing.B) {
	_, convert := received(b, b.TempDir())
	const requests = 400
	p := pipeline.New(pipeline.Config{Window: time.Minute}, discard{}, slog.New(slog.DiscardHandler))
	now, first, spans := time.Now(), uint64(1), 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		batch := convert(traces(first, requests))
		first += requests
		b.StartTimer()
		now = now.Add(10 * time.Second)
		p.Add(now, batch)
		if _, err := p.Step(b.Context(), now); err != nil {
			b.Fatal(err)
		}
		spans += len(batch.Spans)
	}
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkAppend stores spans in DuckDB.
func BenchmarkAppend(b *testing.B) {
	_, convert := received(b, b.TempDir())
	db, err := duckdb.Open(b.Context(), duckdb.Config{Path: filepath.Join(b.TempDir(), "eddy.duckdb")})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	first, spans, position := uint64(1), 0, uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var batch telemetry.Batch
		for range 5 {
			batch.Spans = append(batch.Spans, convert(traces(first, 800)).Spans...)
			first += 800
		}
		position++
		b.StartTimer()
		if err := db.Append(b.Context(), batch, position); err != nil {
			b.Fatal(err)
		}
		spans += len(batch.Spans)
	}
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkServer sends spans over gRPC to a server in a process of its own:
// received, redacted, journaled, acknowledged, assembled, analysed and stored.
// Its figure is how many spans it does in a second of its own processor time,
// from its start to its end, all of them stored: what clients and other
// processes cost is no part of that.
func BenchmarkServer(b *testing.B) {
	dir := b.TempDir()
	c := start(b, dir, childStep+"=10s")
	conn, err := grpc.NewClient(c.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	client := ptraceotlp.NewGRPCClient(conn)
	const requests = 400
	first, spans := uint64(1), 0
	for b.Loop() {
		request := ptraceotlp.NewExportRequestFromTraces(traces(first, requests))
		first += requests
		for {
			if _, err := client.Export(b.Context(), request); err == nil {
				break
			}
			pause(b.Context(), 2*time.Millisecond)
		}
		spans += 5 * requests
	}
	_ = conn.Close()
	c.end(b, syscall.SIGTERM)
	if n := spansIn(b, dir); n != int64(spans) {
		b.Fatalf("%d spans are stored, %d were acknowledged", n, spans)
	}
	used := c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(spans)/used.Seconds(), "spans/cpu-s")
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
}
