package sim_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// A request is three or four events: arrival, end of work, a timeout that is
// cancelled, and now and then a retry.
func BenchmarkRun(b *testing.B) {
	m := payments(280, 3)
	m.Horizon = time.Hour
	b.ReportAllocs()
	events := uint64(0)
	for b.Loop() {
		s, err := sim.New(m, 1, sim.Settings{})
		if err != nil {
			b.Fatal(err)
		}
		r, err := s.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		events += r.Events
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
