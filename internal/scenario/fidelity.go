package scenario

import (
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/sim"
)

// A LearnedEdge is what was seen of the calls from one to another.
type LearnedEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Calls are logical ones, whatever number of attempts they took; Each is how
	// many there were for each request that From served.
	Calls    int     `json:"calls"`
	Each     float64 `json:"each"`
	Attempts float64 `json:"attempts"` // of a call, the mean
	// P50 and P99 are of attempts that succeeded, as the caller saw them; of a
	// cache those that it answered itself.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	// Hits is the share of look-ups that a cache answered, with its 95 % interval,
	// and Lookups how many said whether it did; 0 if none.
	Hits    experiment.Estimate `json:"hits"`
	Lookups int                 `json:"lookups"`
	// Pool is how many connections an instance of From may have to To, if a metric
	// said so, and Used the most that were ever in use; 0 if not known.
	Pool int `json:"pool,omitempty"`
	Used int `json:"used,omitempty"`
}

// edges describes what was seen, by caller and callee.
func (l *Learner) learnedEdges() []LearnedEdge {
	var out []LearnedEdge
	for _, key := range l.sortedEdges() {
		e := l.edges[key]
		v := LearnedEdge{
			From: key[0], To: key[1], Calls: e.calls, Each: round3(float64(e.calls) / float64(max(l.serves(key[0]), 1))),
			Attempts: round3(float64(e.attempts) / float64(max(e.calls, 1))), P50: e.latency.quantile(0.5), P99: e.latency.quantile(0.99),
			Lookups: e.lookups,
		}
		if n := float64(e.lookups); n > 0 {
			low, high := interaction.Wilson(float64(e.hits), n)
			v.Hits = experiment.Estimate{Value: round3(float64(e.hits) / n), Low: round3(low), High: round3(high)}
		}
		if p := l.pools[key]; p != nil {
			v.Pool, v.Used = int(p.most), int(p.used())
		}
		out = append(out, v)
	}
	return out
}

// serves is how many requests a service served.
func (l *Learner) serves(id string) int {
	if v := l.services[id]; v != nil {
		return v.served
	}
	return 0
}

// An EdgeFidelity holds an edge of a learned model, run under the load of that
// time, against what was seen.
type EdgeFidelity struct {
	Seen      LearnedEdge `json:"seen"`
	Simulated LearnedEdge `json:"simulated"`
	// Judged: both rest on at least 100 calls. Trusted: then the medians are within
	// 15 % of each other, the 99th percentiles within 30 %, and the attempts a call
	// within 5 %.
	Judged  bool `json:"judged"`
	Trusted bool `json:"trusted"`
}

// A Fidelity compares a learned model with what it was learned from.
type Fidelity struct {
	Seen50      time.Duration `json:"seen_p50_ns"`
	Seen99      time.Duration `json:"seen_p99_ns"`
	Simulated50 time.Duration `json:"simulated_p50_ns"`
	Simulated99 time.Duration `json:"simulated_p99_ns"`
	// Edges are in the order of Learned.Edges.
	Edges []EdgeFidelity `json:"edges"`
	// Trusted: the latencies of requests are as near as those of an edge must be,
	// and so is every edge that is judged.
	Trusted bool `json:"trusted"`
}

// Compare holds a run of the learned scenario against what was seen. Simulated
// has learned from the telemetry of that run, so that both are measured alike.
func (l Learned) Compare(r *sim.Result, simulated *Learner) Fidelity {
	f := Fidelity{Seen50: l.P50, Seen99: l.P99, Simulated50: r.Latency.Quantile(0.5), Simulated99: r.Latency.Quantile(0.99), Edges: []EdgeFidelity{}}
	f.Trusted = near(f.Seen50, f.Simulated50, f.Seen99, f.Simulated99)
	again := simulated.learnedEdges()
	for _, seen := range l.Edges {
		const least = 100
		e := EdgeFidelity{Seen: seen}
		if i := slices.IndexFunc(again, func(x LearnedEdge) bool { return x.From == seen.From && x.To == seen.To }); i >= 0 {
			e.Simulated = again[i]
		}
		e.Judged = min(seen.Calls, e.Simulated.Calls) >= least
		e.Trusted = e.Judged && near(seen.P50, e.Simulated.P50, seen.P99, e.Simulated.P99) &&
			math.Abs(seen.Attempts-e.Simulated.Attempts) <= 0.05*seen.Attempts
		if e.Judged && !e.Trusted {
			f.Trusted = false
		}
		f.Edges = append(f.Edges, e)
	}
	return f
}

// near reports whether a median and a 99th percentile are as near to those that
// were seen as they must be.
func near(seen50, simulated50, seen99, simulated99 time.Duration) bool {
	within := func(a, b time.Duration, share float64) bool { return math.Abs(float64(a-b)) <= share*float64(a) }
	return within(seen50, simulated50, 0.15) && within(seen99, simulated99, 0.3)
}
