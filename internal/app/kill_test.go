package app_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/telemetry"
)

// batch makes n root spans of a service, numbered from first.
func batch(first uint64, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	rs.Resource().Attributes().PutStr("service.version", "1.0.0")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	now := time.Now()
	for i := range n {
		s := spans.AppendEmpty()
		var trace [16]byte
		binary.BigEndian.PutUint64(trace[8:], first+uint64(i))
		binary.BigEndian.PutUint64(trace[:8], 0x5eed)
		s.SetTraceID(trace)
		s.SetSpanID([8]byte(trace[8:]))
		s.SetName("GET /")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Millisecond)))
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutStr("http.route", "/")
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutStr("app.tenant", fmt.Sprintf("tenant-%d", i%7))
	}
	return td
}

// connect returns a client of the child, with its connection closed at the end
// of the test.
func connect(t *testing.T, address string) ptraceotlp.GRPCClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return ptraceotlp.NewGRPCClient(conn)
}

// A tally is what senders know of what they sent.
type tally struct {
	mu      sync.Mutex
	acked   map[uint64]int // first number of a batch to its size
	refused map[codes.Code]int
}

// send sends batches from several connections until ctx ends.
func send(ctx context.Context, t *testing.T, address string, senders, size int, base uint64) *tally {
	t.Helper()
	sent := &tally{acked: map[uint64]int{}, refused: map[codes.Code]int{}}
	var all sync.WaitGroup
	for i := range senders {
		client := connect(t, address)
		all.Go(func() {
			next := base + uint64(i)<<32
			for ctx.Err() == nil {
				_, err := client.Export(ctx, ptraceotlp.NewExportRequestFromTraces(batch(next, size)))
				sent.mu.Lock()
				if err == nil {
					sent.acked[next] = size
				} else {
					sent.refused[status.Code(err)]++
				}
				sent.mu.Unlock()
				next += uint64(size)
			}
		})
	}
	all.Wait()
	return sent
}

func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[uint64]int{}
	for round := range 3 {
		c := start(t, dir)
		ctx, stop := context.WithTimeout(t.Context(), 250*time.Millisecond)
		killed := make(chan struct{})
		context.AfterFunc(ctx, func() {
			defer close(killed)
			_ = c.cmd.Process.Signal(os.Kill) // while senders wait for answers
		})
		sent := send(ctx, t, c.grpc, 4, 50, uint64(round+1)<<48)
		stop()
		<-killed
		_ = c.cmd.Wait() // it was killed
		if len(sent.acked) == 0 {
			t.Fatalf("round %d: nothing was acknowledged before the kill", round)
		}
		maps.Copy(acked, sent.acked)
	}
	c := start(t, dir)
	c.end(t, syscall.SIGTERM) // a stop in order works off the journal
	stored := storedIn(t, dir)
	spans, lost := 0, 0
	for first, n := range acked {
		for i := range n {
			spans++
			if !stored[first+uint64(i)] {
				lost++
			}
		}
	}
	t.Logf("killed 3 times; %d spans acknowledged, %d stored", spans, len(stored))
	if lost > 0 {
		t.Errorf("%d of %d acknowledged spans are lost", lost, spans)
	}
}

// storedIn returns the numbers of the spans that a child has stored, and fails
// if one is stored twice.
func storedIn(t *testing.T, dir string) map[uint64]bool {
	t.Helper()
	db, err := duckdb.Open(t.Context(), duckdb.Config{Path: filepath.Join(dir, "eddy.duckdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stored := map[uint64]bool{}
	for s, err := range db.Spans(t.Context(), telemetry.Window{Start: time.Now().Add(-time.Hour), End: time.Now().Add(time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		number := binary.BigEndian.Uint64(s.Trace[8:])
		if stored[number] {
			t.Fatalf("span %x is stored twice", number)
		}
		stored[number] = true
	}
	return stored
}

// ptraceTime is t as OTLP writes it.
func ptraceTime(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }
