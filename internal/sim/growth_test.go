package sim_test

import (
	"math"
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// For a log-normal n with mean m, E[n^k] is m^k (1+cv²)^(k(k-1)/2).
func TestWorkGrowsWithTheItemsOfARequest(t *testing.T) {
	numbers(t)
	m := one(100, sim.Service{Servers: 100000, ServiceTime: sim.ConstDist(10 * time.Millisecond), Growth: sim.Growth{Typical: 100}})
	m.Workloads[0].Size = sim.Size{Mean: 200, CV: 0.5}
	for _, k := range []float64{1, 1.5, 2} {
		m.Services[0].Growth.Exponent = k
		want := 0.01 * math.Pow(2, k) * math.Pow(1+0.5*0.5, k*(k-1)/2)
		within(t, "mean work", mustRun(t, m, 1).Latency.Mean().Seconds(), want, 0.02)
	}
	// In pages of 20 it is nearly n/20 times that of 20 items.
	m.Services[0].Growth = sim.Growth{Exponent: 2, Typical: 100, Page: 20}
	within(t, "mean work in pages", mustRun(t, m, 1).Latency.Mean().Seconds(), 0.01*200/20*0.2*0.2, 0.05)
}
