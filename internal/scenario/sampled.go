package scenario

import (
	"slices"
	"time"

	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/telemetry"
)

// mostKept is how many durations of a kind are kept.
const mostKept = 1 << 14

// busy counts how many spans of an instance were under way at once.
type busy struct{ starts, ends []time.Time }

func (v *learned) busy(instance string, s *telemetry.Span) {
	b := v.instances[instance]
	if b == nil {
		b = &busy{}
		v.instances[instance] = b
	}
	if len(b.starts) < mostKept {
		b.starts, b.ends = append(b.starts, s.Start), append(b.ends, s.End)
	}
}

// most is how many spans were under way at once.
func (b *busy) most() int {
	slices.SortFunc(b.starts, time.Time.Compare)
	slices.SortFunc(b.ends, time.Time.Compare)
	most, k := 0, 0
	for i, start := range b.starts {
		for k < len(b.ends) && !b.ends[k].After(start) {
			k++
		}
		most = max(most, i+1-k)
	}
	return most
}

// sampled keeps durations, every one at first and then every second, fourth and
// so on, so that what is kept is spread evenly.
type sampled struct {
	kept []time.Duration
	step int // of those given, every how many-th is kept
	n    int
}

func (s *sampled) add(d time.Duration) {
	s.step = max(s.step, 1)
	if s.n%s.step == 0 {
		s.kept = append(s.kept, d)
	}
	s.n++
	if len(s.kept) < mostKept {
		return
	}
	half := s.kept[:0]
	for i := 0; i < len(s.kept); i += 2 {
		half = append(half, s.kept[i])
	}
	s.kept, s.step = half, 2*s.step
}

func (s *sampled) quantile(q float64) time.Duration {
	if len(s.kept) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.kept))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// dist is the distribution of what was kept, by its quantiles.
func (s *sampled) dist() sim.Dist {
	if len(s.kept) == 0 {
		return sim.Dist{}
	}
	const parts = 100
	sorted := slices.Sorted(slices.Values(s.kept))
	d := sim.Dist{Shape: sim.Quantile}
	for i := range parts + 1 {
		d.Values = append(d.Values, sorted[i*(len(sorted)-1)/parts].Round(10*time.Microsecond))
	}
	return d
}
