package condition_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/telemetry"
)

func TestMissingTelemetryIsNamedWithWhatToDo(t *testing.T) {
	now := eddytest.Start()
	c := condition.NewCoverage(0)
	for i := range 50 {
		c.Add(now, requests(t, fmt.Sprintf(`
trace %d
resource gateway service.version=1 service.instance.id=a
resource cart service.instance.id=c
gateway POST /checkout 100ms
  gateway call 10ms client server.address=inventory
  gateway call 10ms client server.address=cart
  gateway lost 20ms client lost
    pricing price 10ms dropped=2
      pricing db 5ms client db.system=redis
  cart get 10ms`, i))...)
	}
	c.Add(now, requests(t, "trace r\nfront x 1s lost\n  gateway POST /checkout 100ms server")...)
	cart := eddytest.Resource(map[string]string{"service.name": "cart"})
	for i := range 40 {
		l := &telemetry.Log{Resource: cart}
		if i%4 == 0 {
			l.Trace = eddytest.TraceID("1")
		}
		c.AddLogs(now, []*telemetry.Log{l})
	}
	dropped := func(value float64) *telemetry.Point {
		return &telemetry.Point{
			Name: "otel.sdk.processor.span.processed", Value: value, Cumulative: true, Resource: cart,
			Attributes: telemetry.Attributes{{Key: "error.type", Value: "queue_full"}},
		}
	}
	c.AddPoints(now, []*telemetry.Point{dropped(100), dropped(107)})
	report, err := json.MarshalIndent(c.Report(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "coverage.golden", strings.Join(c.Missing(), "\n")+"\n\n"+string(report)+"\n")
}

func TestNothingIsMissingWhereAllIsSaid(t *testing.T) {
	now := eddytest.Start()
	c := condition.NewCoverage(0)
	for i := range 50 {
		c.Add(now, requests(t, fmt.Sprintf(`
trace %d
resource a service.version=1 service.instance.id=a
a GET 10ms flag:x=on`, i))...)
	}
	c.AddChanges(now, change(0, "a", "config", "v1"))
	if got := c.Missing(); len(got) != 0 {
		t.Errorf("missing: %q, want nothing", got)
	}
}

func TestWhatNobodySendsIsTold(t *testing.T) {
	now := eddytest.Start()
	c := condition.NewCoverage(0)
	if got := c.Missing(); len(got) != 0 {
		t.Errorf("missing before anything came: %q", got)
	}
	c.AddLogs(now, []*telemetry.Log{{Resource: eddytest.Resource(map[string]string{"service.name": "a"})}})
	if got := c.Missing(); len(got) != 1 || !strings.Contains(got[0], "send traces too") {
		t.Errorf("missing with logs alone: %q", got)
	}
	c.Add(now, requests(t, "a GET 1ms")...)
	has := func(text string) bool {
		return slices.ContainsFunc(c.Missing(), func(s string) bool { return strings.Contains(s, text) })
	}
	if !has("no change was reported") || !has("no feature flag was seen") {
		t.Errorf("missing: %q, want changes and flags", c.Missing())
	}
	inferred := change(0, "a", "service.version", "2")
	inferred.Origin, inferred.Kind = telemetry.OriginInferred, telemetry.ChangeDeploy
	c.AddChanges(now, inferred)
	if !has("1 deploy was found out from spans and none was reported") {
		t.Errorf("missing: %q, want the inferred deploy", c.Missing())
	}
	c.AddLogs(now, []*telemetry.Log{flagLog("a", telemetry.TraceID{}, telemetry.SpanID{}, "x", "on")})
	if !has("1 flag evaluation came without a trace id") {
		t.Errorf("missing: %q, want the evaluation without a trace", c.Missing())
	}
}

func TestServicesThatLackTheSameAreNamedTogether(t *testing.T) {
	c := condition.NewCoverage(0)
	for i := range 30 {
		c.Add(eddytest.Start(), requests(t, fmt.Sprintf(`
trace %d
a GET 10ms
  b get 1ms
  c get 1ms
  d get 1ms
  e get 1ms
  f get 1ms
  g get 1ms`, i))...)
	}
	got := c.Missing()
	want := "a, b, c, d and 3 more services report no service.version on many or all of their spans"
	if !strings.HasPrefix(got[0], want) || len(got) != 4 {
		t.Errorf("missing:\n%s\nwant 4 sentences, the first %q", strings.Join(got, "\n"), want)
	}
}

func TestChangesCountForTheirServiceWhicheverComesFirst(t *testing.T) {
	c := condition.NewCoverage(0)
	c.AddChanges(eddytest.Start(), change(0, "a", "config", "v1"), change(0, "orders-db", "backup", "on"))
	c.Add(eddytest.Start(), requests(t, "a GET 1ms")...)
	if got := c.Report(); len(got) != 1 || got[0].Changes != 1 {
		t.Errorf("report %+v, want one service with one change", got)
	}
}

func TestCoverageForgetsWhatIsOlderThanTwoPeriods(t *testing.T) {
	c := condition.NewCoverage(time.Minute)
	at := eddytest.Start()
	c.Add(at, requests(t, "a GET 1ms")...)
	c.Add(at.Add(90*time.Second), requests(t, "b GET 1ms")...)
	if got := c.Report(); len(got) != 2 {
		t.Errorf("%d services within two periods, want 2", len(got))
	}
	c.Add(at.Add(150*time.Second), requests(t, "b GET 1ms")...)
	if got := c.Report(); len(got) != 1 || got[0].Service != "b" {
		t.Errorf("services %+v, want only b", got)
	}
	c.Add(at.Add(time.Hour))
	if got := c.Report(); len(got) != 0 {
		t.Errorf("services %+v after an hour of silence, want none", got)
	}
}
