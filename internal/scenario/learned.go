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
	"example.test/eddy/internal/wording"
)

// A Learned is a scenario that was learned, with what it does not know.
type Learned struct {
	Scenario *Scenario
	// Requests is how many it rests on, Failed how many of them did not succeed.
	Requests, Failed int
	// P50 and P99 are the latencies of those that succeeded.
	P50, P99 time.Duration
	// Edges are the calls that were seen, Arrivals how requests came.
	Edges    []LearnedEdge
	Arrivals []Arrival
	// Notes say what could not be known, and what was left out.
	Notes []string
}

// Learn makes the scenario. It fails if there is too little to learn from.
func (l *Learner) Learn(name string) (Learned, error) {
	const least = 100
	if l.requests < least {
		return Learned{}, fmt.Errorf("%s: want at least %d to learn from", wording.Plural(l.requests, "request"), least)
	}
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
	out.Edges = l.learnedEdges()
	if err := l.load(&out); err != nil {
		return Learned{}, err
	}
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
	each := float64(e.calls) / float64(max(l.serves(key[0]), 1))
	call := sim.Call{To: key[1], Prob: min(each, 1)}
	if each > 1 {
		call.Count = int(math.Round(each))
	}
	s.Model.Services[i].Calls = append(s.Model.Services[i].Calls, call)
	p := sim.Policy{From: key[0], To: key[1], Timeout: timeoutOf(e.failed)}
	if e.most > 1 {
		p.Retry.MaxAttempts = e.most
	}
	if pool := l.pools[key]; pool != nil {
		p.Pool.Max = int(pool.most)
	}
	if p.Timeout > 0 || e.most > 1 || p.Pool.Max > 0 {
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

// load adds a workload for each entry, and a condition for each that a scheduler
// drives.
func (l *Learner) load(out *Learned) error {
	m := &out.Scenario.Model
	entries := slices.SortedFunc(maps.Keys(l.entries), func(a, b request.Entry) int { return cmp.Compare(a.String(), b.String()) })
	for _, e := range entries {
		a := l.entries[e].arrival(e, l.from, l.to)
		out.Arrivals = append(out.Arrivals, a)
		w := sim.Workload{ID: "users-of-" + identifier(e.String()), Entry: identifier(e.Service), Op: e.Operation, Patience: 30 * time.Second}
		if a.Job != nil {
			m.Conditions = append(m.Conditions, a.Job.condition(&w, m.Horizon))
			out.Notes = append(out.Notes, fmt.Sprintf("%s comes every %s, as from a scheduler: it is the condition %s, a run of it in the file",
				e, a.Job.Every, m.Conditions[len(m.Conditions)-1].ID))
		} else {
			rate, err := a.rate(l.Hour)
			if err != nil {
				return fmt.Errorf("%s: %w", e, err)
			}
			w.Rate.Const = rate
		}
		if a.Job == nil && a.Dispersion > 2 {
			out.Notes = append(out.Notes, fmt.Sprintf("requests at %s come in bursts (index of dispersion %.1f over a second, 1 if they come independently): the file has them come independently",
				e, a.Dispersion))
		}
		m.Workloads = append(m.Workloads, w)
	}
	return nil
}

// condition puts runs of a job into a scenario, the first after a quarter of it.
func (j *Job) condition(w *sim.Workload, horizon time.Duration) sim.Condition {
	w.ID = strings.Replace(w.ID, "users-of-", "job-", 1)
	c := sim.Condition{
		ID: w.ID + "-runs", Kind: sim.KindCron, Target: w.ID, Default: true,
		Apply: []sim.Setting{{Param: "rate", Value: round3(float64(j.Requests) / j.Takes.Seconds())}},
	}
	for at := horizon / 4; at+j.Takes < horizon; at += j.Every {
		c.Windows = append(c.Windows, sim.Window{From: at, To: at + j.Takes})
	}
	if len(c.Windows) == 0 { // it takes longer than what is left
		c.Windows = []sim.Window{{From: horizon / 4}}
	}
	return c
}

func round3(x float64) float64 { return math.Round(x*1000) / 1000 }

// roundUpDuration returns the next of 1, 2, 2.5, 5 times a power of ten
// milliseconds.
func roundUpDuration(d time.Duration) time.Duration {
	return time.Duration(roundUp(float64(d)/float64(time.Millisecond)) * float64(time.Millisecond))
}
