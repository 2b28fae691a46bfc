package app_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"example.test/eddy/internal/store/duckdb"
)

// rawCodec sends bytes as they are, so that a client costs next to nothing.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
func (rawCodec) Name() string                         { return "proto" }

// A stencil is an encoded request of size spans whose numbers and times can be
// replaced.
type stencil struct {
	body    []byte
	numbers []int // where the number of each span stands, twice
	times   []int // where its times stand
	size    int
}

func newStencil(t testing.TB, size int) *stencil {
	t.Helper()
	const first = 0x5eed_f00d << 32
	td := batch(first, size)
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	s := &stencil{body: body, size: size}
	one := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0) // all have its times
	for _, when := range []pcommon.Timestamp{one.StartTimestamp(), one.EndTimestamp()} {
		field := binary.LittleEndian.AppendUint64(nil, uint64(when))
		for at := 0; ; at += len(field) {
			next := bytes.Index(body[at:], field)
			if next < 0 {
				break
			}
			at += next
			s.times = append(s.times, at)
		}
	}
	if len(s.times) != 2*size {
		t.Fatalf("%d times in the encoded request, want %d", len(s.times), 2*size)
	}
	for i, at := 0, 0; i < 2*size; i++ {
		number := binary.BigEndian.AppendUint64(nil, first+uint64(i/2))
		next := bytes.Index(body[at:], number)
		if next < 0 {
			t.Fatalf("number %d is not in the encoded request", i)
		}
		at += next
		s.numbers = append(s.numbers, at)
		at += len(number)
	}
	return s
}

// of returns the request with the numbers from first on, at this time.
func (s *stencil) of(first uint64) []byte {
	body := bytes.Clone(s.body)
	now := uint64(time.Now().UnixNano())
	for _, at := range s.times {
		binary.LittleEndian.PutUint64(body[at:], now)
	}
	for i, at := range s.numbers {
		binary.BigEndian.PutUint64(body[at:], first+uint64(i/2))
	}
	return body
}

// A sender sends requests of one stencil over a few connections.
type sender struct {
	stencil *stencil
	conns   []*grpc.ClientConn

	mu      sync.Mutex
	next    uint64
	tried   int
	acked   map[uint64]int
	answers map[codes.Code]int
}

func newSender(t testing.TB, c *child, size int) *sender {
	t.Helper()
	s := &sender{stencil: newStencil(t, size), next: 1 << 32, acked: map[uint64]int{}, answers: map[codes.Code]int{}}
	for range 4 {
		conn, err := grpc.NewClient(c.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		s.conns = append(s.conns, conn)
	}
	return s
}

// send sends one request and reports whether it was acknowledged.
func (s *sender) send(ctx context.Context) bool {
	s.mu.Lock()
	first := s.next
	s.next += uint64(s.stencil.size)
	s.tried += s.stencil.size
	conn := s.conns[first/uint64(s.stencil.size)%uint64(len(s.conns))]
	s.mu.Unlock()
	var reply any
	err := conn.Invoke(ctx, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", s.stencil.of(first), &reply)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[status.Code(err)]++
	if err == nil {
		s.acked[first] = s.stencil.size
	}
	return err == nil
}

// patiently sends as much as is accepted until ctx ends: a sender that is
// refused waits a little.
func (s *sender) patiently(ctx context.Context, parallel int) {
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for ctx.Err() == nil {
				if !s.send(context.WithoutCancel(ctx)) {
					pause(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	all.Wait()
}

// steadily sends that many spans at a rate, whatever the answers, waits for
// those, and returns how long it took to send.
func (s *sender) steadily(ctx context.Context, spans int, perSecond float64) time.Duration {
	const parallel = 2048
	var all sync.WaitGroup
	due := make(chan struct{})
	for range parallel {
		all.Go(func() {
			for range due {
				s.send(ctx)
			}
		})
	}
	began := time.Now()
	for sent := 0; sent < spans; sent += s.stencil.size {
		pause(ctx, time.Until(began.Add(time.Duration(float64(sent)/perSecond*float64(time.Second)))))
		due <- struct{}{}
	}
	took := time.Since(began)
	close(due)
	all.Wait()
	return took
}

// accepted is how many spans were acknowledged.
func (s *sender) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked) * s.stencil.size
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// get asks the child for a page.
func (c *child) get(t testing.TB, path string) (int, string) {
	t.Helper()
	response, err := http.Get(c.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// metric is a figure of the child; of one with labels name them.
func (c *child) metric(t testing.TB, name string) float64 {
	t.Helper()
	_, text := c.get(t, "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			x, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
	}
	return 0
}

const storedItems = "eddy_store_append_items_total"

// awaitStored waits until everything that was acknowledged is stored.
func (c *child) awaitStored(t testing.TB, spans int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	for {
		stored := int(c.metric(t, storedItems))
		if stored == spans {
			return
		}
		if ctx.Err() != nil || stored > spans {
			t.Fatalf("%d spans are stored, %d were acknowledged", stored, spans)
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// sustained measures how many spans a second the child takes while senders send
// what it accepts.
func (s *sender) sustained(t testing.TB, c *child, warm, measured time.Duration) float64 {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), warm+measured)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.patiently(ctx, 4)
	}()
	pause(ctx, warm)
	began, before, accepted := time.Now(), c.metric(t, storedItems), s.accepted()
	<-done
	// What is stored comes in batches, and what is accepted fills the queue: the
	// larger is never too little.
	stored := c.metric(t, storedItems) - before
	return max(stored, float64(s.accepted()-accepted)) / time.Since(began).Seconds()
}

func TestTenTimesTheLoadIsRefusedToBeTriedAgainAndEndsWell(t *testing.T) {
	const mib = 384
	dir := t.TempDir()
	// One processor for the server leaves the others to the senders, who have to
	// produce ten times what it can take.
	c := start(t, dir, fmt.Sprintf("%s=%d", childMemory, mib), "GOMAXPROCS=1")
	load := newSender(t, c, 2000)
	rate := load.sustained(t, c, 500*time.Millisecond, 1500*time.Millisecond)
	c.awaitStored(t, load.accepted())
	load.mu.Lock()
	tried, acked := load.tried, len(load.acked)
	load.mu.Unlock()

	took := load.steadily(t.Context(), int(10*rate*1.5), 10*rate)
	multiple := float64(load.tried-tried) / took.Seconds() / rate
	t.Logf("sustained %.0f spans/s; offered %.1f times as much for %s: %d of %d requests acknowledged, answers %v",
		rate, multiple, took.Round(time.Millisecond), len(load.acked)-acked, (load.tried-tried)/load.stencil.size, load.answers)
	if multiple < 5 {
		t.Errorf("only %.1f times the load was offered: this machine is too busy for the test to say anything", multiple)
	}
	for code, n := range load.answers {
		if code != codes.OK && code != codes.ResourceExhausted && code != codes.Unavailable {
			t.Errorf("%d requests were answered %s, which clients do not try again", n, code)
		}
	}
	if load.answers[codes.ResourceExhausted] == 0 {
		t.Error("nothing was refused: the load was no overload, or queues are not bounded")
	}
	if len(load.acked) == acked {
		t.Error("nothing was accepted under load")
	}
	if status, body := c.get(t, "/readyz"); status != http.StatusOK {
		t.Errorf("under load /readyz answered %d: %s", status, body)
	}

	recovery := time.Now()
	c.awaitStored(t, load.accepted())
	if !load.send(t.Context()) {
		t.Errorf("a request after the load was refused: %v", load.answers)
	}
	peak := c.resident(t)
	t.Logf("worked off after %s; memory reached %d MiB of %d", time.Since(recovery).Round(time.Millisecond), peak>>20, mib)
	if peak > mib<<20 && !underRace {
		t.Errorf("memory reached %d MiB, over its bound of %d MiB", peak>>20, mib)
	}
	c.end(t, syscall.SIGTERM)
	if n := spansIn(t, dir); n != int64(load.accepted()) {
		t.Errorf("%d spans are stored, %d were acknowledged", n, load.accepted())
	}
}

// spansIn counts the spans that a child has stored.
func spansIn(t testing.TB, dir string) int64 {
	t.Helper()
	db, err := duckdb.Open(context.Background(), duckdb.Config{Path: filepath.Join(dir, "eddy.duckdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	counts, err := db.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return counts["spans"]
}

func TestAServerThatIsToldToStopUnderLoadStopsInTimeAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir)
	load := newSender(t, c, 500)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.patiently(ctx, 8)
	}()
	for load.accepted() < 20_000 {
		pause(t.Context(), 10*time.Millisecond)
	}
	began := time.Now()
	c.end(t, syscall.SIGTERM) // fails unless it ends with status 0
	took := time.Since(began)
	stop()
	<-done
	if limit := options(dir).Drain + 2*time.Second; took > limit {
		t.Errorf("stopping took %s, want at most %s", took, limit)
	}
	stored := spansIn(t, dir)
	if stored < int64(load.accepted()) {
		again := start(t, dir) // what was not worked off in time is in the journal
		again.end(t, syscall.SIGTERM)
		stored = spansIn(t, dir)
	}
	t.Logf("stopped in %s; %d spans acknowledged, %d stored", took.Round(time.Millisecond), load.accepted(), stored)
	if known := storedIn(t, dir); len(known) < load.accepted() || !load.all(known) {
		t.Errorf("acknowledged spans are lost: %d acknowledged, %d stored", load.accepted(), len(known))
	}
}

// all reports whether everything that was acknowledged is in stored.
func (s *sender) all(stored map[uint64]bool) bool {
	for first, n := range s.acked {
		for i := range n {
			if !stored[first+uint64(i)] {
				return false
			}
		}
	}
	return true
}

// TestSoak runs for as long as EDDY_SOAK says, such as 3m: at the load that the
// server sustains, memory must stay where it is.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("EDDY_SOAK"))
	if err != nil {
		t.Skip("EDDY_SOAK is not set to a duration: make soak")
	}
	const mib = 512
	dir := t.TempDir()
	c := start(t, dir, fmt.Sprintf("%s=%d", childMemory, mib), childStep+"=10s")
	load := newSender(t, c, 1000)
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.patiently(ctx, 4)
	}()
	began := time.Now()
	var most [2]int64 // in each half
	for ctx.Err() == nil {
		pause(ctx, length/18)
		now, elapsed := c.memory(t, "VmRSS:"), time.Since(began)
		half := 0
		if elapsed > length/2 {
			half = 1
		}
		most[half] = max(most[half], now)
		t.Logf("%4.0f s: %4d MiB resident, %9.0f spans stored, queue %3.0f MiB, journal %4.0f MiB", elapsed.Seconds(), now>>20,
			c.metric(t, storedItems), c.metric(t, "eddy_ingest_queue_bytes")/(1<<20), c.metric(t, "eddy_ingest_journal_bytes")/(1<<20))
	}
	<-done
	c.awaitStored(t, load.accepted())
	peak := c.resident(t)
	t.Logf("%.0f spans/s for %s; memory reached %d MiB of %d", float64(load.accepted())/length.Seconds(), length, peak>>20, mib)
	if peak > mib<<20 && !underRace {
		t.Errorf("memory reached %d MiB, over its bound of %d MiB", peak>>20, mib)
	}
	if most[1] > most[0]+most[0]/4 {
		t.Errorf("memory grew from %d MiB in the first half to %d MiB in the second", most[0]>>20, most[1]>>20)
	}
	c.end(t, syscall.SIGTERM)
	if n := spansIn(t, dir); n != int64(load.accepted()) {
		t.Errorf("%d spans are stored, %d were acknowledged", n, load.accepted())
	}
}
