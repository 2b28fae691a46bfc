package pipeline_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/telemetry"
)

func TestASizeIsNamedAsARange(t *testing.T) {
	b := newBelt(pipeline.Config{}, &shelf{})
	var r pipeline.Result
	for range 6 {
		b.now = b.now.Add(10 * time.Second)
		spans := b.spans(400, false)
		for i, s := range spans {
			// Sizes come evenly up to 1,000; version 2 fails from 900 on.
			size := i * 7919 % 1000
			s.Attributes = telemetry.Attributes{{Key: "order.bytes", Value: strconv.Itoa(size)}}
			if s.Resource.Version == "2.0.0" && size >= 900 {
				s.Status = telemetry.StatusError
			}
		}
		b.Add(b.now.Add(-2*time.Second), telemetry.Batch{Spans: spans})
		r = b.step(t)
	}
	if len(r.Incidents) != 1 {
		t.Fatalf("%d incidents, want one", len(r.Incidents))
	}
	var names []string
	for _, c := range r.Incidents[0].Finding.Conditions {
		names = append(names, c.String())
	}
	if got := strings.Join(names, ", "); got != "shop order.bytes > 890, shop service.version=2.0.0" {
		t.Errorf("got %s, want the version with sizes above the cut nearest to 900", got)
	}
}
