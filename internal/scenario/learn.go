package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

// A Learner makes a scenario of the requests that a real system served: who
// calls whom and how often, how long each works by itself, how often a call is
// tried, and how many come. What calm traffic does not show, above all how many
// servers there are beyond those that were busy, becomes a range (Uncertain).
//
// It keeps at most mostKept durations of each kind, evenly spread over the
// requests it was given. The zero Learner is ready.
type Learner struct {
	services map[string]*learned
	edges    map[[2]string]*learnedEdge
	entries  map[request.Entry]int
	latency  sampled // of requests that succeeded
	from, to time.Time
	requests int
	failed   int
}

// mostKept is how many durations of a kind are kept.
const mostKept = 1 << 14

// learned is what is known of a service or a store.
type learned struct {
	kind      graph.Kind
	system    string
	versions  map[string]int
	instances map[string]*busy
	served    int
	self      sampled
}

// busy counts how many spans of an instance were under way at once.
type busy struct{ starts, ends []time.Time }

// learnedEdge is what is known of the calls from one to another.
type learnedEdge struct {
	calls, attempts, most int // first attempts, all, the most of one call
	failed                []time.Duration
}

// Add takes a request in.
func (l *Learner) Add(r *request.Request) {
	if l.services == nil {
		l.services, l.edges, l.entries = make(map[string]*learned), make(map[[2]string]*learnedEdge), make(map[request.Entry]int)
	}
	l.requests++
	l.entries[r.Entry]++
	if l.from.IsZero() || r.Start.Before(l.from) {
		l.from = r.Start
	}
	if end := r.Start.Add(r.Duration); end.After(l.to) {
		l.to = end
	}
	if r.Outcome == request.OK {
		l.latency.add(r.Duration)
	} else {
		l.failed++
	}
	t := traceOf(r)
	for i, s := range r.Spans {
		switch {
		case t.owner[i] == i:
			l.serve(s, t.self(i))
		case s.Kind == telemetry.KindClient:
			l.call(t, i)
		}
	}
}

// A trace says who did what in a request.
type trace struct {
	spans    []*telemetry.Span
	owner    []int // the server span, or the entry, that each span is part of
	answered map[telemetry.SpanID]int
	calls    [][]int // of each owner, its client spans
	attempts []int
}

func traceOf(r *request.Request) *trace {
	t := &trace{
		spans: r.Spans, owner: make([]int, len(r.Spans)), answered: make(map[telemetry.SpanID]int),
		calls: make([][]int, len(r.Spans)), attempts: r.Attempts(),
	}
	at := make(map[telemetry.SpanID]int, len(r.Spans))
	for i, s := range r.Spans {
		at[s.ID] = i
		parent, known := at[s.Parent]
		if i == 0 || s.Kind == telemetry.KindServer || !known {
			t.owner[i] = i
			if known && r.Spans[parent].Kind == telemetry.KindClient {
				t.answered[s.Parent] = i
			}
			continue
		}
		t.owner[i] = t.owner[parent]
		if s.Kind == telemetry.KindClient {
			t.calls[t.owner[i]] = append(t.calls[t.owner[i]], i)
		}
	}
	return t
}

// self is how long a server span worked itself: its duration less the time in
// which it waited for at least one of its calls.
func (t *trace) self(i int) time.Duration {
	s := t.spans[i]
	calls := t.calls[i]
	slices.SortFunc(calls, func(a, b int) int { return t.spans[a].Start.Compare(t.spans[b].Start) })
	waited, until := time.Duration(0), s.Start
	for _, k := range calls {
		from, to := t.spans[k].Start, t.spans[k].End
		if from.Before(until) {
			from = until
		}
		if to.After(s.End) {
			to = s.End
		}
		if to.After(from) {
			waited += to.Sub(from)
			until = to
		}
	}
	return max(s.Duration()-waited, 0)
}

// serve takes in a span that a service handled.
func (l *Learner) serve(s *telemetry.Span, self time.Duration) {
	v := l.service(identifier(s.Resource.Service), graph.Service)
	v.served++
	v.self.add(self)
	v.versions[s.Resource.Version]++
	v.busy(s.Resource.Instance, s)
}

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

// call takes in a client span.
func (l *Learner) call(t *trace, i int) {
	s := t.spans[i]
	from := identifier(t.spans[t.owner[i]].Resource.Service)
	to := ""
	if k, ok := t.answered[s.ID]; ok {
		to = identifier(t.spans[k].Resource.Service)
	} else if target := graph.TargetOf(s); target.Name != "" {
		to = identifier(target.Name)
		if target.Kind != graph.Service { // it sends no spans of its own
			v := l.service(to, target.Kind)
			v.system = target.System
			v.served++
			v.busy("", s)
			if _, failed := request.Failure(s); !failed {
				v.self.add(s.Duration())
			}
		}
	}
	if to == "" || to == from {
		return
	}
	e := l.edges[[2]string{from, to}]
	if e == nil {
		e = &learnedEdge{}
		l.edges[[2]string{from, to}] = e
	}
	e.attempts++
	if t.attempts[i] <= 1 {
		e.calls++
	}
	e.most = max(e.most, t.attempts[i])
	if _, failed := request.Failure(s); failed && len(e.failed) < mostKept {
		e.failed = append(e.failed, s.Duration())
	}
}

func (l *Learner) service(id string, kind graph.Kind) *learned {
	v := l.services[id]
	if v == nil {
		v = &learned{kind: kind, versions: make(map[string]int), instances: make(map[string]*busy)}
		l.services[id] = v
	}
	return v
}

// identifier makes a name one that a scenario may have.
func identifier(name string) string {
	return strings.NewReplacer(" ", "-", "/", "-", "->", "-", "\t", "-", "\n", "-").Replace(name)
}

// A Learned is a scenario that was learned, with what it does not know.
type Learned struct {
	Scenario *Scenario
	// Requests is how many it rests on, Failed how many of them did not succeed.
	Requests, Failed int
	// P50 and P99 are the latencies of those that succeeded.
	P50, P99 time.Duration
	// Notes say what could not be known, and what was left out.
	Notes []string
}

// Learn makes the scenario. It fails if there is too little to learn from.
func (l *Learner) Learn(name string) (Learned, error) {
	const least = 100
	if l.requests < least {
		return Learned{}, fmt.Errorf("%s: want at least %d to learn from", wording.Plural(l.requests, "request"), least)
	}
	span := l.to.Sub(l.from)
	s := &Scenario{File: name, Seed: 1, Model: sim.Model{
		Name: identifier(name), Horizon: 2 * time.Minute, Warmup: 10 * time.Second,
		SLO: sim.SLO{Under: roundUpDuration(4 * l.latency.quantile(0.99)), Target: 0.99},
	}}
	s.Description = fmt.Sprintf("Learned from %s of %s to %s.", wording.Plural(l.requests, "request"),
		l.from.UTC().Format(time.RFC3339), l.to.UTC().Format(time.RFC3339))
	out := Learned{Scenario: s, Requests: l.requests, Failed: l.failed, P50: l.latency.quantile(0.5), P99: l.latency.quantile(0.99)}
	if 20*l.failed > l.requests {
		out.Notes = append(out.Notes, fmt.Sprintf("%s of the requests failed or were slow: learn from calm traffic, or the model is one of the trouble",
			wording.Percent(float64(l.failed)/float64(l.requests))))
	}
	for _, id := range slices.Sorted(maps.Keys(l.services)) {
		l.place(s, id)
	}
	for _, key := range l.sortedEdges() {
		if note := l.connect(s, key); note != "" {
			out.Notes = append(out.Notes, note)
		}
	}
	l.load(s, span)
	out.Notes = append(out.Notes, "how many servers there are is not known, only how many were busy at once: the file has a range of 1 to 3 times that for each (uncertain)",
		"the bounds of queues, and what happens beyond the timeouts that were seen, are not known: queues have no bound in the file")
	if err := s.Model.Validate(); err != nil {
		return Learned{}, fmt.Errorf("the system cannot be simulated: %w", err)
	}
	return out, nil
}

func (l *Learner) sortedEdges() [][2]string {
	return slices.SortedFunc(maps.Keys(l.edges), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
}

// place adds a service or a store to the model.
func (l *Learner) place(s *Scenario, id string) {
	v := l.services[id]
	most := 0
	for _, b := range v.instances {
		most = max(most, b.most())
	}
	low, high := max(most, 1), 3*max(most, 1)
	servers := int(math.Round(math.Sqrt(float64(low) * float64(high))))
	s.Uncertain = append(s.Uncertain, Uncertain{Target: id, Param: "servers", Low: low, High: high})
	if v.kind == graph.Store || v.kind == graph.Cache || v.kind == graph.Queue {
		s.Model.Stores = append(s.Model.Stores, sim.Store{ID: id, System: v.system, Servers: servers, Read: v.self.dist()})
		return
	}
	version := ""
	for _, k := range slices.Sorted(maps.Keys(v.versions)) {
		if version == "" || v.versions[k] > v.versions[version] {
			version = k
		}
	}
	s.Model.Services = append(s.Model.Services, sim.Service{
		ID: id, Version: version, Instances: max(len(v.instances), 1), Servers: servers, ServiceTime: v.self.dist(),
	})
}

// connect adds the calls of an edge to the model; it returns what it is not sure
// of, or "".
func (l *Learner) connect(s *Scenario, key [2]string) string {
	e := l.edges[key]
	i := slices.IndexFunc(s.Model.Services, func(v sim.Service) bool { return v.ID == key[0] })
	if i < 0 {
		return fmt.Sprintf("%s calls %s, and sends no server spans: the calls are left out", key[0], key[1])
	}
	each := float64(e.calls) / float64(max(l.services[key[0]].served, 1))
	call := sim.Call{To: key[1], Prob: min(each, 1)}
	if each > 1 {
		call.Count = int(math.Round(each))
	}
	s.Model.Services[i].Calls = append(s.Model.Services[i].Calls, call)
	p := sim.Policy{From: key[0], To: key[1], Timeout: timeoutOf(e.failed)}
	if e.most > 1 {
		p.Retry.MaxAttempts = e.most
	}
	if p.Timeout > 0 || e.most > 1 {
		s.Model.Policies = append(s.Model.Policies, p)
	}
	if p.Timeout == 0 {
		return fmt.Sprintf("no timeout of %s to %s was seen: the file has none", key[0], key[1])
	}
	return ""
}

// timeoutOf returns the duration at which most failed calls ended, if they ended
// at the same time within 2 %, and 0 otherwise.
func timeoutOf(failed []time.Duration) time.Duration {
	if len(failed) < 5 {
		return 0
	}
	slices.Sort(failed)
	middle := failed[len(failed)/2]
	near := 0
	for _, d := range failed {
		if math.Abs(float64(d-middle)) <= 0.02*float64(middle) {
			near++
		}
	}
	if 2*near < len(failed) {
		return 0
	}
	return middle.Round(max(middle/100, time.Millisecond).Round(time.Millisecond))
}

// load adds a workload for each entry.
func (l *Learner) load(s *Scenario, span time.Duration) {
	entries := slices.SortedFunc(maps.Keys(l.entries), func(a, b request.Entry) int { return cmp.Compare(a.String(), b.String()) })
	for _, e := range entries {
		s.Model.Workloads = append(s.Model.Workloads, sim.Workload{
			ID: "users-of-" + identifier(e.String()), Entry: identifier(e.Service), Op: e.Operation,
			Rate: sim.Rate{Const: round3(float64(l.entries[e]) / max(span.Seconds(), 1))}, Patience: 30 * time.Second,
		})
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

func round3(x float64) float64 { return math.Round(x*1000) / 1000 }

// roundUpDuration returns the next of 1, 2, 2.5, 5 times a power of ten
// milliseconds.
func roundUpDuration(d time.Duration) time.Duration {
	return time.Duration(roundUp(float64(d)/float64(time.Millisecond)) * float64(time.Millisecond))
}

// A Fidelity compares the latencies of a learned model, run under the load of
// that time, with those of the requests it was learned from.
type Fidelity struct {
	Seen50      time.Duration `json:"seen_p50_ns"`
	Seen99      time.Duration `json:"seen_p99_ns"`
	Simulated50 time.Duration `json:"simulated_p50_ns"`
	Simulated99 time.Duration `json:"simulated_p99_ns"`
	// Trusted: the medians are within 15 % of each other, and the 99th
	// percentiles within 30 %.
	Trusted bool `json:"trusted"`
}

// Compare makes a Fidelity of a run of the learned scenario.
func (l Learned) Compare(r *sim.Result) Fidelity {
	f := Fidelity{Seen50: l.P50, Seen99: l.P99, Simulated50: r.Latency.Quantile(0.5), Simulated99: r.Latency.Quantile(0.99)}
	within := func(a, b time.Duration, share float64) bool {
		return math.Abs(float64(a-b)) <= share*float64(a)
	}
	f.Trusted = within(f.Seen50, f.Simulated50, 0.15) && within(f.Seen99, f.Simulated99, 0.3)
	return f
}
