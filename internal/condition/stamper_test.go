package condition_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// requests reads a trace written by hand and returns its requests.
func requests(t testing.TB, text string) []request.Request {
	t.Helper()
	spans, err := eddytest.ParseTrace(text)
	if err != nil {
		t.Fatal(err)
	}
	a := request.New(request.Config{})
	a.Add(eddytest.Start(), spans)
	return a.Drain(eddytest.Start())
}

// change says that a state came into force so long before Start.
func change(ago time.Duration, entity, dimension, value string) *telemetry.Change {
	return &telemetry.Change{
		ID:   fmt.Sprint(entity, dimension, value, ago),
		Time: eddytest.Start().Add(-ago), Kind: telemetry.ChangeConfig,
		Entity: entity, Dimension: dimension, Value: value, Ends: value == "", Origin: telemetry.OriginReported,
	}
}

// shopChanges put states in force for testdata/shop.txtar.
func shopChanges() []*telemetry.Change {
	const day = 24 * time.Hour
	backup := change(time.Minute, "shop-db", "backup", "running")
	old := change(14*day, "cart", "config", "v7")
	deployed := change(time.Hour, "cart", "service.version", "2.5.0") // the span says 2.4.0
	rounding := change(time.Hour, "", "flag rounding", "half-up")     // the span says banker
	drain := change(time.Hour, "cart", "phase", "drain")
	drain.Instance = "cart-7f"
	other := change(time.Hour, "cart", "phase", "serve")
	elsewhere := change(time.Hour, "mail", "config", "v1")
	over := change(time.Hour, "gateway", "policy", "")
	later := change(-time.Hour, "gateway", "config", "v9")
	return []*telemetry.Change{
		backup, old, deployed, rounding, drain, other, elsewhere, over, later,
		change(time.Hour, "", "region failover", "on"),
	}
}

func stamp(t testing.TB, s *condition.Stamper, d *condition.Dictionary, r request.Request) []string {
	t.Helper()
	o := s.Stamp(r)
	var out []string
	for i, id := range o.Conditions {
		if i > 0 && o.Conditions[i-1] >= id {
			t.Fatalf("conditions %v are not ascending", o.Conditions)
		}
		out = append(out, d.Condition(id).String())
	}
	slices.Sort(out)
	return out
}

func TestRequestsAreStampedWithWhatWasInForce(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/shop.txtar")
	if err != nil {
		t.Fatal(err)
	}
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	timeline.Apply(shopChanges()...)
	dict := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{}, dict, timeline)
	var out strings.Builder
	for _, f := range archive.Files {
		fmt.Fprintf(&out, "-- %s --\n", f.Name)
		for _, r := range requests(t, string(f.Data)) {
			fmt.Fprintf(&out, "%s, %v\n", r.Entry, r.Outcome)
			for _, c := range stamp(t, s, dict, r) {
				fmt.Fprintf(&out, "    %s\n", c)
			}
		}
	}
	eddytest.Golden(t, "shop.golden", out.String())
}

func flagLog(service string, trace telemetry.TraceID, span telemetry.SpanID, key, variant string) *telemetry.Log {
	return &telemetry.Log{
		Trace: trace, Span: span, EventName: "feature_flag.evaluation",
		Attributes: telemetry.NewAttributes([]telemetry.Attribute{
			{Key: "feature_flag.key", Value: key}, {Key: "feature_flag.result.variant", Value: variant},
		}),
		Resource: eddytest.Resource(map[string]string{"service.name": service}),
	}
}

func TestFlagsInLogsJoinTheRequestOfTheirTrace(t *testing.T) {
	dict := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{}, dict, nil)
	rs := requests(t, "trace one\ngateway GET / 10ms\n  pricing price 5ms\ntrace two\ngateway GET / 10ms")
	trace := eddytest.TraceID("one")
	s.Logs(eddytest.Start(), []*telemetry.Log{
		flagLog("pricing", trace, telemetry.SpanID{}, "rounding", "banker"),
		flagLog("mail", trace, telemetry.SpanID{}, "theme", "dark"), // not on the path
		flagLog("pricing", telemetry.TraceID{}, telemetry.SpanID{}, "rounding", "half-up"),
	})
	var got []string
	for _, r := range rs {
		for _, c := range stamp(t, s, dict, r) {
			if strings.Contains(c, "flag") {
				got = append(got, r.ID.Trace.String()[:4]+" "+c)
			}
		}
	}
	if want := []string{trace.String()[:4] + " pricing flag rounding=banker"}; !slices.Equal(got, want) {
		t.Errorf("flags %q, want %q", got, want)
	}
	if st := s.Stats(); st.UntracedEvaluations != 1 || st.Evaluations != 3 {
		t.Errorf("stats %+v, want 3 evaluations, 1 without a trace", st)
	}
}

func TestFlagEvaluationsThatWaitAreBounded(t *testing.T) {
	s := condition.NewStamper(condition.StamperConfig{MaxEvaluations: 10}, condition.NewDictionary(0), nil)
	for i := range 100 {
		s.Logs(eddytest.Start().Add(time.Duration(i)*time.Second), []*telemetry.Log{
			flagLog("a", eddytest.TraceID(fmt.Sprint(i%7)), telemetry.SpanID{}, "f", "on"),
		})
	}
	if st := s.Stats(); st.LostEvaluations != 90 {
		t.Errorf("%d evaluations lost, want 90 of 100 with room for 10", st.LostEvaluations)
	}
	s.Logs(eddytest.Start().Add(time.Hour), nil) // all have waited too long
	for i := range 10 {
		s.Logs(eddytest.Start().Add(time.Hour), []*telemetry.Log{flagLog("a", eddytest.TraceID(fmt.Sprint(i)), telemetry.SpanID{}, "f", "on")})
	}
	if st := s.Stats(); st.LostEvaluations != 90 {
		t.Errorf("%d evaluations lost, want 90: old ones had made room", st.LostEvaluations)
	}
}

// tenant stamps a request of one tenant and reports whether it was named.
func tenant(t *testing.T, s *condition.Stamper, d *condition.Dictionary, i int, key, value string) bool {
	t.Helper()
	r := request.Request{Spans: []*telemetry.Span{{
		ID: telemetry.SpanID{1}, Kind: telemetry.KindServer, Name: "GET /",
		Resource:   eddytest.Resource(map[string]string{"service.name": "gateway"}),
		Attributes: telemetry.Attributes{{Key: key, Value: value}},
	}}}
	return slices.ContainsFunc(stamp(t, s, d, r), func(c string) bool { return strings.HasSuffix(c, key+"="+value) })
}

func TestFourHundredTenantsAreConditionsAndRequestIDsAreNot(t *testing.T) {
	dict := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{}, dict, nil)
	named, ids := 0, 0
	for i := range 8_000 {
		if tenant(t, s, dict, i, "app.tenant", fmt.Sprintf("tenant-%d", i%400)) && i >= 4_000 {
			named++
		}
		if tenant(t, s, dict, i, "app.order", fmt.Sprintf("order-%d", i)) && i >= 1_000 {
			ids++
		}
	}
	if named != 4_000 {
		t.Errorf("%d of 4000 requests name their tenant, want all once each tenant came back", named)
	}
	if ids != 0 {
		t.Errorf("%d requests name their order as a condition, want none once there were many", ids)
	}
	if n := len(dict.All()); n > 1_000 {
		t.Errorf("dictionary holds %d conditions, want at most 1000: 400 tenants and the first orders", n)
	}
}

func TestHeavyValuesStayAmongManyRareOnes(t *testing.T) {
	dict := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{}, dict, nil)
	named := 0
	for i := range 10_000 {
		value := fmt.Sprintf("guest-%d", i)
		if i%10 == 0 {
			value = "acme"
		}
		if tenant(t, s, dict, i, "app.tenant", value) && value == "acme" && i >= 1_000 {
			named++
		}
	}
	if named != 900 {
		t.Errorf("%d of 900 requests of the heavy tenant name it", named)
	}
}

func TestDimensionsAreBounded(t *testing.T) {
	dict := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{MaxDimensions: 100}, dict, nil)
	for i := range 10_000 {
		tenant(t, s, dict, i, fmt.Sprintf("app.key%d", i), "x")
	}
	if n := len(dict.All()); n > 100 {
		t.Errorf("%d conditions of 10000 keys, want at most 100", n)
	}
	if s.Stats().RefusedDimensions == 0 {
		t.Error("no refused dimension was counted")
	}
}

func TestAnObservationHasAtMostMaxConditionsAndKeepsTheVersions(t *testing.T) {
	dict := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{MaxConditions: 20}, dict, nil)
	var line strings.Builder
	line.WriteString("resource a service.version=1\na GET 1ms")
	for i := range 100 {
		fmt.Fprintf(&line, " app.k%02d=x", i)
	}
	got := stamp(t, s, dict, requests(t, line.String())[0])
	if len(got) != 20 || !slices.Contains(got, "a service.version=1") || s.Stats().Truncated != 1 {
		t.Errorf("%d conditions, truncated %d: %q", len(got), s.Stats().Truncated, got)
	}
}

func TestAnObservationNeverContainsASymptomOrIdentity(t *testing.T) {
	roles, err := condition.NewRoles()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{
		"http.response.status_code", "http.status_code", "error.type", "exception.message", "otel.status_code",
		"rpc.grpc.status_code", "db.response.status_code", "http.request.resend_count", "order.status", "app.error",
		"payment.declined", "user.id", "session.id", "url.full", "http.url", "k8s.pod.uid", "db.statement", "x.retries",
		"app.tenant", "service.version", "cache.hit", "region",
	}
	rapid.Check(t, func(t *rapid.T) {
		dict := condition.NewDictionary(0)
		s := condition.NewStamper(condition.StamperConfig{}, dict, nil)
		res := make(map[string]string)
		var list []telemetry.Attribute
		for range rapid.IntRange(0, 12).Draw(t, "attributes") {
			key := rapid.OneOf(rapid.SampledFrom(names), rapid.StringMatching(`[a-z]{1,6}(\.[a-z_]{1,9}){0,3}`)).Draw(t, "key")
			value := rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(t, "value")
			list = append(list, telemetry.Attribute{Key: key, Value: value})
			if rapid.Bool().Draw(t, "resource") {
				res[key] = value
			}
		}
		res["service.name"] = "a"
		o := s.Stamp(request.Request{Entry: request.Entry{Service: "a", Operation: "GET"}, Spans: []*telemetry.Span{{
			ID: telemetry.SpanID{1}, Resource: eddytest.Resource(res), Attributes: telemetry.NewAttributes(list),
		}}})
		for _, id := range o.Conditions {
			c := dict.Condition(id)
			// The attempt that the request itself is was known before it began.
			if c.Dimension == "entry" || c.Dimension == "attempt" || strings.HasPrefix(c.Dimension, "flag ") {
				continue
			}
			if role := roles.Of(c.Dimension); role != condition.RoleCondition {
				t.Fatalf("condition %q is of a %v", c, role)
			}
		}
	})
}
