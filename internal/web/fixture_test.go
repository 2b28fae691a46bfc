package web_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/web"
)

// now is when the tests ask. The shop's twist began six minutes earlier.
func now() time.Time { return time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC) }

// The shop's three conditions, ordered as condition.Compare orders them.
func twist() []condition.Condition {
	return []condition.Condition{
		{Entity: "cart", Dimension: "service.version", Value: "2.3.0"},
		{Entity: "pricing", Dimension: "flag rounding", Value: "banker"},
		{Entity: "pricing", Dimension: "service.version", Value: "2.4.0"},
	}
}

func checkout() request.Entry { return request.Entry{Service: "gateway", Operation: "POST /checkout"} }

// shop is a store with half an hour of a shop: two entries, a rollout, a flag
// that half of the requests meet, changes beside them, and one incident of
// each kind.
type shop struct {
	*store.Mem
	dictionary *condition.Dictionary
	result     pipeline.Result
	cells      map[[3]bool]*interaction.Cell
	random     *rand.Rand
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{
		Mem: store.NewMem(), dictionary: condition.NewDictionary(0),
		cells: make(map[[3]bool]*interaction.Cell), random: rand.New(rand.NewPCG(7, 7)),
	}
	s.append(t, telemetry.Batch{Changes: changes()})
	for k := range 90 {
		s.bucket(t, now().Add(-15*time.Minute).Add(time.Duration(k)*10*time.Second))
	}
	s.result.Window = telemetry.Window{Start: now().Add(-15 * time.Minute), End: now()}
	s.result.Dictionary = s.dictionary
	s.result.Incidents = []incident.Incident{s.twist(), single(), unexplained(), slow()}
	s.save(t, s.result)
	return s
}

func (s *shop) append(t testing.TB, b telemetry.Batch) {
	t.Helper()
	if err := s.Append(t.Context(), b, 0); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) save(t testing.TB, r pipeline.Result) {
	t.Helper()
	if err := s.Save(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func changes() []*telemetry.Change {
	at := func(before time.Duration) time.Time { return now().Add(-before) }
	return []*telemetry.Change{
		{ID: "1", Time: at(14*24*time.Hour + 3*time.Hour), Kind: telemetry.ChangeDeploy, Entity: "cart", Dimension: "service.version", Value: "2.3.0", Previous: "2.2.9", Origin: telemetry.OriginInferred},
		{ID: "2", Time: at(12*time.Minute + 12*time.Second), Kind: telemetry.ChangeFlag, Entity: "pricing", Dimension: "flag rounding", Value: "banker", Previous: "half-up", Origin: telemetry.OriginReported, Actor: "mira", Source: "flags", URL: "https://flags.example/rounding"},
		{ID: "3", Time: at(6*time.Minute + 4*time.Second), Kind: telemetry.ChangeDeploy, Entity: "pricing", Dimension: "service.version", Value: "2.4.0", Previous: "2.3.9", Origin: telemetry.OriginReported, Actor: "ci", Source: "deploys", Summary: "faster totals"},
		{ID: "4", Time: at(9 * time.Minute), Kind: telemetry.ChangeSchedule, Entity: "orders-db", Dimension: "backup", Value: "running", Origin: telemetry.OriginReported},
		{ID: "5", Time: at(3 * time.Minute), Kind: telemetry.ChangeSchedule, Entity: "orders-db", Dimension: "backup", Ends: true, Origin: telemetry.OriginReported},
		{ID: "6", Time: at(8 * time.Minute), Kind: telemetry.ChangeConfig, Entity: "inventory", Dimension: "config pool.size", Value: "40", Previous: "20", Origin: telemetry.OriginReported},
	}
}

// bucket adds ten seconds of traffic: 40 checkouts and 60 reads.
func (s *shop) bucket(t testing.TB, start time.Time) {
	t.Helper()
	total := pipeline.Total{Bucket: start.Unix(), Entry: checkout()}
	for k := range 40 {
		at := start.Add(time.Duration(k) * 250 * time.Millisecond)
		o := s.observe(t, at)
		total.Requests++
		if o.Outcome == request.Failed {
			total.Failed++
		}
		s.result.Observations = append(s.result.Observations, o)
	}
	reads := pipeline.Total{Bucket: start.Unix(), Entry: request.Entry{Service: "gateway", Operation: "GET /products"}, Requests: 60, Slow: s.random.IntN(2)}
	s.result.Totals = append(s.result.Totals, total, reads)
}

// observe is one checkout. It fails in 74 % of cases if all three hold.
func (s *shop) observe(t testing.TB, at time.Time) condition.Observation {
	t.Helper()
	rolled := at.Sub(now().Add(-6*time.Minute - 4*time.Second))
	held := [3]bool{
		s.random.Float64() < 0.7,
		at.After(now().Add(-12*time.Minute-12*time.Second)) && s.random.Float64() < 0.5,
		s.random.Float64() < rolled.Minutes(), // a rollout of one minute
	}
	risk := 0.002
	if held == [3]bool{true, true, true} {
		risk = 0.74
	}
	o := condition.Observation{Entry: checkout(), Time: at, Duration: 80 * time.Millisecond, Weight: 1}
	binary.BigEndian.PutUint64(o.Request.Trace[:], uint64(at.UnixNano()))
	o.Request.Span[7] = 1
	for k, c := range twist() {
		if held[k] {
			id, _ := s.dictionary.ID(c)
			o.Conditions = append(o.Conditions, id)
		}
	}
	cell := s.cells[held]
	if cell == nil {
		cell = &interaction.Cell{}
		s.cells[held] = cell
	}
	cell.Total++
	if s.random.Float64() < risk {
		o.Outcome, o.Reason = request.Failed, "500"
		cell.Failed++
	}
	if len(cell.Traces) < 3 && (o.Outcome == request.Failed) == (risk > 0.5) {
		cell.Traces = append(cell.Traces, o.Request.Trace)
		s.append(t, trace(o.Request.Trace, at, o.Outcome == request.Failed))
	}
	return o
}

// trace is a checkout's spans and two log records.
func trace(id telemetry.TraceID, at time.Time, failed bool) telemetry.Batch {
	resource := func(service, version string) *telemetry.Resource {
		return &telemetry.Resource{Service: service, Version: version, Attributes: telemetry.NewAttributes([]telemetry.Attribute{
			{Key: "service.name", Value: service}, {Key: "service.version", Value: version}, {Key: "deployment.environment.name", Value: "demo"},
		})}
	}
	span := func(n, parent byte, service, version, name string, from, to int) *telemetry.Span {
		sp := &telemetry.Span{
			Trace: id, ID: telemetry.SpanID{n}, Name: name, Kind: telemetry.KindServer,
			Start: at.Add(time.Duration(from) * time.Millisecond), End: at.Add(time.Duration(to) * time.Millisecond),
			Resource:   resource(service, version),
			Attributes: telemetry.NewAttributes([]telemetry.Attribute{{Key: "http.route", Value: name}, {Key: "http.request.method", Value: "POST"}}),
		}
		if parent > 0 {
			sp.Parent = telemetry.SpanID{parent}
		}
		return sp
	}
	spans := []*telemetry.Span{
		span(1, 0, "gateway", "5.1.0", "POST /checkout", 0, 84),
		span(2, 1, "cart", "2.3.0", "GET /cart/{id}", 3, 70),
		span(3, 2, "pricing", "2.4.0", "POST /quote", 9, 41),
		span(4, 2, "inventory", "1.8.2", "POST /reserve", 42, 66),
		span(5, 4, "inventory", "1.8.2", "SELECT stock", 44, 61),
		span(6, 1, "payments", "3.0.4", "POST /charge", 71, 82),
	}
	if failed {
		for _, k := range []int{0, 1, 2} {
			spans[k].Status, spans[k].Message = telemetry.StatusError, "totals differ by 0.01"
		}
	}
	return telemetry.Batch{Spans: spans, Logs: []*telemetry.Log{
		{Time: at.Add(10 * time.Millisecond), Trace: id, Span: telemetry.SpanID{3}, Severity: 9, Body: "quote for 3 lines", Resource: resource("pricing", "2.4.0")},
		{Time: at.Add(40 * time.Millisecond), Trace: id, Span: telemetry.SpanID{3}, Severity: 17, Body: "rounding mismatch: 19.995 became 19.99", Resource: resource("pricing", "2.4.0")},
	}}
}

// twist is the shop's interaction of three.
func (s *shop) twist() incident.Incident {
	conditions := twist()
	began := now().Add(-6 * time.Minute)
	f := &interaction.Finding{
		Rank: 1, Verdict: interaction.Interact, Grade: "only together", Conditions: conditions,
		Coverage: 0.963, Excess: 402, Difference: 0.72, P: 0.00001,
		For:     []string{"74% of the requests that met all three failed, against at most 0.6% with any one of them missing.", "The failures began 4 s after the last of the three came into force."},
		Against: []string{"15 failures happened without all three; the base risk explains them."},
		Missing: []string{"No experiment has taken away one condition at a time yet."},
	}
	for _, held := range [][3]bool{
		{true, true, true},
		{true, true, false},
		{true, false, true},
		{false, true, true},
		{true, false, false},
		{false, true, false},
		{false, false, true},
		{false, false, false},
	} {
		cell := interaction.Cell{High: 1}
		if c := s.cells[held]; c != nil {
			cell = *c
			cell.Risk = float64(cell.Failed) / float64(cell.Total)
			cell.Low, cell.High = max(0, cell.Risk-0.03), min(1, cell.Risk+0.03)
		}
		for k, c := range conditions {
			if held[k] {
				cell.Holds = append(cell.Holds, c.String())
			}
		}
		f.Cells = append(f.Cells, cell)
	}
	deploy := changes()[2]
	return incident.Incident{
		ID: "2026-11-21-1", State: incident.Open, Outcome: request.Failed,
		Title:  "Checkout fails for 74% of requests when cart 2.3.0 meets pricing flag rounding=banker and pricing 2.4.0. With any one of them missing, at most 0.6% fail.",
		Opened: began.Add(20 * time.Second), Began: began, Updated: now(), LastFailure: now().Add(-time.Second),
		Failures: s.cells[[3]bool{true, true, true}].Failed, Requests: 1440,
		Entries: []request.Entry{checkout()}, Finding: f, Missing: []string{"payments does not report its version on 4% of spans."}, Analyses: 30,
		Timeline: []incident.Moment{
			{Time: now().Add(-14*24*time.Hour - 3*time.Hour), What: "change", Text: conditions[0].String() + " came into force", Change: changes()[0], Condition: &conditions[0]},
			{Time: now().Add(-12*time.Minute - 12*time.Second), What: "change", Text: conditions[1].String() + " came into force", Change: changes()[1], Condition: &conditions[1]},
			{Time: deploy.Time, What: "change", Text: conditions[2].String() + " came into force", Change: deploy, Condition: &conditions[2]},
			{Time: began, What: "first failure", Text: "first failed request of this incident, at gateway POST /checkout"},
			{Time: began.Add(20 * time.Second), What: "opened", Text: "opened after 12 failed requests"},
			{Time: began.Add(30 * time.Second), What: "explained", Text: "Checkout fails when the three meet."},
		},
	}
}

// single is an incident with one cause, over and done with.
func single() incident.Incident {
	c := condition.Condition{Entity: "inventory", Dimension: "service.version", Value: "1.9.0"}
	began := now().Add(-26 * time.Hour)
	return incident.Incident{
		ID: "2026-11-20-1", State: incident.Resolved, Outcome: request.Failed,
		Title:  "Reservations fail for 12% of requests on inventory 1.9.0.",
		Opened: began.Add(15 * time.Second), Began: began, Updated: began.Add(50 * time.Minute), Closed: began.Add(50 * time.Minute),
		LastFailure: began.Add(46 * time.Minute), Failures: 310, Requests: 2600, Analyses: 300,
		Entries: []request.Entry{checkout()},
		Timeline: []incident.Moment{
			{Time: began.Add(-5 * time.Minute), What: "first seen", Text: c.String() + " was met by a request", Condition: &c},
			{Time: began, What: "first failure", Text: "first failed request of this incident, at gateway POST /checkout"},
		},
		Finding: &interaction.Finding{
			Rank: 1, Verdict: interaction.SingleCause, Conditions: []condition.Condition{c}, Coverage: 0.99, Excess: 305, P: 0.003,
			Cells: []interaction.Cell{
				{Holds: []string{c.String()}, Total: 2600, Failed: 310, Risk: 0.119, Low: 0.107, High: 0.132},
				{Total: 9000, Failed: 9, Risk: 0.001, Low: 0.0005, High: 0.0019},
			},
			For: []string{"The failures end with the rollback."},
		},
	}
}

// unexplained is an incident that no condition on record explains.
func unexplained() incident.Incident {
	began := now().Add(-3 * time.Hour)
	return incident.Incident{
		ID: "2026-11-21-2", State: incident.Mitigated, Outcome: request.Failed,
		Title:  "gateway GET /products: 64 of 4,100 requests failed in the last 5 min, and no condition on record explains it.",
		Opened: began.Add(time.Minute), Began: began, Updated: now().Add(-2 * time.Hour), Closed: now().Add(-2 * time.Hour), LastFailure: now().Add(-2*time.Hour - 3*time.Minute),
		Failures: 64, Requests: 4100, Analyses: 40,
		Entries: []request.Entry{{Service: "gateway", Operation: "GET /products"}},
		Phases:  []conformance.Finding{misrouted(began)},
		Missing: []string{"catalog reports no service.version: set it as a resource attribute, so that versions can be told apart."},
	}
}

// misrouted is a phase failure with every kind of evidence.
func misrouted(at time.Time) conformance.Finding {
	return conformance.Finding{
		Code: conformance.DrainMisrouting, Name: "drain misrouting", Severity: conformance.High, Origin: conformance.Inferred,
		Subject: "catalog/catalog-7f", Service: "catalog", Since: at, Until: at.Add(time.Minute),
		Text:    "drain misrouting: 12 calls broke at catalog/catalog-7f within 60 s of its terminating at 07:29:59.000",
		For:     []string{"12 of 64 failed requests of this incident that are kept say in their own trace that a phase did not fit"},
		Against: []string{"52 of them do not"}, Missing: []string{"what the callers believed: they do not use package phase"},
		Traces: []telemetry.TraceID{{0xab, 0xcd, 15: 1}},
	}
}

// slow is about requests that took too long, with long names and no cells.
func slow() incident.Incident {
	long := strings.Repeat("recommendation-engine-for-returning-customers-", 3)
	c := condition.Condition{Entity: long + "service", Dimension: "k8s.deployment.rollout.strategy." + long, Value: strings.Repeat("blue-green/", 12) + "<script>alert(1)</script>"}
	return incident.Incident{
		ID: "2026-11-21-3", State: incident.Open, Outcome: request.Slow,
		Title:  "Requests are slow for 8% of requests when " + c.String() + ".",
		Opened: now().Add(-4 * time.Minute), Began: now().Add(-5 * time.Minute), Updated: now(), LastFailure: now().Add(-time.Minute),
		Failures: 31, Requests: 380, Analyses: 1,
		Entries: []request.Entry{{Service: long, Operation: "GET /" + long}},
		Finding: &interaction.Finding{Rank: 1, Verdict: interaction.Joint, Conditions: []condition.Condition{c}},
	}
}

// coverage is what the shop's telemetry has and lacks.
func coverage() web.Coverage {
	return web.Coverage{
		Services: []web.ServiceCoverage{
			{Service: "gateway", Figures: []web.Figure{{Name: "version", Part: 9000, Of: 9000}, {Name: "trace id in logs", Part: 620, Of: 1000}, {Name: "whole traces", Part: 8990, Of: 9000}}},
			{Service: "payments", Figures: []web.Figure{{Name: "version", Part: 8640, Of: 9000}, {Name: "trace id in logs"}, {Name: "whole traces", Part: 9000, Of: 9000}}},
		},
		Missing: []string{"38% of log records of gateway carry no trace id: use a log bridge of the OpenTelemetry SDK.", "No flag evaluations arrive: flags can only be named if changes to them are reported."},
	}
}

// serve starts a server over records, as app would.
func serve(t testing.TB, c web.Config) *web.Server {
	t.Helper()
	if c.Clock == nil {
		c.Clock = now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	c.Receivers = web.Receivers{GRPC: "127.0.0.1:4317", HTTP: "http://127.0.0.1:4318"}
	s, err := web.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func shopConfig(t testing.TB) web.Config {
	records := newShop(t)
	return web.Config{
		Records: records, Coverage: coverage, Experiments: records.experiment, PhaseReports: phases(),
		Changes:    receiver(t).Changes(),
		Metrics:    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("eddy_up 1\n")) }),
		TraceLinks: []web.Link{{Name: "Jaeger", URL: "http://127.0.0.1:16686/trace/{trace}"}},
	}
}

// phases is what a server knows of a pod that drained, and of one that announced
// nothing and lost its calls, of a migration, and of two leaders.
func phases() *conformance.Monitor {
	m := conformance.New(conformance.Config{})
	at := func(seconds int) time.Time {
		return now().Add(-10 * time.Minute).Add(time.Duration(seconds) * time.Second)
	}
	event := func(name string, seconds int, pairs ...string) *telemetry.Log {
		list := []telemetry.Attribute{{Key: attr.PhaseContract, Value: "rolling-drain@1"}, {Key: attr.PhaseSubject, Value: "shop/cart/cart-7f"}}
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, telemetry.Attribute{Key: pairs[i], Value: pairs[i+1]})
		}
		return &telemetry.Log{Time: at(seconds), EventName: name, Attributes: telemetry.NewAttributes(list)}
	}
	write := func(seconds, token int, holder string) *telemetry.Span {
		return &telemetry.Span{
			ID: telemetry.SpanID{byte(seconds)}, End: at(seconds), Resource: &telemetry.Resource{Service: "cron", Instance: holder},
			Attributes: telemetry.NewAttributes([]telemetry.Attribute{{Key: attr.FenceSubject, Value: "shop/cron"}, {Key: attr.FenceToken, Value: strconv.Itoa(token)}, {Key: attr.FenceVerdict, Value: attr.FenceAccepted}}),
		}
	}
	m.Add(at(0), telemetry.Batch{
		Logs: []*telemetry.Log{
			event(attr.EventPhaseAnnounced, 0, attr.PhaseEpoch, "1", attr.PhaseFrom, "INIT", attr.PhaseTo, "ACTIVE", attr.PhaseRegistered, "1"),
			event(attr.EventPhaseObserved, 0, attr.PhaseEpoch, "1", attr.PhaseName, "ACTIVE", attr.ConsumerID, "gateway-1", attr.PhaseRole, "router"),
			event(attr.EventPhaseAnnounced, 60, attr.PhaseEpoch, "2", attr.PhaseFrom, "ACTIVE", attr.PhaseTo, "DRAIN", attr.PhaseRegistered, "1"),
			event(attr.EventPhaseEnforced, 61, attr.PhaseEpoch, "2", attr.PhaseName, "DRAIN"),
			event(attr.EventPhaseObserved, 61, attr.PhaseEpoch, "2", attr.PhaseName, "DRAIN", attr.ConsumerID, "gateway-1", attr.PhaseRole, "router"),
			event(attr.EventPhaseAcked, 61, attr.PhaseEpoch, "2", attr.ConsumerID, "gateway-1", attr.PhaseRole, "router"),
		},
		Spans:   []*telemetry.Span{write(10, 7, "cron-1"), write(20, 9, "cron-2"), write(21, 7, "cron-1"), write(22, 9, "cron-2")},
		Changes: []*telemetry.Change{{Time: at(100), Kind: telemetry.ChangePhase, Entity: "catalog", Instance: "catalog-7f", Dimension: telemetry.DimensionEndpoint + "catalog", Value: telemetry.EndpointServing, Previous: telemetry.EndpointReady, Source: "kubernetes"}},
	})
	for k, pair := range [][]string{{"ACTIVE", "ACTIVE", "ok"}, {"DRAIN", "ACTIVE", "tolerated"}, {"SHUTDOWN", "?", "refused"}} {
		m.Add(at(0), telemetry.Batch{
			Points: []*telemetry.Point{{Time: at(70), Name: attr.MetricPhaseInteractions, Value: float64(100 - 40*k), Attributes: telemetry.NewAttributes([]telemetry.Attribute{
				{Key: attr.PhaseContract, Value: "rolling-drain@1"},
				{Key: attr.PhaseRole, Value: "router"},
				{Key: attr.PhaseAction, Value: "new_request"},
				{Key: attr.PhaseActual, Value: pair[0]},
				{Key: attr.PhaseBelieved, Value: pair[1]},
				{Key: attr.PhaseVerdict, Value: pair[2]},
			})}},
			Spans: []*telemetry.Span{{End: at(80 + k), Resource: &telemetry.Resource{Service: "billing", Instance: strconv.Itoa(k % 2)}, Attributes: telemetry.NewAttributes([]telemetry.Attribute{
				{Key: attr.JobID, Value: "invoice-17"}, {Key: attr.JobAttempt, Value: "1"}, {Key: attr.JobOutcome, Value: attr.JobCommitted},
			})}},
		})
	}
	var calls []request.Request
	for k := range 4 {
		s := &telemetry.Span{
			Trace: telemetry.TraceID{1, byte(k)}, ID: telemetry.SpanID{1, byte(k)}, Kind: telemetry.KindServer, Start: at(101 + k), End: at(101 + k), Resource: &telemetry.Resource{Service: "catalog", Instance: "catalog-7f"},
			Attributes: telemetry.NewAttributes([]telemetry.Attribute{{Key: attr.HTTPResponseStatusCode, Value: "503"}}),
		}
		calls = append(calls, request.Request{ID: request.ID{Trace: s.Trace, Span: s.ID}, Start: s.Start, Outcome: request.Failed, Spans: []*telemetry.Span{s}})
	}
	m.Requests(now(), calls)
	return m
}

// experiment records the result of an experiment as a server does.
func (s *shop) experiment(ctx context.Context, id incident.ID, e incident.Experiment) (incident.Incident, error) {
	k, err := s.Incident(ctx, id)
	if err != nil {
		return k, err
	}
	e.Time = now()
	if k, _, err = k.With(e); err != nil {
		return k, err
	}
	return k, s.Save(ctx, pipeline.Result{Incidents: []incident.Incident{k}})
}

// receiver takes changes as a server does, and journals them.
func receiver(t testing.TB) *ingest.Server {
	t.Helper()
	s, err := ingest.New(ingest.Config{Journal: ingest.JournalConfig{Dir: t.TempDir()}}, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newEmpty is a store that has never been given anything.
func newEmpty() *store.Mem { return store.NewMem() }

// newShopTrace is the id of a failed trace of the shop, the same in each.
func newShopTrace(t testing.TB) string {
	t.Helper()
	return newShop(t).cells[[3]bool{true, true, true}].Traces[0].String()
}
