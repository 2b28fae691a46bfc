package scenario

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/sim"
)

// A response is a number that a run gives.
type response struct {
	name string
	says string
	of   func(s *Scenario, r *sim.Result) float64
}

// responses are all there are, by name.
func responses() []response {
	return []response{
		{"attempts_per_request", "attempts a call, on the edge with the most", attempts},
		{"collapse", "1 if less than half of what was offered in the last fifth of the run was answered well, else 0", collapse},
		{"concurrent_loads_per_key", "the most loads of one key of a cache that were under way at once", concurrentLoads},
		{"db_qps_p99", "the 99th percentile, over intervals, of the requests a second at the busiest store", storeRate},
		{"double_leader", "requests that a leader worked on after another one had its lease, and that nothing refused", doubleLeader},
		{"double_runs", "jobs of schedules that ran more than once", doubleRuns},
		{"duplicates", "messages that were worked on again, with an effect", duplicates},
		{"failed_share", "the share of requests, after the warm-up, that failed or were slow", failedShare},
		{"flips_per_hour", "changes of direction of autoscalers, an hour", flips},
		{"goodput", "good answers a second in the last fifth of the run", goodput},
		{"harms", "silent harms: effects repeated, sagas half done, what was misread, and what rules did", harms},
		{"instance_hours", "that autoscalers wanted", instanceHours},
		{"max_queue", "the most requests that waited before the servers of one service", maxQueue},
		{"missed_runs", "jobs of schedules that never ran", missedRuns},
		{"p50_latency", "the median latency of what succeeded after the warm-up, in seconds", latency(0.5)},
		{"p99_latency", "the 99th percentile of that", latency(0.99)},
		{"ttr", "seconds from the end of the last window until nine in ten requests were good for five intervals; " +
			"if that never came, until the end of the run; not defined if no window ended", recovery},
		{"user_minutes_lost", "a minute for each request, after the warm-up, that failed or was slow", minutesLost},
		{"waste", "the share of work done for callers that no longer waited", waste},
	}
}

// response complains about a name that is no response.
func (d *decoder) response(at, name string) {
	var names []string
	for _, r := range responses() {
		if r.name == name {
			return
		}
		names = append(names, r.name)
	}
	fix := "want one of " + strings.Join(names, ", ")
	if near := nearest(name, names); near != "" {
		fix = fmt.Sprintf("do you mean %s?", near)
	}
	d.about("", at, "no response %q: %s", name, fix)
}

// value returns a response of a run. Parse has made sure that it exists.
func (s *Scenario) value(name string, r *sim.Result) float64 {
	all := responses()
	i := slices.IndexFunc(all, func(x response) bool { return x.name == name })
	if i < 0 {
		panic("BUG: no response " + name)
	}
	return all[i].of(s, r)
}

// lastFifth sums up the end of a run, in which what a trigger left behind shows.
func lastFifth(r *sim.Result) sim.UserInterval { return r.Total(r.End-r.End/5, r.End) }

func collapse(_ *Scenario, r *sim.Result) float64 {
	if u := lastFifth(r); u.Offered > 0 && 2*u.Good < u.Offered {
		return 1
	}
	return 0
}

func goodput(_ *Scenario, r *sim.Result) float64 {
	return float64(lastFifth(r).Good) / (r.End / 5).Seconds()
}

func failedShare(_ *Scenario, r *sim.Result) float64 {
	u := r.Total(r.Warmup, r.End)
	return float64(u.Failed+u.Slow) / float64(u.Good+u.Failed+u.Slow)
}

func minutesLost(_ *Scenario, r *sim.Result) float64 {
	u := r.Total(r.Warmup, r.End)
	return float64(u.Failed + u.Slow)
}

func latency(q float64) func(*Scenario, *sim.Result) float64 {
	return func(_ *Scenario, r *sim.Result) float64 {
		if r.Latency.N() == 0 {
			return math.NaN()
		}
		return r.Latency.Quantile(q).Seconds()
	}
}

// attempts is the amplification of the edge that has the most of it.
func attempts(_ *Scenario, r *sim.Result) float64 {
	most := math.NaN()
	for _, e := range r.Edges {
		var calls, attempts int
		for i, k := range e.Intervals {
			if time.Duration(i)*r.Interval >= r.Warmup {
				calls, attempts = calls+k.Calls, attempts+k.Attempts
			}
		}
		if calls > 0 {
			most = math.Max(orZero(most), float64(attempts)/float64(calls))
		}
	}
	return most
}

func orZero(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

func waste(_ *Scenario, r *sim.Result) float64 {
	var work, waste float64
	for _, v := range r.Services {
		for _, k := range v.Intervals {
			work, waste = work+k.Work, waste+k.Waste
		}
	}
	return waste / work
}

func maxQueue(_ *Scenario, r *sim.Result) float64 {
	most := 0
	for _, v := range r.Services {
		for _, k := range v.Intervals {
			most = max(most, k.Waiting)
		}
	}
	return float64(most)
}

func recovery(_ *Scenario, r *sim.Result) float64 {
	after := time.Duration(-1)
	for _, t := range r.Toggles {
		if t.To < r.End {
			after = max(after, t.To)
		}
	}
	if after < 0 {
		return math.NaN()
	}
	if took, ok := r.Recovery(after, 0.9, 5*r.Interval); ok {
		return took.Seconds()
	}
	return (r.End - after).Seconds()
}

// Responses returns all that a run gives; nil where it is not defined.
func (s *Scenario) Responses(r *sim.Result) map[string]*float64 {
	out := make(map[string]*float64)
	for _, x := range responses() {
		out[x.name] = nil
		if v := x.of(s, r); !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[x.name] = &v
		}
	}
	return out
}

func harms(_ *Scenario, r *sim.Result) float64 {
	n := 0
	for _, k := range r.Harms {
		n += k
	}
	return float64(n)
}

func duplicates(_ *Scenario, r *sim.Result) float64 {
	n := 0
	for _, v := range r.Streams {
		for _, k := range v.Intervals {
			n += k.Duplicates - k.Suppressed
		}
	}
	return float64(n)
}

func concurrentLoads(_ *Scenario, r *sim.Result) float64 {
	most := 0
	for _, c := range r.Caches {
		for _, k := range c.Intervals {
			most = max(most, k.Loading)
		}
	}
	return float64(most)
}

func storeRate(s *Scenario, r *sim.Result) float64 {
	most := math.NaN()
	for _, v := range r.Services {
		if !slices.ContainsFunc(s.Model.Stores, func(d sim.Store) bool { return d.ID == v.ID }) {
			continue
		}
		var rates []float64
		for i, k := range v.Intervals {
			if time.Duration(i)*r.Interval >= r.Warmup {
				rates = append(rates, float64(k.Arrived)/r.Interval.Seconds())
			}
		}
		slices.Sort(rates)
		most = math.Max(orZero(most), experiment.Quantile(rates, 0.99))
	}
	return most
}

func doubleLeader(_ *Scenario, r *sim.Result) float64 {
	n := 0
	for _, l := range r.Leases {
		n += l.Stale - l.Fenced
	}
	return float64(n)
}

func doubleRuns(_ *Scenario, r *sim.Result) float64 {
	n := 0
	for _, c := range r.Schedules {
		n += c.Doubled
	}
	return float64(n)
}

func missedRuns(_ *Scenario, r *sim.Result) float64 {
	n := 0
	for _, c := range r.Schedules {
		n += c.Missed
	}
	return float64(n)
}

func flips(_ *Scenario, r *sim.Result) float64 {
	n := 0
	for _, a := range r.Scalers {
		n += a.Flips
	}
	return float64(n) / r.End.Hours()
}

func instanceHours(_ *Scenario, r *sim.Result) float64 {
	sum := 0.0
	for _, a := range r.Scalers {
		sum += a.Seconds / 3600
	}
	return sum
}
