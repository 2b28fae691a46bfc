package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// All checks take half a minute and are run by "make verify". These are the quick
// ones.
func TestTheQuickChecksAreRight(t *testing.T) {
	ids := []string{"V5", "V6", "V16", "V19"}
	if testing.Short() {
		ids = ids[1:2]
	}
	figures, err := sim.Verify(t.Context(), nil, ids...)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, f := range figures {
		seen[f.ID] = true
		if !f.OK {
			t.Errorf("%s %s: measured %v (%v to %v), want %v %s", f.ID, f.What, f.Measured, f.Low, f.High, f.Expected, f.Rule)
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("figures of %v, want of %v", seen, ids)
	}
}

func TestAnUnknownCheckIsRefused(t *testing.T) {
	if _, err := sim.Verify(t.Context(), nil, "V21"); err == nil {
		t.Error("V21 was measured, want an error that says which there are")
	}
}

func TestSpeedIsMeasuredBesideANaiveSimulation(t *testing.T) {
	numbers(t)
	speeds, err := sim.Bench(t.Context(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	by := make(map[string]sim.Speed)
	for _, s := range speeds {
		by[s.Name] = s
	}
	run, naive := by[sim.BenchRun], by[sim.BenchNaive]
	if run.Allocations > 0.001 || by[sim.BenchTelemetry].Allocations > 0.001 {
		t.Errorf("%v and %v allocations an event, want 0.001 at most", run.Allocations, by[sim.BenchTelemetry].Allocations)
	}
	// A ratio within one process, so that a busy machine is busy for both. It is
	// about five; under the race detector it may be anything.
	if !raceDetector && run.PerSecond < 2*naive.PerSecond {
		t.Errorf("%.2g events a second, and %.2g the naive way; want twice as many", run.PerSecond, naive.PerSecond)
	}
	if s := by[sim.BenchTelemetry].Spans; s < 0.5 || s > 2 {
		t.Errorf("%.2f spans an event, want about one", s)
	}
}
