package fence_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.test/eddy/phase/fence"
)

func TestTheSpanOfAWriteSaysWhatTheFenceDecided(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	var g fence.Memory
	for _, token := range []fence.Token{302, 301, 0} {
		ctx, span := tracer.Start(t.Context(), "write")
		_ = g.Do(ctx, subject, token, nothing)
		span.End()
	}
	var got []map[string]string
	for _, span := range spans.Ended() {
		attributes := map[string]string{}
		for _, a := range span.Attributes() {
			attributes[string(a.Key)] = a.Value.String()
		}
		got = append(got, attributes)
	}
	want := []map[string]string{
		{"eddy.fence.subject": subject, "eddy.fence.token": "302", "eddy.fence.max": "302", "eddy.fence.verdict": "accepted"},
		{"eddy.fence.subject": subject, "eddy.fence.token": "301", "eddy.fence.max": "302", "eddy.fence.verdict": "stale"},
		{"eddy.fence.subject": subject, "eddy.fence.token": "0", "eddy.fence.verdict": "unfenced"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}
