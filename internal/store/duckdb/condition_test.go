package duckdb_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/store/storetest"
	"example.test/eddy/internal/telemetry"
)

func TestConditionsThatNothingRefersToAreSwept(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eddy.duckdb"))
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	d := condition.NewDictionary(0)
	save := func(trace byte, at time.Time, from, to int) {
		t.Helper()
		o := condition.Observation{Request: request.ID{Trace: telemetry.TraceID{trace}}, Time: at}
		for i := from; i < to; i++ {
			id, _ := d.ID(condition.Condition{Entity: "cart", Dimension: "tenant", Value: fmt.Sprint(i)})
			o.Conditions = append(o.Conditions, id)
		}
		if err := s.Save(t.Context(), pipeline.Result{Dictionary: d, Observations: []condition.Observation{o}}); err != nil {
			t.Fatal(err)
		}
	}
	save(1, start.Add(-48*time.Hour), 0, 100_000)
	save(2, start, 99_990, 100_010)
	if _, err := s.Retain(t.Context(), store.Retention{Observations: time.Hour}, start); err != nil {
		t.Fatal(err)
	}
	save(3, start, 5, 8) // swept before, and in force again
	want := map[byte][]string{2: {"100000", "99999"}, 3: {"5", "7"}}
	for o, err := range s.Observations(t.Context(), storetest.Always()) {
		if err != nil {
			t.Fatal(err)
		}
		w := want[o.Request.Trace[0]]
		if len(w) == 0 || o.InForce[0].Value != w[0] || o.InForce[len(o.InForce)-1].Value != w[1] {
			t.Errorf("observation %s has %v to %v, want %v", o.Request, o.InForce[0], o.InForce[len(o.InForce)-1], w)
		}
	}
	if n := rowsOf(t, s, "conditions"); n != 23 {
		t.Errorf("%d conditions are stored, want 20 and 3", n)
	}
}
