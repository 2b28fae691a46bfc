package condition_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A watch drives an inferrer minute by minute and writes down what it finds.
type watch struct {
	inferrer *condition.Inferrer
	timeline *condition.Timeline
	out      strings.Builder
	at       time.Time
}

func newWatch() *watch {
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	return &watch{
		inferrer: condition.NewInferrer(condition.InferrerConfig{}, timeline),
		timeline: timeline, at: eddytest.Start(),
	}
}

// serve lets versions of cart serve for some minutes, each several times a
// minute.
func (w *watch) serve(minutes int, versions ...string) {
	for range minutes {
		for range 6 {
			var rs []request.Request
			for _, v := range versions {
				span := &telemetry.Span{
					Resource: eddytest.Resource(map[string]string{"service.name": "cart", "service.version": v}),
					Start:    w.at.Add(-3 * time.Second),
				}
				rs = append(rs, request.Request{Spans: []*telemetry.Span{span}})
			}
			w.note(w.inferrer.ObserveRequests(w.at, rs))
			w.at = w.at.Add(10 * time.Second)
		}
	}
}

func (w *watch) note(changes []*telemetry.Change) {
	for _, c := range changes {
		value := c.Value
		if c.Ends {
			value = "ends"
		}
		fmt.Fprintf(&w.out, "%s: %s %s %s=%s", c.Time.Format("15:04:05"), c.Origin, c.Entity, c.Dimension, value)
		if c.Previous != "" {
			fmt.Fprintf(&w.out, " after %s", c.Previous)
		}
		fmt.Fprintf(&w.out, " (%s)\n", c.Summary)
	}
}

func (w *watch) say(s string) { fmt.Fprintf(&w.out, "-- %s --\n", s) }

func TestVersionsAndRolloutsAreInferred(t *testing.T) {
	w := newWatch()
	w.say("what serves at first is no news")
	w.serve(5, "2.3.0")
	w.say("a rolling deploy that nobody reported")
	w.serve(3, "2.3.0", "2.4.0")
	w.serve(5, "2.4.0")
	w.say("and its rollback")
	w.serve(1, "2.3.0", "2.4.0")
	w.serve(5, "2.3.0")
	w.say("a deploy that was reported")
	w.timeline.Apply(&telemetry.Change{
		ID: "ci-1", Time: w.at.Add(-time.Minute), Entity: "cart", Dimension: "service.version", Value: "2.5.0",
		Kind: telemetry.ChangeDeploy, Origin: telemetry.OriginReported,
	})
	w.serve(5, "2.5.0")
	w.say("silence says nothing")
	w.serve(30)
	w.serve(2, "2.5.0")
	eddytest.Golden(t, "rollout.golden", w.out.String())
}

func TestARestartKnowsFromTheTimelineWhatServed(t *testing.T) {
	w := newWatch()
	w.timeline.Apply(change(time.Hour, "cart", "service.version", "2.3.0"), change(time.Hour, "cart", "rollout", "in progress"))
	w.serve(3, "2.4.0")
	got := w.out.String()
	for _, want := range []string{"inferred cart service.version=2.4.0 after 2.3.0", "derived cart rollout=ends"} {
		if !strings.Contains(got, want) {
			t.Errorf("after a restart:\n%swant %s", got, want)
		}
	}
}

func TestFindingOutTheSameTwiceIsOneChange(t *testing.T) {
	a, b := newWatch(), newWatch()
	for _, w := range []*watch{a, b} {
		w.serve(1, "2.3.0")
		w.serve(3, "2.3.0", "2.4.0")
	}
	before := a.timeline.Stats().Changes
	for _, s := range b.timeline.All(b.at) {
		a.timeline.Apply(s.Change)
	}
	if s := a.timeline.Stats(); s.Changes != before || s.Duplicates == 0 {
		t.Errorf("stats %+v, want no more changes than %d", s, before)
	}
}

func point(name, pool, state string, value float64, instance string) *telemetry.Point {
	list := []telemetry.Attribute{{Key: "pool.name", Value: pool}}
	if state != "" {
		list = append(list, telemetry.Attribute{Key: "state", Value: state})
	}
	return &telemetry.Point{
		Name: name, Value: value, Attributes: telemetry.NewAttributes(list),
		Resource: eddytest.Resource(map[string]string{"service.name": "cart", "service.instance.id": instance}),
	}
}

func TestFullConnectionPoolsAreStatesOfWhatPassesThroughThem(t *testing.T) {
	w := newWatch()
	observe := func(used float64, instance string) {
		w.note(w.inferrer.Observe(w.at, []*telemetry.Point{
			point("db.client.connections.usage", "carts-db", "used", used, instance),
			point("db.client.connections.usage", "carts-db", "idle", 20-used, instance),
			point("db.client.connections.max", "carts-db", "", 20, instance),
		}))
		w.at = w.at.Add(time.Minute)
	}
	w.say("two instances, one of them full; 85 % is not yet over")
	observe(10, "a")
	observe(19, "b")
	observe(17, "b")
	observe(18.5, "b")
	observe(10, "b")
	w.say("the current names, and a pool that falls silent")
	w.note(w.inferrer.Observe(w.at, []*telemetry.Point{
		{
			Name: "db.client.connection.count", Value: 10, Resource: eddytest.Resource(map[string]string{"service.name": "mail"}),
			Attributes: telemetry.Attributes{{Key: "db.client.connection.pool.name", Value: "HikariPool-1"}, {Key: "db.client.connection.state", Value: "used"}},
		},
		{
			Name: "db.client.connection.max", Value: 10, Resource: eddytest.Resource(map[string]string{"service.name": "mail"}),
			Attributes: telemetry.Attributes{{Key: "db.client.connection.pool.name", Value: "HikariPool-1"}},
		},
	}))
	full := w.at
	w.at = w.at.Add(10 * time.Minute)
	w.note(w.inferrer.Observe(w.at, nil))
	eddytest.Golden(t, "pool.golden", w.out.String())

	dict := condition.NewDictionary(0)
	r := request.Request{Start: full, Spans: []*telemetry.Span{{Resource: eddytest.Resource(map[string]string{"service.name": "mail"})}}}
	got := stamp(t, condition.NewStamper(condition.StamperConfig{}, dict, w.timeline), dict, r)
	if want := "mail HikariPool-1 connections=above 90 %"; !strings.Contains(strings.Join(got, "; "), want) {
		t.Errorf("a request through mail while its pool was full has %q, want %q", got, want)
	}
}
