package sim_test

import (
	"testing"

	"example.test/eddy/internal/sim"
)

// What "eddy sim bench" measures by processor time, for profiles and benchstat.
func BenchmarkSpeed(b *testing.B) {
	for b.Loop() {
		speeds, err := sim.Bench(b.Context(), 1)
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range speeds {
			b.ReportMetric(s.PerSecond/1e6, metricOf(s.Name))
		}
	}
}

func metricOf(name string) string {
	switch name {
	case sim.BenchEngine:
		return "engine-Mev/s"
	case sim.BenchRun:
		return "run-Mev/s"
	case sim.BenchTelemetry:
		return "telemetry-Mev/s"
	}
	return "naive-Mev/s"
}
