package web_test

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/web"
)

func confluence(t testing.TB, h http.Handler, id string) web.Confluence {
	t.Helper()
	w := ask(t, h, "GET", "/api/v1/incidents/"+id+"/confluence", nil)
	var c web.Confluence
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return c
}

// step is the number of a time's step.
func stepAt(c web.Confluence, at time.Time) int {
	return int(at.Sub(c.Window.Start) / (time.Duration(c.StepSeconds) * time.Second))
}

func TestLanesAreSharesOfRequests(t *testing.T) {
	c := confluence(t, serve(t, shopConfig(t)).Handler(), "2026-11-21-1")
	before, after := stepAt(c, now().Add(-10*time.Minute)), stepAt(c, now().Add(-2*time.Minute))
	for _, want := range []struct {
		lane, step int
		ratio      float64
	}{{0, before, 0.7}, {0, after, 0.7}, {1, before, 0.5}, {2, before, 0}, {2, after, 1}} {
		got := c.Lanes[want.lane].Shares[want.step]
		if math.Abs(got.Ratio-want.ratio) > 0.2 || got.Requests < 40 {
			t.Errorf("lane %s in step %d is %+v, want about %v of 40 requests or more", c.Lanes[want.lane].Condition, want.step, got, want.ratio)
		}
	}
	if got := c.Together[before].Ratio; got != 0 {
		t.Errorf("before the rollout the three meet in %v of requests, want 0", got)
	}
	if got := c.Together[after].Ratio; math.Abs(got-0.35) > 0.2 {
		t.Errorf("after the rollout the three meet in %v of requests, want about 0.35", got)
	}
}

func TestRatesAreExactTotalsOfTheAffectedEntries(t *testing.T) {
	config := shopConfig(t)
	c := confluence(t, serve(t, config).Handler(), "2026-11-21-1")
	totals, err := config.Records.Totals(t.Context(), c.Window, checkout())
	if err != nil {
		t.Fatal(err)
	}
	var want, got [2]int
	for _, total := range totals {
		want[0], want[1] = want[0]+total.Requests, want[1]+total.Failed
	}
	for _, r := range c.Rates {
		got[0], got[1] = got[0]+r.Requests, got[1]+r.Failed
		if r.Low > r.Risk || r.Risk > r.High {
			t.Errorf("rate %+v lies outside its interval", r)
		}
	}
	if got != want {
		t.Errorf("rates add up to %v requests and failures, want %v", got, want)
	}
}

func TestEachLaneKnowsTheChangeThatBeganIt(t *testing.T) {
	c := confluence(t, serve(t, shopConfig(t)).Handler(), "2026-11-21-1")
	for k, want := range []string{"1", "2", "3"} {
		if l := c.Lanes[k]; l.Change == nil || l.Change.ID != want {
			t.Errorf("lane %s has change %+v, want %s", l.Condition, l.Change, want)
		}
	}
	if len(c.Changes) != 3 {
		t.Errorf("%d other changes, want the backup's two and the config's", len(c.Changes))
	}
}

func TestAnUnexplainedIncidentHasRatesAndChangesButNoLanes(t *testing.T) {
	c := confluence(t, serve(t, shopConfig(t)).Handler(), "2026-11-21-2")
	if len(c.Lanes) != 0 || len(c.Together) != 0 || len(c.Rates) == 0 {
		t.Errorf("got %d lanes, %d overlaps, %d rates, want rates only", len(c.Lanes), len(c.Together), len(c.Rates))
	}
}

func TestALongIncidentKeepsItsPictureSmall(t *testing.T) {
	i := slow()
	i.ID, i.Began, i.LastFailure = "long", now().Add(-300*24*time.Hour), now()
	records := newEmpty()
	if err := records.Save(t.Context(), pipeline.Result{Incidents: []incident.Incident{i}}); err != nil {
		t.Fatal(err)
	}
	c := confluence(t, serve(t, web.Config{Records: records}).Handler(), "long")
	if n := len(c.Rates); n == 0 || n > 80 || c.Window.Duration() > 8*24*time.Hour {
		t.Errorf("300 days are %d steps over %v, want at most 80 over 7 days", n, c.Window.Duration())
	}
}

func TestMoreObservationsThanAreReadAreSampledAndThePageSaysSo(t *testing.T) {
	records := store.NewMem()
	dictionary := condition.NewDictionary(0)
	id, _ := dictionary.ID(twist()[0])
	r := pipeline.Result{Dictionary: dictionary}
	i := unexplained()
	i.ID, i.State, i.Began, i.Closed, i.LastFailure = "busy", incident.Open, now().Add(-time.Minute), time.Time{}, now()
	i.Finding = single().Finding
	i.Finding.Conditions = twist()[:1]
	i.Entries = []request.Entry{checkout()}
	r.Incidents = []incident.Incident{i}
	for k := range 70_000 { // over five minutes: the bound is 60,000
		at := now().Add(-time.Duration(70_000-k) * 5 * time.Minute / 70_000)
		o := condition.Observation{Entry: checkout(), Time: at, Weight: 1}
		o.Request.Trace = telemetry.TraceID{1, byte(k >> 16), byte(k >> 8), byte(k)}
		if k%2 == 0 {
			o.Conditions = []condition.ID{id}
		}
		r.Observations = append(r.Observations, o)
		if at := at.Unix() / 10 * 10; len(r.Totals) == 0 || r.Totals[len(r.Totals)-1].Bucket != at {
			r.Totals = append(r.Totals, pipeline.Total{Bucket: at, Entry: checkout()})
		}
		r.Totals[len(r.Totals)-1].Requests++
	}
	if err := records.Save(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	h := serve(t, web.Config{Records: records}).Handler()
	c := confluence(t, h, "busy")
	if !c.Sampled || c.Observations > 60_000 {
		t.Errorf("sampled %v, %d observations read, want sampling within 60,000", c.Sampled, c.Observations)
	}
	for k, s := range c.Lanes[0].Shares {
		if s.Requests > 0 && math.Abs(s.Ratio-0.5) > 0.01 {
			t.Errorf("step %d: the sample has %v, want a half as in all requests", k, s.Ratio)
		}
	}
	if text := open(t, h, "/incidents/busy", 200).main().text(); !strings.Contains(text, "the first ones of each step stand for the rest") {
		t.Error("the page does not say that it was drawn from a sample")
	}
}

func TestAYoungIncidentIsDrawnFinelyIfEveryRequestIsOnRecord(t *testing.T) {
	for name, c := range map[string]struct{ uncounted, step int }{
		"all": {0, 2}, "sampled": {1, 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := pipeline.Result{Dictionary: condition.NewDictionary(0)}
			i := unexplained()
			i.ID, i.State, i.Closed = "young", incident.Open, time.Time{}
			i.Began, i.LastFailure, i.Entries = now().Add(-30*time.Second), now(), []request.Entry{checkout()}
			r.Incidents = []incident.Incident{i}
			r.Totals = []pipeline.Total{{Bucket: now().Add(-40 * time.Second).Unix(), Entry: checkout(), Requests: 40 + c.uncounted, Failed: 10}}
			for k := range 40 {
				o := condition.Observation{Entry: checkout(), Time: now().Add(-40*time.Second + time.Duration(k)*250*time.Millisecond), Weight: 1}
				o.Request.Span[0] = byte(k + 1)
				if k >= 30 {
					o.Outcome = request.Failed
				}
				r.Observations = append(r.Observations, o)
			}
			records := newEmpty()
			if err := records.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			got := confluence(t, serve(t, web.Config{Records: records}).Handler(), "young")
			requests, failed := 0, 0
			for _, rate := range got.Rates {
				requests, failed = requests+rate.Requests, failed+rate.Failed
			}
			if got.StepSeconds != c.step || requests != 40+c.uncounted || failed != 10 {
				t.Errorf("steps of %d s with %d of %d failed, want %d s and 10 of %d", got.StepSeconds, failed, requests, c.step, 40+c.uncounted)
			}
		})
	}
}

func BenchmarkIncidentPage(b *testing.B) {
	for name, moments := range map[string]int{"kept": 1, "fresh": 64} {
		b.Run(name, func(b *testing.B) {
			config := shopConfig(b)
			// Pictures are kept for 5 s of the clock, 16 of them.
			asked := 0
			config.Clock = func() time.Time { return now().Add(time.Duration(asked%moments) * 6 * time.Second) }
			h := serve(b, config).Handler()
			for b.Loop() {
				asked++
				if w := ask(b, h, "GET", "/incidents/2026-11-21-1", nil); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// changeless is the shop, had nobody reported a change: all that is known is
// when requests first met the conditions.
type changeless struct{ web.Records }

func (changeless) Changes(context.Context, telemetry.Window) iter.Seq2[*telemetry.Change, error] {
	return func(func(*telemetry.Change, error) bool) {}
}

func (changeless) InForce(context.Context, time.Time) ([]*telemetry.Change, error) { return nil, nil }

func (c changeless) Incident(ctx context.Context, id incident.ID) (incident.Incident, error) {
	i, err := c.Records.Incident(ctx, id)
	for k := range i.Timeline {
		if m := &i.Timeline[k]; m.Condition != nil {
			m.What, m.Change = "first seen", nil
		}
	}
	return i, err
}

func TestALaneWithoutAChangeSaysSinceWhenItWasMet(t *testing.T) {
	c := shopConfig(t)
	c.Records = changeless{c.Records}
	page := ask(t, serve(t, c).Handler(), "GET", "/incidents/2026-11-21-1", nil).Body.String()
	if got := strings.Count(page, "no change; met since "); got < 3 {
		t.Errorf("%d lanes say since when they were met, want all three", got)
	}
}
