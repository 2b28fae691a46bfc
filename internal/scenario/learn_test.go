package scenario_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/telemetry"
)

// served makes a request to web that works 2 ms, calls pay once or twice, which
// works 100 ms, and a database that takes 5 ms.
func served(n int, r *rand.Rand) request.Request {
	base := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 25 * time.Millisecond)
	web := &telemetry.Resource{Service: "web", Version: "1.0.0", Instance: "web-" + string('0'+rune(n%2))}
	pay := &telemetry.Resource{Service: "pay", Version: "2.0.0", Instance: "pay-0"}
	id := byte(0)
	span := func(parent *telemetry.Span, kind telemetry.Kind, by *telemetry.Resource, from, to time.Duration, attributes ...telemetry.Attribute) *telemetry.Span {
		id++
		s := &telemetry.Span{ID: telemetry.SpanID{id}, Kind: kind, Resource: by, Name: "POST /pay", Start: base.Add(from), End: base.Add(to)}
		s.Attributes = telemetry.NewAttributes(attributes)
		if parent != nil {
			s.Parent = parent.ID
		}
		return s
	}
	const ms = time.Millisecond
	entry := span(nil, telemetry.KindServer, web, 0, 107*ms)
	spans := []*telemetry.Span{entry}
	if r.Float64() < 0.25 { // a first attempt that was given up after a second
		entry.End = entry.End.Add(1000 * ms)
		failed := span(entry, telemetry.KindClient, web, ms, 1001*ms, telemetry.Attribute{Key: "server.address", Value: "pay"})
		failed.Status = telemetry.StatusError
		base = base.Add(1000 * ms)
		spans = append(spans, failed)
	}
	call := span(entry, telemetry.KindClient, web, ms, 101*ms, telemetry.Attribute{Key: "server.address", Value: "pay"})
	if len(spans) > 1 {
		call.Attributes = telemetry.NewAttributes(append(call.Attributes, telemetry.Attribute{Key: "http.request.resend_count", Value: "1"}))
	}
	spans = append(spans, call, span(call, telemetry.KindServer, pay, ms, 101*ms),
		span(entry, telemetry.KindClient, web, 101*ms, 106*ms, telemetry.Attribute{Key: "db.system.name", Value: "postgresql"}, telemetry.Attribute{Key: "db.namespace", Value: "orders"}))
	return request.Request{
		Entry: request.Entry{Service: "web", Operation: "POST /pay"}, Start: entry.Start, Duration: entry.Duration(), Spans: spans,
	}
}

func TestASystemIsLearnedFromItsRequests(t *testing.T) {
	var l scenario.Learner
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 2000 {
		q := served(n, r)
		l.Add(&q)
	}
	learned, err := l.Learn("shop")
	if err != nil {
		t.Fatal(err)
	}
	m := learned.Scenario.Model
	if len(m.Services) != 2 || len(m.Stores) != 1 || m.Services[1].ID != "web" || m.Services[1].Instances != 2 || m.Services[0].Version != "2.0.0" {
		t.Fatalf("services %+v, stores %+v", m.Services, m.Stores)
	}
	for what, got := range map[string][2]time.Duration{
		"pay works 100 ms itself": {m.Services[0].ServiceTime.Quantile(0.5), 100 * time.Millisecond},
		"web works 2 ms itself":   {m.Services[1].ServiceTime.Quantile(0.5), 2 * time.Millisecond},
		"the database takes 5 ms": {m.Stores[0].Read.Quantile(0.5), 5 * time.Millisecond},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: learned %s", what, got[0])
		}
	}
	if rate := m.Workloads[0].Rate.Const; math.Abs(rate-40) > 2 {
		t.Errorf("40 requests a second came, learned %g", rate)
	}
	want := sim.Policy{From: "web", To: "pay", Timeout: time.Second, Retry: sim.Retry{MaxAttempts: 2}}
	if len(m.Policies) != 1 || m.Policies[0].Timeout != want.Timeout || m.Policies[0].Retry.MaxAttempts != want.Retry.MaxAttempts {
		t.Errorf("policies %+v, want %+v", m.Policies, want)
	}
	// It works on 4 at a time in the mean, 100 ms at 40 a second, and on more now
	// and then.
	for _, u := range learned.Scenario.Uncertain {
		if u.Target == "pay" && (u.Low < 4 || u.Low > 20 || u.High != 3*u.Low) {
			t.Errorf("servers of pay: %+v", u)
		}
	}
	if notes := strings.Join(learned.Notes, "\n"); !strings.Contains(notes, "no timeout of web to orders was seen") {
		t.Errorf("notes: %s", notes)
	}
}

func TestTooLittleTrafficIsNotLearnedFrom(t *testing.T) {
	var l scenario.Learner
	if _, err := l.Learn("shop"); err == nil || !strings.Contains(err.Error(), "0 requests: want at least 100") {
		t.Errorf("error is %v", err)
	}
}

func TestCornersCoverEachRangeEvenly(t *testing.T) {
	s := &scenario.Scenario{Uncertain: make([]scenario.Uncertain, 3)}
	points := s.Corners(12, rand.New(rand.NewPCG(1, 1)))
	if len(points) != 12 {
		t.Fatalf("%d points, want 12", len(points))
	}
	for d := range 3 {
		slot := make(map[int]int)
		for _, p := range points[2:] {
			slot[int(p[d]*10)]++
		}
		if len(slot) != 10 || points[0][d] != 0 || points[1][d] != 1 {
			t.Errorf("range %d is covered at %v", d, slot)
		}
	}
}

func TestAFindingThatHoldsOnlyForSomeCapacitiesIsUnsettled(t *testing.T) {
	if testing.Short() {
		t.Skip("an experiment is run in another test too")
	}
	s := load(t, "small.yaml")
	s.Uncertain = []scenario.Uncertain{{Target: "pay", Param: "servers", Low: 6, High: 20}}
	s.Truth.SeenAs = map[string]string{"brownout": "pay slow=yes"}
	finding := conditions("shop retry.max_attempts", "pay slow")
	r, err := s.Reproduce(t.Context(), finding, 2, func(o *experiment.Options) { o.Min, o.Max = 36, 36 })
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != incident.Unsettled || r.Points[0].Status != incident.Confirmed || r.Points[1].Status != incident.Refuted {
		t.Errorf("%s: %s at %s, %s at %s; want it to hold with 6 servers and not with 20",
			r.Status, r.Points[0].Status, r.Points[0], r.Points[1].Status, r.Points[1])
	}
	if len(r.Tornado) != 1 || r.Tornado[0].AtLow < 0.5 || r.Tornado[0].AtHigh > 0.1 || r.Tornado[0].Difference.High > -0.4 {
		t.Errorf("what moves it most is %v", r.Tornado)
	}
	if got := r.Points[1].String(); got != "pay servers=20" {
		t.Errorf("the second point is at %s", got)
	}
}

func TestTheNumberThatMattersMostComesFirst(t *testing.T) {
	s := parse(t, "storm.yaml", storm)
	s.Model.Horizon = 40 * time.Second
	s.Uncertain = []scenario.Uncertain{{Target: "shop", Param: "servers", Low: 800, High: 1200}, {Target: "pay", Param: "servers", Low: 28, High: 200}}
	swings, err := s.Tornado(t.Context(), nil, "failed_share", 2)
	if err != nil {
		t.Fatal(err)
	}
	if swings[0].Target != "pay" || swings[0].Difference.Value > -0.1 || swings[0].Difference.High > 0 || swings[0].N != 10 {
		t.Errorf("first is %s", swings[0])
	}
	if shop := swings[1].Difference; shop.Low > 0 || shop.High < 0 {
		t.Errorf("servers that are always enough move it: %s", swings[1])
	}
}
