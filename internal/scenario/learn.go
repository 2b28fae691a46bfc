package scenario

import (
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
