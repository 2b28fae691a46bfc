package pipeline_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/telemetry"
)

// drained feeds a minute and a half of a shop with two pods. After 40 s pod-2
// terminates; if it is dead from then on, its requests fail for 30 s more, and if it
// is not, nothing fails.
func drained(t *testing.T, dead bool, service string) *belt {
	t.Helper()
	b := newBelt(pipeline.Config{}, &shelf{})
	pods := []*telemetry.Resource{{Service: "shop", Instance: "pod-1"}, {Service: "shop", Instance: "pod-2"}}
	for k := range 9 {
		b.now = b.now.Add(10 * time.Second)
		if k == 4 {
			b.Add(b.now, telemetry.Batch{Changes: []*telemetry.Change{{
				ID: "t", Time: b.now.Add(-10 * time.Second), Kind: telemetry.ChangePhase, Entity: service, Instance: "pod-2", Dimension: telemetry.DimensionPod, Value: telemetry.PodTerminating,
				Origin: telemetry.OriginReported, Source: "kubernetes",
			}}})
		}
		spans := b.spans(100, false)
		for i, s := range spans {
			s.Resource = pods[i%2]
			if dead && k >= 4 && k < 7 && i%2 == 1 {
				s.Status, s.Attributes = telemetry.StatusError, telemetry.NewAttributes([]telemetry.Attribute{{Key: attr.HTTPResponseStatusCode, Value: "503"}})
			}
		}
		b.Add(b.now.Add(-2*time.Second), telemetry.Batch{Spans: spans})
		b.step(t)
	}
	return b
}

func TestAnIncidentShowsThePhaseFailuresOfItsTime(t *testing.T) {
	list := drained(t, true, "shop").Incidents()
	if len(list) != 1 || len(list[0].Phases) != 1 {
		t.Fatalf("%d incidents, want one with one phase failure: %+v", len(list), list)
	}
	f := list[0].Phases[0]
	if f.Code != conformance.DrainMisrouting || f.Origin != conformance.Inferred || f.Subject != "shop/pod-2" || len(f.Traces) == 0 {
		t.Errorf("the failure is %+v, want F1 of shop/pod-2, inferred, with traces", f)
	}
	if !slices.ContainsFunc(f.For, func(s string) bool {
		return strings.Contains(s, "of this incident that are kept say in their own trace that a phase did not fit")
	}) {
		t.Errorf("for it are %q, want how many of the failures show it", f.For)
	}
	if n := slices.IndexFunc(list[0].Timeline, func(m incident.Moment) bool { return m.What == "phase" }); n < 0 {
		t.Errorf("the timeline has no moment of it: %+v", list[0].Timeline)
	}
}

func TestPhasesThatAgreeAndThoseOfOtherServicesAreInNoIncident(t *testing.T) {
	if list := drained(t, false, "shop").Incidents(); len(list) != 0 {
		t.Errorf("nothing failed, and there are incidents: %+v", list)
	}
	for _, k := range drained(t, true, "ledger").Incidents() { // pod-2 is another service's
		if len(k.Phases) > 0 {
			t.Errorf("the incident has a phase failure of a service that its requests do not pass: %+v", k.Phases)
		}
	}
}

func TestPagesAreCountedByTheirPhaseFailures(t *testing.T) {
	b := drained(t, true, "shop")
	r := b.Phases().Report(time.Hour, b.now)
	if r.M8.Month != 1 || r.M8.All != 1 {
		t.Errorf("M8 is %+v, want the one incident", r.M8)
	}
	if r.M9.Requests != 900 || r.M9.Flipped != 150 || r.M9.Alert != "page" {
		t.Errorf("M9 is %+v, want 150 of 900 requests and a page", r.M9)
	}
}
