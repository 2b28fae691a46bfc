package conformance_test

import (
	"fmt"
	"testing"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// BenchmarkRequests is what every request costs that says nothing of phases: ten
// spans with ten attributes each, of a service whose endpoints are followed.
func BenchmarkRequests(b *testing.B) {
	m := conformance.New(conformance.Config{})
	m.Use(drain(b))
	m.Add(began, telemetry.Batch{Changes: []*telemetry.Change{{Time: began, Kind: telemetry.ChangePhase, Entity: "cart", Instance: "cart-1", Dimension: telemetry.DimensionPod, Value: telemetry.PodTerminating}}})
	var list []telemetry.Attribute
	for i := range 9 {
		list = append(list, telemetry.Attribute{Key: fmt.Sprintf("http.request.header.x-%d", i), Value: "1"})
	}
	list = append(list, telemetry.Attribute{Key: attr.HTTPResponseStatusCode, Value: "200"})
	r := request.Request{ID: request.ID{Trace: telemetry.TraceID{1}}, Start: began}
	for i := range 10 {
		kind := telemetry.KindServer
		if i%2 == 1 {
			kind = telemetry.KindClient
		}
		r.Spans = append(r.Spans, &telemetry.Span{
			ID: telemetry.SpanID{byte(i + 1)}, Parent: telemetry.SpanID{byte(i)}, Kind: kind, Start: began, End: began.Add(time.Millisecond),
			Attributes: telemetry.NewAttributes(list), Resource: &telemetry.Resource{Service: fmt.Sprintf("s%d", i/2), Instance: "1"},
		})
	}
	done := []request.Request{r}
	for b.Loop() {
		m.Requests(began, done)
	}
}
