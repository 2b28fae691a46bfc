package ingest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"example.test/eddy/internal/ingest"
)

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstded(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(data, nil)
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
func (rawCodec) Name() string                         { return "proto" }

var _ encoding.CodecV2 = rawCodec{}

// sendRaw sends bytes as a gRPC traces request.
func (f *fixture) sendRaw(t testing.TB, body []byte) error {
	t.Helper()
	conn, err := grpc.NewClient(f.GRPCAddr(), plain()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var reply any
	return conn.Invoke(t.Context(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export", body, &reply, grpc.ForceCodecV2(rawCodec{}))
}

// nestedTraces encodes a request whose one attribute is a list in a list, and so
// on, until it has about size bytes.
func nestedTraces(size int) []byte {
	reversed := make([]byte, 0, size+64)
	wrap := func(fieldNumber int) {
		header := binary.AppendUvarint([]byte{byte(fieldNumber<<3 | 2)}, uint64(len(reversed)))
		for i := len(header) - 1; i >= 0; i-- {
			reversed = append(reversed, header[i])
		}
	}
	for len(reversed) < size {
		wrap(1) // ArrayValue.values
		wrap(5) // AnyValue.array_value
	}
	for _, n := range []int{2, 9, 2, 2, 1} { // KeyValue.value, Span.attributes, and up
		wrap(n)
	}
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return reversed
}

func TestHostileBodiesAreRefused(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	large := bytes.Repeat([]byte{0}, 64<<20)
	tests := []struct {
		name        string
		contentType string
		encoding    string
		body        []byte
		status      int
		says        string
	}{
		{"garbage", protobufType, "", []byte("\xff\xfe garbage \x00\x01"), http.StatusBadRequest, ""},
		{"garbage_json", jsonType, "", []byte(`{"resourceSpans": [{]`), http.StatusBadRequest, ""},
		{"garbage_gzip", protobufType, "gzip", []byte("this is not gzip"), http.StatusBadRequest, "gzip"},
		{"garbage_zstd", protobufType, "zstd", []byte("this is not zstd"), http.StatusBadRequest, ""},
		{"unknown_encoding", protobufType, "br", nil, http.StatusBadRequest, "br"},
		{"unknown_type", "text/html", "", nil, http.StatusUnsupportedMediaType, ""},
		{"large", protobufType, "", large, http.StatusBadRequest, "16777216 bytes"},
		// Compressed members that follow each other are one stream, so 64 of a
		// mebibyte make a bomb without the time that compressing it takes.
		{"gzip_bomb", protobufType, "gzip", bytes.Repeat(gzipped(t, large[:1<<20]), 64), http.StatusBadRequest, "send smaller batches"},
		{"zstd_bomb", protobufType, "zstd", bytes.Repeat(zstded(t, large[:1<<20]), 64), http.StatusBadRequest, "send smaller batches"},
		{"nested_json", jsonType, "", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":` +
			strings.Repeat(`{"arrayValue":{"values":[`, 400_000)), http.StatusBadRequest, "nested deeper"},
		{"nested", protobufType, "", nestedTraces(16<<20 - 256), http.StatusBadRequest, "nested deeper"},
		{"nested_gzip", protobufType, "gzip", gzipped(t, nestedTraces(8<<20)), http.StatusBadRequest, "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, body := post(t, "http://"+f.HTTPAddr()+"/v1/traces",
				map[string]string{"Content-Type": tt.contentType, "Content-Encoding": tt.encoding}, tt.body)
			if code != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("status %d, %.200q, want %d with %q", code, body, tt.status, tt.says)
			}
		})
	}
	if code, _, body := f.postTraces(t, traces(1, nil)); code != http.StatusOK {
		t.Errorf("a good request afterwards: status %d: %s", code, body)
	}
	// All but the two whose encoding the receiver refuses before anybody is asked.
	if got, want := f.metric(t, "refused_requests_total", "unreadable"), float64(len(tests)-2); got != want {
		t.Errorf("%v requests are counted as unreadable, want %v", got, want)
	}
	if got := f.receive(t); len(got.Spans) != 1 || !f.empty(t) {
		t.Errorf("got %d spans at %d, want only the good one", len(got.Spans), got.Position)
	}
}

func TestHostileMessagesAreRefusedOverGRPC(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	for _, tt := range []struct {
		name string
		body []byte
		code codes.Code
	}{
		{"garbage", []byte("\xff\xfe garbage"), codes.Internal},
		{"large", make([]byte, 64<<20), codes.ResourceExhausted},
		{"nested", nestedTraces(15 << 20), codes.InvalidArgument},
	} {
		if err := f.sendRaw(t, tt.body); status.Code(err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.code)
		}
	}
	// Compressed, the large message passes the wire and must be stopped when it
	// unfolds.
	client := f.dial(t, grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip"), grpc.MaxCallSendMsgSize(1<<30)))
	bomb := traces(1, func(_ int, s ptrace.Span) { s.Attributes().PutStr("bomb", strings.Repeat("a", 64<<20)) })
	if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(bomb)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gzip bomb: %.200v, want %v", err, codes.ResourceExhausted)
	}
	if _, err := client.Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(traces(1, nil))); err != nil {
		t.Errorf("a good request afterwards: %v", err)
	}
	// gRPC reports the end of a request after its answer is on the wire, so the
	// sender may be faster than the count.
	if got := f.settledMetric(t, 4, "refused_requests_total", "unreadable"); got != 4 {
		t.Errorf("%v requests are counted as unreadable, want 4", got)
	}
}

func TestALargeAttributeIsCut(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := traces(1, func(_ int, s ptrace.Span) {
		s.Attributes().PutStr("large", strings.Repeat("é", 1<<19))
		s.Attributes().PutEmptyBytes("bytes").FromRaw(make([]byte, 1<<20))
		list := s.Attributes().PutEmptySlice("list")
		for range 10_000 {
			list.AppendEmpty().SetStr(strings.Repeat("x", 100))
		}
		s.Attributes().PutStr("small", "kept")
	})
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	span := f.receive(t).Spans[0]
	for _, a := range span.Attributes {
		if len(a.Value) > 4<<10 || strings.ToValidUTF8(a.Value, "") != a.Value {
			t.Errorf("%s has %d bytes, want at most 4096 of valid UTF-8", a.Key, len(a.Value))
		}
	}
	if v, _ := span.Attributes.Get("small"); v != "kept" || len(span.Attributes) != 4 {
		t.Errorf("attributes %d, small = %q, want 4 and kept", len(span.Attributes), v)
	}
	if got := f.metric(t, "truncated_parts_total", "value"); got != 3 {
		t.Errorf("truncated values = %v, want 3", got)
	}
	if got := f.metric(t, "journal_bytes"); got > 64<<10 {
		t.Errorf("the journal holds %v bytes, want the cut values only", got)
	}
}

func TestDistinctKeysAreBounded(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	const spans, each = 1000, 100
	td := traces(spans, func(i int, s ptrace.Span) {
		for k := range each {
			s.Attributes().PutStr(fmt.Sprintf("key.%d", i*each+k), "v")
		}
	})
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	kept, dropped := 0, 0
	for _, s := range f.receive(t).Spans {
		kept += len(s.Attributes)
		dropped += int(s.Dropped)
	}
	// Two of the 20,000 are the resource's.
	if kept != 19_998 || kept+dropped != spans*each {
		t.Errorf("kept %d and dropped %d of %d attributes, want 19998 kept and the rest counted", kept, dropped, spans*each)
	}
	if got := f.metric(t, "truncated_parts_total", "key"); int(got) != dropped {
		t.Errorf("truncated keys = %v, want %d", got, dropped)
	}
	if code, _, body := f.postTraces(t, traces(1, nil)); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	if got := f.receive(t).Spans[0].Resource.Service; got != "cart" {
		t.Errorf("a known key afterwards: service %q, want cart", got)
	}
}

func TestPartsOfASpanAreBounded(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := traces(1, func(_ int, s ptrace.Span) {
		for i := range 1000 {
			s.Attributes().PutInt(fmt.Sprintf("a%d", i), int64(i))
			s.Events().AppendEmpty().SetName("retry")
			s.Links().AppendEmpty().SetTraceID(pcommon.TraceID{1})
		}
		deep := s.Attributes().PutEmptySlice("a0")
		for range 100 {
			deep = deep.AppendEmpty().SetEmptySlice()
		}
	})
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	s := f.receive(t).Spans[0]
	if len(s.Attributes) != 128 || len(s.Events) != 128 || len(s.Links) != 128 || s.Dropped != 3*(1000-128) {
		t.Errorf("%d attributes, %d events, %d links, %d dropped, want 128 each and the rest counted", len(s.Attributes), len(s.Events), len(s.Links), s.Dropped)
	}
	if v, _ := s.Attributes.Get("a0"); !strings.Contains(v, "nested too deep") {
		t.Errorf("a0 = %.100s, want it cut where it is too deep", v)
	}
}

func TestATraceOfFiftyThousandSpansIsTaken(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := traces(50_000, func(_ int, s ptrace.Span) { s.SetTraceID(pcommon.TraceID{9}) })
	if _, err := f.dial(t, grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30))).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(td)); err != nil {
		t.Fatal(err)
	}
	if got := f.receive(t); len(got.Spans) != 50_000 {
		t.Errorf("%d spans, want 50000", len(got.Spans))
	}
}

func TestSpansFromAWrongTimeAreRejected(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	year := func(y int) pcommon.Timestamp {
		return pcommon.NewTimestampFromTime(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	wrong := []func(s ptrace.Span){
		func(s ptrace.Span) { s.SetStartTimestamp(year(1970) + 1) },
		func(s ptrace.Span) { s.SetStartTimestamp(0) },
		func(s ptrace.Span) { s.SetEndTimestamp(year(2100)) },
		func(s ptrace.Span) { s.SetStartTimestamp(1<<64 - 1) },
		func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) },
		func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) },
	}
	mixed := traces(len(wrong)+1, func(i int, s ptrace.Span) {
		if i > 0 {
			wrong[i-1](s)
		}
	})
	if code, _, body := f.postTraces(t, mixed); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	if got := f.receive(t); len(got.Spans) != 1 {
		t.Errorf("%d spans, want the one that is right", len(got.Spans))
	}
	if times, ids := f.metric(t, "rejected_items_total", "spans", "time"), f.metric(t, "rejected_items_total", "spans", "id"); times != 4 || ids != 2 {
		t.Errorf("rejected %v for their time and %v for their id, want 4 and 2", times, ids)
	}
	// If nothing is right, the sender is told.
	code, _, body := f.postTraces(t, traces(1, func(_ int, s ptrace.Span) { s.SetStartTimestamp(year(1970) + 1) }))
	if code != http.StatusBadRequest || !strings.Contains(body, "check the sender's clock") {
		t.Errorf("status %d, %q, want 400 that names the clock", code, body)
	}
	logs := plog.NewLogs()
	logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetTimestamp(year(2100))
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, body = post(t, "http://"+f.HTTPAddr()+"/v1/logs", map[string]string{"Content-Type": protobufType}, data); code != http.StatusBadRequest {
		t.Errorf("a log of 2100: status %d: %s, want 400", code, body)
	}
}

func TestInvalidTextIsMadeValid(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := traces(1, func(_ int, s ptrace.Span) {
		s.SetName("bad \xff name")
		s.Attributes().PutStr("bad.value", "a\xc3(b")
		s.Attributes().PutStr("bad.\xffkey", "v")
		s.Attributes().PutStr("", "no key")
	})
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	s := f.receive(t).Spans[0]
	if v, _ := s.Attributes.Get("bad.value"); s.Name != "bad \uFFFD name" || v != "a\uFFFD(b" || len(s.Attributes) != 1 || s.Dropped != 2 {
		t.Errorf("name %q, attributes %q, dropped %d, want valid UTF-8 and two attributes dropped", s.Name, s.Attributes, s.Dropped)
	}
}
