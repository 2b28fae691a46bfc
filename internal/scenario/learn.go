package scenario

import (
	"cmp"
	"strings"
	"time"

	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Learner makes a scenario of the requests that a real system served: who
// calls whom and how often, how long each works by itself, how often a call is
// tried, and how many come. What calm traffic does not show, above all how many
// servers there are beyond those that were busy, becomes a range (Uncertain).
//
// It keeps at most mostKept durations of each kind, evenly spread over the
// requests it was given, and of each entry at most mostBursts bursts and
// mostSeconds seconds. The zero Learner is ready.
type Learner struct {
	// Hour says of which hour of the week the scenario has the rates: "busiest",
	// "quietest", or one as "Tue 14", in UTC; the mean of all time if it is empty.
	Hour string

	services map[string]*learned
	edges    map[[2]string]*learnedEdge
	entries  map[request.Entry]*arrivals
	pools    map[[2]string]*seenPool
	latency  sampled // of requests that succeeded
	from, to time.Time
	requests int
	failed   int
}

// learned is what is known of a service or a store.
type learned struct {
	kind      graph.Kind
	system    string
	versions  map[string]int
	instances map[string]*busy
	served    int
	self      sampled
}

// learnedEdge is what is known of the calls from one to another.
type learnedEdge struct {
	calls, attempts, most int // first attempts, all, the most of one call
	failed                []time.Duration
	latency               sampled // of attempts that succeeded
	lookups, hits         int     // that a cache said to be one or not
}

// Add takes a request in.
func (l *Learner) Add(r *request.Request) {
	if l.services == nil {
		l.services, l.edges, l.entries = make(map[string]*learned), make(map[[2]string]*learnedEdge), make(map[request.Entry]*arrivals)
	}
	l.requests++
	if l.entries[r.Entry] == nil {
		l.entries[r.Entry] = &arrivals{}
	}
	l.entries[r.Entry].add(r.Start)
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

// serve takes in a span that a service handled.
func (l *Learner) serve(s *telemetry.Span, self time.Duration) {
	v := l.service(identifier(s.Resource.Service), graph.Service)
	v.served++
	v.self.add(self)
	v.versions[s.Resource.Version]++
	v.busy(s.Resource.Instance, s)
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
			if _, failed := request.Failure(s); !failed && lookup(s) != missed {
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
	found := lookup(s)
	switch found {
	case hit:
		e.lookups, e.hits = e.lookups+1, e.hits+1
	case missed:
		e.lookups++
	case noLookup:
	}
	switch _, failed := request.Failure(s); {
	case failed && len(e.failed) < mostKept:
		e.failed = append(e.failed, s.Duration())
	case !failed && found != missed:
		e.latency.add(s.Duration())
	}
}

// A lookedUp says whether a cache had what a span asked it for. One that missed may
// have waited for what is behind the cache, whose calls have spans of their own,
// so its duration says nothing about the cache.
type lookedUp uint8

const (
	noLookup lookedUp = iota
	hit
	missed
)

func lookup(s *telemetry.Span) lookedUp {
	switch cmp.Or(attributeOf(s.Attributes, "cache.result"), attributeOf(s.Attributes, "cache.hit")) {
	case "hit", "stale", "true":
		return hit
	case "miss", "false":
		return missed
	}
	return noLookup
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
