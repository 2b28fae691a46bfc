package store_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

func TestMemDropsTheOldestBeyondItsLimits(t *testing.T) {
	m := store.NewMemLimited(store.Limits{Spans: 80, Logs: 80, Observations: 80, Totals: 80, Changes: 80, Incidents: 80, Findings: 80})
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	id := func(i int) telemetry.TraceID { return telemetry.TraceID{1, byte(i >> 8), byte(i)} }
	for i := range 1000 {
		// The clock runs backwards: what counts is when a row was stored.
		at := start.Add(-time.Duration(i) * time.Second)
		err := m.Append(t.Context(), telemetry.Batch{
			Spans: []*telemetry.Span{{Trace: id(i), Start: at}},
			Logs:  []*telemetry.Log{{Trace: id(i), Time: at}},
		}, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		err = m.Save(t.Context(), pipeline.Result{
			Observations: []condition.Observation{{Request: request.ID{Trace: id(i)}, Time: at}},
			Totals:       []pipeline.Total{{Bucket: at.Unix()}},
			Incidents:    []incident.Incident{{ID: incident.ID(id(i).String())}},
		})
		if err != nil {
			t.Fatal(err)
		}
		counts, err := m.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"spans", "logs", "observations", "totals", "incidents"} {
			if n := counts[table]; n > 80 || n < int64(min(i, 69)) {
				t.Fatalf("after %d: %d %s, want 69 to 80", i, n, table)
			}
		}
	}
	if _, err := m.Trace(t.Context(), id(999)); err != nil {
		t.Errorf("the newest trace: %v", err)
	}
	if _, err := m.Trace(t.Context(), id(900)); err == nil {
		t.Error("a trace 99 before the newest is still there, want it dropped")
	}
}

func TestMemDropsReplacedChangesFirst(t *testing.T) {
	m := store.NewMemLimited(store.Limits{Changes: 20})
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	add := func(id, dimension string) {
		t.Helper()
		start = start.Add(time.Second)
		err := m.Append(t.Context(), telemetry.Batch{Changes: []*telemetry.Change{{ID: id, Time: start, Dimension: dimension}}}, 0)
		if err != nil {
			t.Fatal(err)
		}
	}
	add("deployed long ago", "service.version")
	for i := range 500 {
		add(string(rune('a'+i)), "flag")
	}
	inForce, err := m.InForce(t.Context(), start)
	if err != nil || len(inForce) != 2 || inForce[1].ID != "deployed long ago" {
		t.Errorf("InForce = %v, %v, want the flag's last value and the version that was deployed long ago", inForce, err)
	}
	if counts, err := m.Counts(t.Context()); err != nil || counts["changes"] > 20 {
		t.Errorf("Counts = %v, %v, want at most 20 changes", counts, err)
	}
}
