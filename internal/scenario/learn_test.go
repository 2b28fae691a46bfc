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

// week is a Learner of a week of a shop: a request a minute at night, 4 from 8 to
// 20 o'clock, and a report that asks 5 times within 4 seconds every 6 hours.
func week(t *testing.T) *scenario.Learner {
	t.Helper()
	l := &scenario.Learner{}
	r := rand.New(rand.NewPCG(1, 1))
	monday := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	add := func(at time.Time, operation string) {
		q := served(n%100, r)
		n++
		shift := at.Sub(q.Start)
		q.Start = at
		q.Entry.Operation = operation
		for _, s := range q.Spans {
			s.Start, s.End = s.Start.Add(shift), s.End.Add(shift)
		}
		l.Add(&q)
	}
	for minute := range 7 * 24 * 60 {
		at := monday.Add(time.Duration(minute) * time.Minute)
		each := 1
		if at.Hour() >= 8 && at.Hour() < 20 {
			each = 4
		}
		if minute%360 == 0 {
			for k := range 5 {
				add(at.Add(time.Duration(k)*time.Second), "GET /report")
			}
		}
		for k := range each {
			add(at.Add(time.Duration((float64(k)+r.Float64())*float64(time.Minute)/float64(each))), "POST /pay")
		}
	}
	return l
}

func TestAWeekOfTrafficHasRatesByHourAndItsJobs(t *testing.T) {
	l := week(t)
	learned, err := l.Learn("shop")
	if err != nil {
		t.Fatal(err)
	}
	if len(learned.Arrivals) != 2 {
		t.Fatalf("arrivals %+v", learned.Arrivals)
	}
	report, pay := learned.Arrivals[0], learned.Arrivals[1]
	if report.Entry.Operation != "GET /report" {
		report, pay = pay, report
	}
	if j := report.Job; j == nil || j.Every != 6*time.Hour || j.Takes != 4*time.Second || j.Requests != 5 || j.Runs != 28 {
		t.Errorf("the report is the job %+v", report.Job)
	}
	if len(pay.Hours) != 168 || pay.Job != nil {
		t.Fatalf("payments have %d hours and the job %+v", len(pay.Hours), pay.Job)
	}
	for _, h := range pay.Hours {
		want := 1.0 / 60
		if clock := h.Hour[4:]; clock >= "08" && clock < "20" {
			want = 4.0 / 60
		}
		if math.Abs(h.Rate-want) > 0.05*want {
			t.Errorf("%s: %v a second, want %v", h.Hour, h.Rate, want)
		}
	}
	for hour, want := range map[string]float64{"": 2.5 / 60, "busiest": 4.0 / 60, "quietest": 1.0 / 60, "Tue 14": 4.0 / 60, "sun 03": 1.0 / 60} {
		l.Hour = hour
		learned, err := l.Learn("shop")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range learned.Scenario.Model.Workloads {
			if w.Op == "POST /pay" && math.Abs(w.Rate.Const-want) > 0.05*want {
				t.Errorf("hour %q: %v a second, want %v", hour, w.Rate.Const, want)
			}
			if w.Op == "GET /report" && w.Rate.Const != 0 {
				t.Errorf("the report comes %v times a second without its job", w.Rate.Const)
			}
		}
		jobs := learned.Scenario.Model.Conditions
		if len(jobs) != 1 || jobs[0].Kind != sim.KindCron || len(jobs[0].Windows) != 1 || jobs[0].Windows[0].To-jobs[0].Windows[0].From != 4*time.Second {
			t.Errorf("conditions %+v", jobs)
		}
	}
	text, err := scenario.Format(learned.Scenario)
	if err != nil {
		t.Fatal(err)
	}
	if again := parse(t, "shop.yaml", string(text)); len(again.Model.Conditions) != 1 || !again.Model.Conditions[0].Default {
		t.Errorf("what is written has the conditions %+v\n%s", again.Model.Conditions, text)
	}
	l.Hour = "noon"
	if _, err := l.Learn("shop"); err == nil || !strings.Contains(err.Error(), `hour "noon": want mean, busiest, quietest or one that was recorded: Mon 00 to Sun 23`) {
		t.Errorf("error is %v", err)
	}
}

func TestUnevenTrafficIsNoJob(t *testing.T) {
	var l scenario.Learner
	r := rand.New(rand.NewPCG(1, 1))
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for n := range 500 {
		q := served(n%100, r)
		q.Start = at
		l.Add(&q)
		at = at.Add(time.Duration(r.ExpFloat64() * float64(time.Minute)))
	}
	learned, err := l.Learn("shop")
	if err != nil {
		t.Fatal(err)
	}
	if a := learned.Arrivals[0]; a.Job != nil {
		t.Errorf("requests that come by chance are the job %+v", a.Job)
	}
}

func TestPoolsAndHitsAreLearnedPerEdge(t *testing.T) {
	var l scenario.Learner
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 400 {
		q := served(n, r)
		store := q.Spans[len(q.Spans)-1]
		result := "hit"
		if n%4 == 0 {
			result = "miss"
			store.End = store.End.Add(time.Second)
		}
		store.Attributes = telemetry.NewAttributes(append(store.Attributes, telemetry.Attribute{Key: "cache.result", Value: result}))
		l.Add(&q)
	}
	web := &telemetry.Resource{Service: "web", Instance: "web-0"}
	point := func(name string, value float64, state string) *telemetry.Point {
		return &telemetry.Point{Name: name, Value: value, Resource: web, Attributes: telemetry.NewAttributes([]telemetry.Attribute{
			{Key: "db.client.connection.pool.name", Value: "orders"}, {Key: "db.client.connection.state", Value: state},
		})}
	}
	l.AddPoints([]*telemetry.Point{
		point("db.client.connection.max", 8, ""), point("db.client.connection.count", 3, "used"),
		point("db.client.connection.count", 5, "used"), point("db.client.connection.count", 7, "idle"), nil,
	})
	learned, err := l.Learn("shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range learned.Edges {
		if e.To != "orders" {
			continue
		}
		if e.Pool != 8 || e.Used != 5 || e.Lookups != 400 || e.Hits.Value != 0.75 || e.Hits.Low < 0.7 || e.Hits.High > 0.8 || e.P99 != 5*time.Millisecond {
			t.Errorf("%+v; want a pool of 8, of which 5 were used, and three hits in four, of 5 ms", e)
		}
	}
	for _, p := range learned.Scenario.Model.Policies {
		if p.To == "orders" && p.Pool.Max != 8 {
			t.Errorf("policy %+v", p)
		}
	}
}
