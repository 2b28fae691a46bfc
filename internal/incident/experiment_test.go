package incident_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/request"
)

// result is what an experiment about conditions says: harm in 20 of 20 runs
// with all of them, and in wrong of 60 otherwise.
func result(status incident.Status, wrong int, conditions ...condition.Condition) incident.Experiment {
	var all []string
	for _, c := range conditions {
		all = append(all, c.String())
	}
	return incident.Experiment{
		Status: status, Conditions: conditions, System: "shop", Harm: "failed_share >= 0.05", Time: noon.Add(time.Hour),
		Places: []incident.Place{{Status: status, Verdict: "proven conjunction", Seeds: [2]uint64{1, 20}, Arms: []incident.Arm{
			{Holds: []string{}, Harmed: wrong, N: 60}, {Holds: all, Harmed: 20, N: 20},
		}}},
	}
}

// explained is a world with one open incident, explained by two conditions.
func explained(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	for range 3 {
		w.requests(100, 80, request.Failed, newPricing, flagOn, newCart)
		w.requests(300, 0, request.Failed, newPricing)
		w.step(finding(newPricing, flagOn))
	}
	if k := w.only(t); k.Status != incident.Observed || k.Experiment() != nil {
		t.Fatalf("before any experiment the status is %q", k.Status)
	}
	return w
}

// saved is a store that never refuses.
func saved(incident.Incident) error { return nil }

func record(t *testing.T, w *world, e incident.Experiment) incident.Incident {
	t.Helper()
	k, err := w.tracker.Record(w.only(t).ID, e, saved)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnExperimentConfirmsOrRefutesTheFinding(t *testing.T) {
	for _, status := range []incident.Status{incident.Confirmed, incident.Refuted, incident.Unsettled} {
		t.Run(string(status), func(t *testing.T) {
			w := explained(t)
			k := record(t, w, result(status, 3, flagOn, newPricing)) // in another order
			if k.Status != status || w.only(t).Status != status {
				t.Errorf("status is %s, want %s", k.Status, status)
			}
			last := k.Timeline[len(k.Timeline)-1]
			if last.What != string(status) || !strings.Contains(last.Text, "harm in 20 of 20 runs with both of its conditions, and in 3 of 60 otherwise") {
				t.Errorf("the timeline ends with %q, %q", last.What, last.Text)
			}
			arm := k.Experiments[0].Places[0].Arms[0]
			if got := fmt.Sprintf("%.3f %.3f %.3f", arm.Risk, arm.Low, arm.High); got != "0.050 0.017 0.137" {
				t.Errorf("risk and interval of 3 of 60 are %s", got)
			}
			if refuted := strings.Contains(k.Next(), "refutes"); refuted != (status == incident.Refuted) {
				t.Errorf("next is %q", k.Next())
			}
		})
	}
}

func TestTheSameResultTwiceIsOnce(t *testing.T) {
	w := explained(t)
	record(t, w, result(incident.Confirmed, 0, newPricing, flagOn))
	again := result(incident.Confirmed, 0, newPricing, flagOn)
	again.Time, again.By = noon.Add(2*time.Hour), "somebody else"
	k, err := w.tracker.Record(w.only(t).ID, again, func(incident.Incident) error { return errors.New("saved again") })
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Experiments) != 1 || !k.Experiments[0].Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("there are %d experiments, the last of %s", len(k.Experiments), k.Experiments[0].Time)
	}
}

func TestAResultThatDoesNotSettleUndoesNothing(t *testing.T) {
	w := explained(t)
	record(t, w, result(incident.Confirmed, 0, newPricing, flagOn))
	if k := record(t, w, result(incident.Unsettled, 9, newPricing, flagOn)); k.Status != incident.Confirmed {
		t.Errorf("status is %s", k.Status)
	}
	if k := record(t, w, result(incident.Refuted, 60, newPricing, flagOn)); k.Status != incident.Refuted {
		t.Errorf("after a later one that refutes, status is %s", k.Status)
	}
}

func TestAFindingThatIsRewordedIsObservedAgain(t *testing.T) {
	w := explained(t)
	record(t, w, result(incident.Confirmed, 0, newPricing, flagOn))
	for range 2 {
		w.requests(100, 80, request.Failed, newPricing, flagOn, newCart)
		w.step(finding(newPricing, flagOn, newCart))
	}
	k := w.only(t)
	if k.Status != incident.Observed || len(k.Experiments) != 1 || k.Experiment() != nil {
		t.Errorf("status is %s, with %d experiments", k.Status, len(k.Experiments))
	}
	if _, err := w.tracker.Record(k.ID, result(incident.Confirmed, 0, newPricing, flagOn), saved); !errors.Is(err, incident.ErrOther) {
		t.Errorf("the result about two conditions is taken with %v", err)
	}
}

func TestTheStatusSurvivesARestart(t *testing.T) {
	w := explained(t)
	stored, err := json.Marshal(record(t, w, result(incident.Refuted, 30, newPricing, flagOn)))
	if err != nil {
		t.Fatal(err)
	}
	var k incident.Incident
	if err := json.Unmarshal(stored, &k); err != nil {
		t.Fatal(err)
	}
	w.tracker = incident.NewTracker(incident.Config{}, []incident.Incident{k})
	w.requests(100, 80, request.Failed, newPricing, flagOn)
	w.step(finding(newPricing, flagOn))
	if k := w.only(t); k.Status != incident.Refuted || len(k.Experiments) != 1 {
		t.Errorf("status is %s", k.Status)
	}
	k.Status, k.Experiments = "", nil // as an earlier version stored it
	w.tracker = incident.NewTracker(incident.Config{}, []incident.Incident{k})
	if k := w.only(t); k.Status != incident.Observed {
		t.Errorf("an incident without status has %q", k.Status)
	}
}

func TestWhatTheStoreRefusesIsNotRecorded(t *testing.T) {
	w := explained(t)
	full := errors.New("disk full")
	_, err := w.tracker.Record(w.only(t).ID, result(incident.Confirmed, 0, newPricing, flagOn), func(incident.Incident) error { return full })
	if k := w.only(t); !errors.Is(err, full) || k.Status != incident.Observed || len(k.Experiments) > 0 {
		t.Errorf("error %v, status %s", err, k.Status)
	}
	if _, err := w.tracker.Record("2026-01-01-1", result(incident.Confirmed, 0, newPricing), saved); !errors.Is(err, incident.ErrUnknown) {
		t.Errorf("an incident that is not there: %v", err)
	}
}

func TestExperimentsAreBounded(t *testing.T) {
	w := explained(t)
	var k incident.Incident
	for i := range 50 {
		k = record(t, w, result(incident.Confirmed, i, newPricing, flagOn))
	}
	if n := len(k.Experiments); n != 20 || k.Experiments[19].Places[0].Arms[0].Harmed != 49 {
		t.Errorf("%d are kept", n)
	}
}

func TestAResultThatMakesNoSenseIsRefused(t *testing.T) {
	for want, change := range map[string]func(*incident.Experiment){
		`status "observed"`:            func(e *incident.Experiment) { e.Status = incident.Observed },
		"want those that were":         func(e *incident.Experiment) { e.Conditions = nil },
		"places: want 1 to 100, not 0": func(e *incident.Experiment) { e.Places = nil },
		"system and harm":              func(e *incident.Experiment) { e.System = strings.Repeat("x", 301) },
		"want 1 to 128 arms":           func(e *incident.Experiment) { e.Places[0].Arms = nil },
		"21 harmed of 20":              func(e *incident.Experiment) { e.Places[0].Arms[1].Harmed = 21 },
		"0 harmed of 0":                func(e *incident.Experiment) { e.Places[0].Arms[0].N = 0 },
		"is not one of the conditions": func(e *incident.Experiment) { e.Places[0].Arms[1].Holds = []string{"moon=full"} },
	} {
		e := result(incident.Confirmed, 0, newPricing, flagOn)
		e.Places = slices.Clone(e.Places)
		change(&e)
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
