package incident_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

var (
	newPricing = condition.Condition{Entity: "pricing", Dimension: "service.version", Value: "2.0.0"}
	oldCart    = condition.Condition{Entity: "cart", Dimension: "service.version", Value: "1.9.0"}
	newCart    = condition.Condition{Entity: "cart", Dimension: "service.version", Value: "2.4.0"}
	oldPricing = condition.Condition{Entity: "pricing", Dimension: "service.version", Value: "1.4.0"}
	flagOn     = condition.Condition{Entity: "pricing", Dimension: "flag bulk-quote", Value: "on"}
	backup     = condition.Condition{Entity: "orders-db", Dimension: "backup", Value: "running"}
	noon       = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	checkout   = request.Entry{Service: "gateway", Operation: "POST /checkout"}
)

// A world feeds a tracker with steps of ten seconds whose requests and
// findings the test chooses.
type world struct {
	tracker    *incident.Tracker
	dictionary *condition.Dictionary
	now        time.Time
	kept       []condition.Observation
	fresh      []condition.Observation
	changes    []*telemetry.Change
	seen       map[condition.Condition]incident.Since
	log        strings.Builder
	serial     uint64
}

func newWorld() *world {
	return &world{
		tracker:    incident.NewTracker(incident.Config{Quiet: time.Minute}, nil),
		dictionary: condition.NewDictionary(0), now: noon,
	}
}

// requests adds n requests of the coming step with the given conditions, of
// which bad end with the outcome.
func (w *world) requests(n, bad int, outcome request.Outcome, conditions ...condition.Condition) {
	var ids []condition.ID
	for _, c := range conditions {
		id, _ := w.dictionary.ID(c)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i := range n {
		w.serial++
		o := condition.Observation{
			Entry: checkout, Weight: 1, Conditions: ids,
			Time: w.now.Add(time.Duration(i) * 10 * time.Second / time.Duration(n)),
		}
		binary.BigEndian.PutUint64(o.Request.Trace[8:], w.serial)
		if i*bad/n != (i+1)*bad/n {
			o.Outcome = outcome
		}
		w.fresh = append(w.fresh, o)
	}
}

// step ends the ten seconds, with findings of failed requests.
func (w *world) step(findings ...interaction.Finding) {
	w.now = w.now.Add(10 * time.Second)
	w.kept = append(w.kept, w.fresh...)
	slices.SortStableFunc(w.kept, func(a, b condition.Observation) int { return a.Time.Compare(b.Time) })
	window := telemetry.Window{Start: w.now.Add(-15 * time.Minute), End: w.now}
	w.kept = slices.DeleteFunc(w.kept, func(o condition.Observation) bool { return !window.Contains(o.Time) })
	changed := w.tracker.Update(incident.Step{
		Now: w.now, Window: window, Dictionary: w.dictionary, Fresh: w.fresh, Kept: w.kept, Changes: w.changes,
		Results: map[request.Outcome]interaction.Result{request.Failed: {Findings: findings}},
		Since: func(c condition.Condition) incident.Since {
			for _, x := range w.changes {
				if x.Entity == c.Entity && x.Dimension == c.Dimension && x.Value == c.Value {
					return incident.Since{Change: x, Time: x.Time}
				}
			}
			return w.seen[c]
		},
		Missing: []string{"inventory sends no spans"},
	})
	w.fresh = nil
	for _, k := range changed {
		fmt.Fprintf(&w.log, "%s  %s %s: %d of %d failed\n", w.now.Format(time.TimeOnly), k.ID, k.State, k.Failures, k.Requests)
	}
}

// story writes what happened, for a golden file.
func (w *world) story() string {
	var b strings.Builder
	b.WriteString(w.log.String())
	for _, k := range w.tracker.Incidents() {
		fmt.Fprintf(&b, "\n%s %s: %s\n", k.ID, k.State, k.Title)
		for _, m := range k.Timeline {
			fmt.Fprintf(&b, "  %s  %s: %s\n", m.Time.Format(time.TimeOnly), m.What, m.Text)
		}
		for _, m := range k.Missing {
			fmt.Fprintf(&b, "  missing: %s\n", m)
		}
	}
	return b.String()
}

// finding is what mining would say of the conditions.
func finding(conditions ...condition.Condition) interaction.Finding {
	verdict := interaction.Interact
	if len(conditions) == 1 {
		verdict = interaction.SingleCause
	}
	cells := []interaction.Cell{{Total: 100, Failed: 80, Risk: .8, Low: .71, High: .87}}
	for _, c := range conditions {
		cells[0].Holds = append(cells[0].Holds, c.String())
	}
	for i := range conditions {
		var holds []string
		for j, c := range conditions {
			if i != j {
				holds = append(holds, c.String())
			}
		}
		cells = append(cells, interaction.Cell{Holds: holds, Total: 1000, Failed: 2, Risk: .002, Low: .0005, High: .007})
	}
	return interaction.Finding{Rank: 1, Verdict: verdict, Conditions: conditions, Cells: cells, Coverage: .9, Excess: 80, P: 1e-9}
}

// rare is a finding of a condition that one in a hundred requests meets.
func rare(c condition.Condition) interaction.Finding {
	f := finding(c)
	f.Cells[1].Total = 9900
	return f
}

func TestAnIncidentKeepsItsNameWhileItsExplanationIsSharpened(t *testing.T) {
	w := newWorld()
	w.changes = []*telemetry.Change{
		{ID: "1", Time: noon.AddDate(0, 0, -14), Entity: "pricing", Dimension: "service.version", Value: "2.0.0"},
		{ID: "2", Time: noon.Add(-5 * time.Minute), Entity: "orders-db", Dimension: "backup", Value: "running"},
		{ID: "3", Time: noon.Add(10 * time.Second), Entity: "pricing", Dimension: "flag bulk-quote", Value: "on"},
	}
	trouble := func() {
		w.requests(400, 1, request.Failed, oldCart)
		w.requests(60, 45, request.Failed, newPricing, oldCart, flagOn)
	}
	w.requests(500, 1, request.Failed, oldCart)
	w.step()
	trouble()
	w.step() // failing, and nothing explains it yet
	trouble()
	w.step(finding(newPricing))
	trouble()
	w.step(finding(oldCart, newPricing, flagOn))
	if n := len(w.tracker.Incidents()); n != 1 {
		t.Errorf("one cause gave %d incidents, want 1", n)
	}
	for range 8 { // the flag is off
		w.requests(400, 1, request.Failed, oldCart)
		w.requests(60, 0, request.Failed, newPricing, oldCart)
		w.step(finding(oldCart, newPricing, flagOn))
	}
	for range 4 { // the old cart is gone
		w.requests(400, 1, request.Failed, newCart)
		w.requests(60, 0, request.Failed, newCart, newPricing)
		w.step(finding(oldCart, newPricing, flagOn))
	}
	for range 6 {
		w.requests(400, 1, request.Failed, newCart)
		w.step()
	}
	eddytest.Golden(t, "sharpened.txt", w.story())
}

func TestTwoCausesAreTwoIncidents(t *testing.T) {
	w := newWorld()
	for range 3 {
		w.requests(300, 1, request.Failed)
		w.requests(50, 40, request.Failed, newPricing)
		w.requests(50, 20, request.Failed, backup)
		w.step(finding(newPricing), finding(backup))
	}
	eddytest.Golden(t, "two.txt", w.story())
}

func TestFailuresThatNothingExplainsAreToldAndClosed(t *testing.T) {
	w := newWorld()
	for range 3 {
		w.requests(200, 30, request.Failed, oldCart)
		w.step()
	}
	for range 7 {
		w.requests(200, 0, request.Failed, oldCart)
		w.step()
	}
	eddytest.Golden(t, "unexplained.txt", w.story())
}

func TestAnEntryThatJoinsLaterIsCountedFromTheBeginning(t *testing.T) {
	w := newWorld()
	quote := request.Entry{Service: "gateway", Operation: "POST /quote"}
	both := func(quotes int) {
		w.requests(200, 40, request.Failed, oldCart)
		first := len(w.fresh)
		w.requests(100, quotes, request.Failed, oldCart)
		for i := first; i < len(w.fresh); i++ {
			w.fresh[i].Entry = quote
		}
		w.step()
	}
	both(4) // too few to be told about
	both(4)
	both(20)
	k := w.tracker.Incidents()[0]
	if len(k.Entries) != 2 || k.Requests < 880 || k.Requests > 900 || k.Failures < 140 || k.Failures > 148 {
		t.Errorf("incident at %v counts %d of %d requests, want both entries and about 148 of 900", k.Entries, k.Failures, k.Requests)
	}
}

func TestAnIncidentIsNotClosedWhileThereIsNoTraffic(t *testing.T) {
	w := newWorld()
	w.requests(100, 60, request.Failed, newPricing)
	w.step(finding(newPricing))
	for range 30 {
		w.step(finding(newPricing))
	}
	if k := w.tracker.Incidents()[0]; k.State != incident.Open {
		t.Errorf("with no traffic since the last failure the incident is %s, want open", k.State)
	}
}

func TestTheSameHarmSoonAfterReopensTheIncident(t *testing.T) {
	w := newWorld()
	w.requests(100, 60, request.Failed, newPricing, flagOn)
	w.step(finding(newPricing, flagOn))
	for range 8 {
		w.requests(100, 0, request.Failed, newPricing)
		w.step(finding(newPricing, flagOn))
	}
	if k := w.tracker.Incidents()[0]; k.State != incident.Mitigated {
		t.Fatalf("after the flag went off the incident is %s, want mitigated", k.State)
	}
	w.requests(100, 60, request.Failed, newPricing, flagOn)
	w.step(finding(newPricing, flagOn))
	all := w.tracker.Incidents()
	if len(all) != 1 || all[0].State != incident.Open {
		t.Errorf("got %d incidents, the first %s; want the one, open again", len(all), all[0].State)
	}
}

func TestATrackerGoesOnFromWhatWasStored(t *testing.T) {
	w := newWorld()
	w.requests(100, 60, request.Failed, newPricing)
	w.step(finding(newPricing))
	w.tracker = incident.NewTracker(incident.Config{}, w.tracker.Incidents())
	w.requests(100, 60, request.Failed, newPricing)
	w.requests(100, 50, request.Failed, backup)
	w.step(finding(newPricing), finding(backup))
	var ids []incident.ID
	for _, k := range w.tracker.Incidents() {
		ids = append(ids, k.ID)
	}
	if want := []incident.ID{"2026-05-04-1", "2026-05-04-2"}; !slices.Equal(ids, want) {
		t.Errorf("incidents are %v, want %v", ids, want)
	}
}

func TestFewFailuresOpenNothing(t *testing.T) {
	w := newWorld()
	for range 10 {
		w.requests(1000, 3, request.Failed, oldCart)
		w.requests(5, 4, request.Failed, newPricing)
		w.step()
	}
	w.requests(9, 9, request.Failed, newPricing)
	w.step()
	for _, k := range w.tracker.Incidents() {
		t.Errorf("opened %s: %s", k.ID, k.Title)
	}
}
