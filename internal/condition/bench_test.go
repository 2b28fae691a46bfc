package condition_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// checkout makes the spans of n requests over five services, ten spans each,
// that have about forty conditions.
func checkout(n, from int) []*telemetry.Span {
	resources := make([]*telemetry.Resource, 5)
	for i := range resources {
		resources[i] = eddytest.Resource(map[string]string{
			"service.name": fmt.Sprint("service-", i), "service.version": "2.4.0", "service.instance.id": "i-1",
			"cloud.availability_zone": "eu-1a", "k8s.node.name": "node-3", "k8s.pod.uid": "0a1b", "telemetry.sdk.language": "go",
		})
	}
	var spans []*telemetry.Span
	for tr := from; tr < from+n; tr++ {
		var trace telemetry.TraceID
		binary.BigEndian.PutUint64(trace[8:], uint64(tr+1))
		for i := range 10 {
			s := &telemetry.Span{
				Trace: trace, Name: "step", Resource: resources[i/2], Kind: telemetry.KindServer,
				Start: eddytest.Start().Add(time.Duration(i) * time.Millisecond), End: eddytest.Start().Add(time.Second),
				Attributes: telemetry.Attributes{
					{Key: "app.tenant", Value: fmt.Sprint("tenant-", tr%400)},
					{Key: "http.request.method", Value: "GET"},
					{Key: "http.response.status_code", Value: "200"},
					{Key: "http.route", Value: "/checkout/{id}"},
					{Key: "network.protocol.version", Value: "1.1"},
					{Key: "url.path", Value: "/checkout/17"},
				},
			}
			binary.BigEndian.PutUint64(s.ID[:], uint64(i+1))
			if i > 0 {
				binary.BigEndian.PutUint64(s.Parent[:], uint64(i))
			}
			if i%2 == 1 {
				s.Kind = telemetry.KindClient
				s.Events = []telemetry.Event{{Name: "feature_flag", Attributes: telemetry.Attributes{
					{Key: "feature_flag.key", Value: fmt.Sprint("flag-", i)}, {Key: "feature_flag.variant", Value: "on"},
				}}}
			}
			spans = append(spans, s)
		}
	}
	return spans
}

func BenchmarkAssembleAndStamp(b *testing.B) {
	const n = 1_000
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	for i := range 5 {
		timeline.Apply(change(time.Hour, fmt.Sprint("service-", i), "config", "v7"))
	}
	s := condition.NewStamper(condition.StamperConfig{}, condition.NewDictionary(0), timeline)
	a := request.New(request.Config{})
	batches := make([][]*telemetry.Span, 50)
	for i := range batches {
		batches[i] = checkout(n, i*n)
	}
	now := eddytest.Start()
	b.ReportAllocs()
	spans, requests, conditions := 0, 0, 0
	for i := 0; b.Loop(); i++ {
		if i%len(batches) == 0 {
			a = request.New(request.Config{})
		}
		batch := batches[i%len(batches)]
		a.Add(now, batch)
		s.Logs(now, nil)
		for _, r := range a.Drain(now) {
			conditions += len(s.Stamp(r).Conditions)
			requests++
		}
		spans += len(batch)
	}
	b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
	b.ReportMetric(float64(conditions)/float64(requests), "conditions/request")
}

// A span must not cost many allocations: at 100,000 spans a second each one is
// a tenth of a million a second.
func TestASpanCostsFewAllocations(t *testing.T) {
	const n, most = 100, 4
	s := condition.NewStamper(condition.StamperConfig{}, condition.NewDictionary(0), nil)
	a := request.New(request.Config{})
	now := eddytest.Start()
	var batches [][]*telemetry.Span
	for i := range 11 {
		batches = append(batches, checkout(n, i*n))
	}
	got := testing.AllocsPerRun(10, func() {
		a.Add(now, batches[0])
		batches = batches[1:]
		for _, r := range a.Drain(now) {
			s.Stamp(r)
		}
	}) / (10 * n)
	if got > most {
		t.Errorf("%.2f allocations a span, want at most %d", got, most)
	}
}

// What is in force at one instance, of a service that had ten thousand.
func BenchmarkInForceAmongInstances(b *testing.B) {
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	for i := range 10_000 {
		c := change(time.Hour, "cart", "endpoint cart", "ready")
		c.ID, c.Instance = fmt.Sprint(i), fmt.Sprint("cart-", i)
		timeline.Apply(c)
	}
	for b.Loop() {
		if len(timeline.InForce("cart", "cart-7", eddytest.Start())) != 1 {
			b.Fatal("not in force")
		}
	}
}
