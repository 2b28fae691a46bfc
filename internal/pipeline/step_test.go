package pipeline_test

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// A shelf is a store that can refuse, and remembers what it was given.
type shelf struct {
	refuse bool
	saved  []pipeline.Result
}

func (s *shelf) Save(ctx context.Context, r pipeline.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.refuse {
		return errors.New("disk full")
	}
	s.saved = append(s.saved, r)
	return nil
}

// observed counts the distinct requests that were saved.
func (s *shelf) observed() int {
	seen := map[request.ID]bool{}
	for _, r := range s.saved {
		for _, o := range r.Observations {
			seen[o.Request] = true
		}
	}
	return len(seen)
}

// A belt feeds a pipeline with requests of ten seconds and steps it.
type belt struct {
	*pipeline.Pipeline
	now    time.Time
	serial uint64
}

func newBelt(c pipeline.Config, store pipeline.Store) *belt {
	c.Request.Quiet = time.Second
	return &belt{Pipeline: pipeline.New(c, store, slog.New(slog.DiscardHandler)), now: noon}
}

// spans are n requests of the ten seconds before now, of which those that meet
// version 2 fail every other time if told to.
func (b *belt) spans(n int, failing bool) []*telemetry.Span {
	resources := []*telemetry.Resource{{Service: "shop", Version: "1.0.0"}, {Service: "shop", Version: "2.0.0"}}
	list := make([]*telemetry.Span, n)
	for i := range list {
		b.serial++
		s := &telemetry.Span{
			Name: "GET /", Kind: telemetry.KindServer, Resource: resources[i%2],
			Start: b.now.Add(-9 * time.Second).Add(time.Duration(i) * 7 * time.Second / time.Duration(n)),
		}
		s.End = s.Start.Add(5 * time.Millisecond)
		binary.BigEndian.PutUint64(s.Trace[8:], b.serial)
		binary.BigEndian.PutUint64(s.ID[:], b.serial)
		if failing && i%4 == 1 {
			s.Status = telemetry.StatusError
		}
		list[i] = s
	}
	return list
}

// feed takes in n requests, which are complete at the next step.
func (b *belt) feed(n int, failing bool) {
	b.now = b.now.Add(10 * time.Second)
	b.Add(b.now.Add(-2*time.Second), telemetry.Batch{Spans: b.spans(n, failing)})
}

func (b *belt) step(t *testing.T) pipeline.Result {
	t.Helper()
	r, err := b.Step(t.Context(), b.now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAStepCountsAllThatItCompleted(t *testing.T) {
	b := newBelt(pipeline.Config{MaxSaved: 10}, &shelf{})
	for range 2 {
		b.feed(100, true)
		if r := b.step(t); r.Requests != 100 || r.Failed != 25 || r.Slow != 0 {
			t.Errorf("the step says %d requests, %d failed, %d slow; want 100, 25, 0", r.Requests, r.Failed, r.Slow)
		}
	}
}

func TestWhatTheStoreRefusedIsSavedByALaterStep(t *testing.T) {
	s := &shelf{refuse: true}
	b := newBelt(pipeline.Config{}, s)
	b.feed(100, true)
	if _, err := b.Step(t.Context(), b.now); err == nil {
		t.Fatal("a step that was not saved gave no error")
	}
	s.refuse = false
	b.feed(60, true)
	r := b.step(t)
	if n := s.observed(); n != 160 {
		t.Errorf("%d requests are saved, want all 160", n)
	}
	if r.Requests != 160 || len(r.Incidents) == 0 || r.Incidents[0].Analyses != 2 {
		t.Errorf("the step says %d requests and incidents %+v, want 160 and the one of both steps", r.Requests, r.Incidents)
	}
	if got := r.Window.Start; !got.Equal(b.now.Add(-b.Window())) {
		t.Errorf("the window begins at %s, want at that of the last analysis, which the findings are of", got)
	}
}

func TestAStepThatIsInterruptedLosesNothing(t *testing.T) {
	s := &shelf{}
	b := newBelt(pipeline.Config{}, s)
	b.feed(100, true)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := b.Step(stopped, b.now); err == nil {
		t.Fatal("a step whose context had ended gave no error")
	}
	b.now = b.now.Add(time.Second)
	b.step(t)
	if n := s.observed(); n != 100 {
		t.Errorf("%d requests are saved after a step that was interrupted, want all 100", n)
	}
}

func TestMiningThatTakesTooLongIsLeftOutAndSaidSo(t *testing.T) {
	s := &shelf{}
	b := newBelt(pipeline.Config{MiningTime: time.Nanosecond}, s)
	for range 2 {
		b.feed(100, true)
		if r := b.step(t); len(r.Findings) != 1 || len(r.Incidents) != 0 {
			t.Errorf("without an analysis of failed requests there are %d results and incidents %v, want that of slow ones and none",
				len(r.Findings), r.Incidents)
		}
	}
	if n := s.observed(); n != 200 {
		t.Errorf("%d requests are saved, want all 200", n)
	}
	b.feed(100, true)
	r := b.step(t)
	if len(r.Incidents) != 1 || !strings.Contains(strings.Join(r.Incidents[0].Missing, " "), "mining_time") {
		t.Errorf("after three windows that were not analysed the incidents are %+v, want one that names mining_time", r.Incidents)
	}
	if n := b.Stats().Unanalysed; n != 3 {
		t.Errorf("%d analyses were given up, want 3", n)
	}
}

func TestWhatWaitsForTheStoreIsBounded(t *testing.T) {
	s := &shelf{refuse: true}
	b := newBelt(pipeline.Config{MaxObservations: 1000}, s)
	for range 15 {
		b.feed(200, true)
		if _, err := b.Step(t.Context(), b.now); err == nil {
			t.Fatal("a step that was not saved gave no error")
		}
	}
	s.refuse = false
	b.feed(0, false)
	r := b.step(t)
	if n := len(r.Observations); n != 1000 {
		t.Errorf("%d observations waited for the store, want at most 1000", n)
	}
	if n := b.Stats().Unsaved; n != 2000 {
		t.Errorf("%d observations were given up, want 2000", n)
	}
	requests := 0
	for _, x := range r.Totals {
		requests += x.Requests
	}
	if requests != 3000 || r.Requests != 3000 {
		t.Errorf("totals say %d and the step %d requests, want all 3000", requests, r.Requests)
	}
}

func TestALateReportOfAChangeIsInItsPlaceByTime(t *testing.T) {
	b := newBelt(pipeline.Config{}, &shelf{})
	change := func(id string, at time.Time) *telemetry.Change {
		return &telemetry.Change{ID: id, Time: at, Kind: telemetry.ChangeConfig, Entity: "db", Dimension: "pool " + id, Value: "5", Origin: telemetry.OriginReported}
	}
	b.Add(b.now, telemetry.Batch{Changes: []*telemetry.Change{change("ahead", noon.Add(time.Hour)), change("second", noon), change("first", noon.Add(-time.Minute))}})
	b.feed(100, true)
	r := b.step(t)
	if len(r.Incidents) != 1 {
		t.Fatalf("%d incidents, want 1", len(r.Incidents))
	}
	var got []string
	for _, m := range r.Incidents[0].Timeline {
		if m.Change != nil && m.Change.Entity == "db" {
			got = append(got, m.Change.ID)
		}
	}
	if strings.Join(got, " ") != "first second" {
		t.Errorf("the timeline shows the changes %v, want first and second", got)
	}
}

func TestTheTimelineSaysWhenAConditionWasFirstSeen(t *testing.T) {
	b := newBelt(pipeline.Config{}, &shelf{})
	for range 6 {
		b.feed(100, false)
		b.step(t)
	}
	flagged := b.now.Add(time.Second)
	b.now = b.now.Add(10 * time.Second)
	spans := b.spans(200, false)
	for i, s := range spans {
		if i%4 == 0 {
			s.Attributes = telemetry.Attributes{{Key: "feature_flag.key", Value: "dark"}, {Key: "feature_flag.result.variant", Value: "on"}}
			s.Status = telemetry.StatusError
		}
	}
	b.Add(b.now.Add(-2*time.Second), telemetry.Batch{Spans: spans})
	r := b.step(t)
	if len(r.Incidents) != 1 || r.Incidents[0].Finding == nil {
		t.Fatalf("incidents are %+v, want one that is explained", r.Incidents)
	}
	for _, m := range r.Incidents[0].Timeline {
		if m.What == "first seen" && m.Time.Equal(flagged) && strings.Contains(m.Text, "flag dark=on") {
			return
		}
	}
	t.Errorf("the timeline lacks when the flag was first seen, %s: %+v", flagged, r.Incidents[0].Timeline)
}

// all is a sequence of a list.
func all[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// left returns what a pipeline left in its store, and spans that are there
// too.
func left(s *shelf, spans []*telemetry.Span) pipeline.Memory {
	var m pipeline.Memory
	var observations []pipeline.Remembered
	totals := map[int64]pipeline.Total{}
	for _, r := range s.saved {
		for _, o := range r.Observations {
			x := pipeline.Remembered{Observation: o}
			for _, id := range o.Conditions {
				x.InForce = append(x.InForce, r.Dictionary.Condition(id))
			}
			observations = append(observations, x)
		}
		for _, t := range r.Totals {
			totals[t.Bucket] = t // the belt has one entry
		}
		m.Incidents = r.Incidents
	}
	for _, t := range totals {
		m.Totals = append(m.Totals, t)
	}
	m.Observations = all(observations)
	m.Spans = func(from time.Time) iter.Seq2[*telemetry.Span, error] {
		return all(slices.DeleteFunc(slices.Clone(spans), func(s *telemetry.Span) bool { return s.Start.Before(from) }))
	}
	return m
}

func TestARestartCountsEveryRequestOnceHoweverLongItTook(t *testing.T) {
	for _, away := range []time.Duration{time.Second, 5 * time.Minute} {
		t.Run(away.String(), func(t *testing.T) {
			s := &shelf{}
			b := newBelt(pipeline.Config{}, s)
			var stored []*telemetry.Span
			for i := range 3 {
				b.now = b.now.Add(10 * time.Second)
				spans := b.spans(100, true)
				stored = append(stored, spans...)
				b.Add(b.now.Add(-2*time.Second), telemetry.Batch{Spans: spans})
				if i < 2 { // the third step does not happen: the process is killed
					b.step(t)
				}
			}
			again := newBelt(pipeline.Config{}, s)
			again.now, again.serial = b.now.Add(away), b.serial
			if err := again.Restore(again.now, left(s, stored)); err != nil {
				t.Fatal(err)
			}
			again.now = again.now.Add(10 * time.Second)
			again.step(t)
			totals := map[int64]pipeline.Total{}
			for _, r := range s.saved {
				for _, x := range r.Totals {
					totals[x.Bucket] = x
				}
			}
			requests, failed := 0, 0
			for _, x := range totals {
				requests, failed = requests+x.Requests, failed+x.Failed
			}
			if requests != 300 || failed != 75 || s.observed() != 300 {
				t.Errorf("after a restart the store counts %d requests, %d failed, and %d observations; want 300, 75, 300", requests, failed, s.observed())
			}
			if list := again.Incidents(); len(list) != 1 || list[0].Failures != 75 {
				t.Errorf("after a restart the incidents are %+v, want one with 75 failures", list)
			}
		})
	}
}

func TestRestoreReturnsTheErrorOfTheStore(t *testing.T) {
	b := newBelt(pipeline.Config{}, &shelf{})
	m := pipeline.Memory{Observations: func(yield func(pipeline.Remembered, error) bool) {
		yield(pipeline.Remembered{}, errors.New("torn page"))
	}}
	if err := b.Restore(noon, m); err == nil || !strings.Contains(err.Error(), "torn page") {
		t.Errorf("Restore gave %v, want the error of the store", err)
	}
}

func TestAStepThatIsLateCostsNoSpans(t *testing.T) {
	b := newBelt(pipeline.Config{Request: request.Config{MaxSpans: 1000}}, &shelf{})
	for range 12 {
		b.feed(400, false)
	}
	if r := b.step(t); r.Requests != 4800 {
		t.Errorf("after two minutes without a step it counts %d requests, want all 4800; stats %+v", r.Requests, b.Stats().Request)
	}
}
