package app_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"example.test/eddy/internal/telemetry"
)

// encoded is a request of spans as it goes over HTTP.
func encoded(t testing.TB, td ptrace.Traces) []byte {
	t.Helper()
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// eachSpan changes the spans of a batch of n.
func eachSpan(first uint64, n int, change func(i int, s ptrace.Span)) ptrace.Traces {
	td := batch(first, n)
	spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := range n {
		change(i, spans.At(i))
	}
	return td
}

// take posts a traces request to the child and returns the status.
func (c *child) take(t testing.TB, body []byte, encoding string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.http+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestAServerThatWasSentTheWorstGoesOn(t *testing.T) {
	const mib = 512
	dir := t.TempDir()
	c := start(t, dir, fmt.Sprintf("%s=%d", childMemory, mib))
	year := func(y int) func(int, ptrace.Span) {
		return func(_ int, s ptrace.Span) {
			at := time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC)
			s.SetStartTimestamp(ptraceTime(at))
			s.SetEndTimestamp(ptraceTime(at.Add(time.Second)))
		}
	}
	var giant telemetry.TraceID
	giant[0], giant[15] = 0xfe, 1
	stored := 0
	for _, tt := range []struct {
		name     string
		body     []byte
		encoding string
		status   int
		spans    int // that are accepted
	}{
		{"garbage", bytes.Repeat([]byte("\xff\xfegarbage"), 1000), "", http.StatusBadRequest, 0},
		{"garbage_gzip", []byte("this is not gzip"), "gzip", http.StatusBadRequest, 0},
		{"large", make([]byte, 64<<20), "", http.StatusBadRequest, 0},
		{"bomb", bytes.Repeat(gzipped(t, make([]byte, 1<<20)), 1024), "gzip", http.StatusBadRequest, 0},
		{"year_1970", encoded(t, eachSpan(1<<40, 100, year(1970))), "", http.StatusBadRequest, 0},
		{"year_2100", encoded(t, eachSpan(1<<40, 100, year(2100))), "", http.StatusBadRequest, 0},
		{"attribute_of_a_mebibyte", encoded(t, eachSpan(2<<40, 1, func(_ int, s ptrace.Span) {
			s.Attributes().PutStr("large", strings.Repeat("é", 1<<19))
		})), "", http.StatusOK, 1},
		{"a_hundred_thousand_keys", encoded(t, eachSpan(3<<40, 1000, func(i int, s ptrace.Span) {
			for k := range 100 {
				s.Attributes().PutStr(fmt.Sprintf("key.%d", i*100+k), "v")
			}
		})), "", http.StatusOK, 1000},
		{"a_trace_of_fifty_thousand", encoded(t, eachSpan(4<<40, 50_000, func(i int, s ptrace.Span) {
			s.SetTraceID([16]byte(giant))
			if i > 0 {
				s.SetParentSpanID([8]byte{3: 4}) // of the first
			}
		})), "", http.StatusOK, 50_000},
	} {
		began := time.Now()
		if got := c.take(t, tt.body, tt.encoding); got != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.status)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: answered after %s", tt.name, took)
		}
		stored += tt.spans
	}
	c.awaitStored(t, stored)

	for _, path := range []string{"/traces/" + giant.String(), "/api/v1/traces/" + giant.String()} {
		began := time.Now()
		status, body := c.get(t, path)
		took := time.Since(began)
		t.Logf("%s: %d KiB after %s", path, len(body)>>10, took.Round(time.Millisecond))
		if status != http.StatusOK || len(body) > 8<<20 || took > 5*time.Second {
			t.Errorf("%s: status %d, %d bytes, after %s, want a part of the trace soon", path, status, len(body), took)
		}
	}

	// Good traffic is taken, stored and analysed as if nothing had been.
	before := c.metric(t, "eddy_request_requests_total")
	if got := c.take(t, encoded(t, batch(5<<40, 200)), ""); got != http.StatusOK {
		t.Errorf("a good request afterwards: status %d", got)
	}
	c.awaitStored(t, stored+200)
	deadline := time.Now().Add(10 * time.Second)
	for c.metric(t, "eddy_request_requests_total") < before+200 {
		if time.Now().After(deadline) {
			t.Fatalf("%v requests were analysed, want 200 more than %v", c.metric(t, "eddy_request_requests_total"), before)
		}
		pause(t.Context(), 50*time.Millisecond)
	}
	for _, path := range []string{"/readyz", "/", "/api/v1/coverage", "/api/v1/graph"} {
		if status, body := c.get(t, path); status != http.StatusOK {
			t.Errorf("%s: status %d: %.200s", path, status, body)
		}
	}
	peak := c.resident(t)
	t.Logf("memory reached %d MiB of %d", peak>>20, mib)
	if peak > mib<<20 && !underRace {
		t.Errorf("memory reached %d MiB, over its bound of %d MiB", peak>>20, mib)
	}
	c.end(t, syscall.SIGTERM)
	if n := spansIn(t, dir); n != int64(stored+200) {
		t.Errorf("%d spans are stored, want %d", n, stored+200)
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
