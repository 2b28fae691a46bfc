package condition

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// Coverage counts, for each service, how much of what an explanation needs its
// telemetry says. What is missing travels with each verdict: a cause that no
// telemetry names cannot be found.
//
// Counts are of one to two periods; older ones are dropped. At most 2,000
// services, and 100 silent targets of each, are told apart. It is not safe for
// concurrent use.
type Coverage struct {
	period   time.Duration
	turned   time.Time
	current  tally
	previous tally
	counters map[string]float64 // the last values of counters that count on
}

// maxServices bounds a tally.
const (
	maxServices = 2_000
	maxTargets  = 100
)

// A tally is the counts of one period.
type tally struct {
	services map[string]*ServiceCoverage
	requests int
	rootless int // requests whose root never came
	flags    int // evaluations on spans and in logs
	changes  map[telemetry.ChangeKind]int
	reported map[string]int // changes by entity, which may be no service
	inferred map[string]int // deploys that nobody reported, by service
	unjoined int            // flag evaluations without a trace
}

// ServiceCoverage says what the telemetry of one service holds.
type ServiceCoverage struct {
	Service string `json:"service"`
	// Requests is how many requests entered at the service.
	Requests int `json:"requests"`
	// Spans is how many spans it sent, WithVersion and WithInstance how many of
	// them said which version and which instance they came from.
	Spans        int `json:"spans"`
	WithVersion  int `json:"with_version"`
	WithInstance int `json:"with_instance"`
	// Logs is how many log records it sent, WithTrace how many of them belonged
	// to a trace.
	Logs      int `json:"logs"`
	WithTrace int `json:"with_trace"`
	// BrokenParents is how many of its spans name a parent that never came: the
	// caller's span was lost, or context was not passed on. BrokenRoots is how
	// many requests that entered here did.
	BrokenParents int `json:"broken_parents"`
	BrokenRoots   int `json:"broken_roots"`
	// DroppedSpans is how many spans its SDK says it dropped, DroppedItems how
	// many attributes, events and links were left out of those that came.
	DroppedSpans int `json:"dropped_spans"`
	DroppedItems int `json:"dropped_items"`
	// Truncated and Skewed are requests that entered here and were cut, or whose
	// clocks disagree.
	Truncated int `json:"truncated"`
	Skewed    int `json:"skewed"`
	// Flags is how many flag evaluations it reported.
	Flags int `json:"flags"`
	// Changes is how many changes were reported for it, Inferred how many Eddy
	// had to find out.
	Changes  int `json:"changes"`
	Inferred int `json:"inferred"`
	// Silent is how many of its calls went to each target that sends no spans
	// and is no store, cache or queue.
	Silent map[string]int `json:"silent,omitempty"`
}

// NewCoverage returns empty counts that cover one to two periods; a period of
// 0 means 15 minutes.
func NewCoverage(period time.Duration) *Coverage {
	if period <= 0 {
		period = 15 * time.Minute
	}
	return &Coverage{period: period, current: newTally(), previous: newTally(), counters: make(map[string]float64)}
}

func newTally() tally {
	return tally{
		services: make(map[string]*ServiceCoverage),
		changes:  make(map[telemetry.ChangeKind]int),
		reported: make(map[string]int),
		inferred: make(map[string]int),
	}
}

// turn drops what is older than two periods.
func (c *Coverage) turn(now time.Time) {
	switch age := now.Sub(c.turned); {
	case c.turned.IsZero():
		c.turned = now
	case age >= 2*c.period:
		c.current, c.previous, c.turned = newTally(), newTally(), now
	case age >= c.period:
		c.current, c.previous, c.turned = newTally(), c.current, now
	}
}

func (t *tally) service(name string) *ServiceCoverage {
	s := t.services[name]
	if s == nil {
		if len(t.services) >= maxServices {
			return &ServiceCoverage{} // counted for nobody
		}
		s = &ServiceCoverage{Service: name}
		t.services[name] = s
	}
	return s
}

// Add counts requests.
func (c *Coverage) Add(now time.Time, requests ...request.Request) {
	c.turn(now)
	for i := range requests {
		c.current.add(&requests[i])
	}
}

func (t *tally) add(r *request.Request) {
	t.requests++
	entry := t.service(r.Entry.Service)
	entry.Requests++
	if r.Gaps.MissingRoot {
		t.rootless++
		entry.BrokenRoots++
	}
	if r.Gaps.Truncated {
		entry.Truncated++
	}
	if r.Gaps.SkewedSpans > 0 {
		entry.Skewed++
	}
	s := entry
	for i, span := range r.Spans {
		if span.Resource.Service != s.Service {
			s = t.service(span.Resource.Service)
		}
		s.Spans++
		if span.Resource.Version != "" {
			s.WithVersion++
		}
		if span.Resource.Instance != "" {
			s.WithInstance++
		}
		s.DroppedItems += int(span.Dropped)
		s.Flags += flagsOn(span)
		t.flags += flagsOn(span)
		if span.Kind == telemetry.KindClient && !answered(r.Spans, i) {
			s.silent(span)
		}
	}
	if r.Gaps.MissingParents > 0 {
		t.broken(r)
	}
}

// silent counts a call that nothing answered.
func (s *ServiceCoverage) silent(span *telemetry.Span) {
	t := graph.TargetOf(span)
	if t.Name == "" || t.Kind != graph.Peer {
		return
	}
	if s.Silent == nil {
		s.Silent = make(map[string]int)
	}
	if _, ok := s.Silent[t.Name]; ok || len(s.Silent) < maxTargets {
		s.Silent[t.Name]++
	}
}

// broken counts the spans of a request whose parent never came, for the
// service that sent them: the break is on the way to it.
func (t *tally) broken(r *request.Request) {
	ids := make(map[telemetry.SpanID]struct{}, len(r.Spans))
	for _, s := range r.Spans {
		ids[s.ID] = struct{}{}
	}
	for _, s := range r.Spans[1:] {
		if _, ok := ids[s.Parent]; !ok {
			t.service(s.Resource.Service).BrokenParents++
		}
	}
}

func flagsOn(s *telemetry.Span) int {
	n := 0
	if _, ok := evaluationOf(s.Attributes); ok {
		n++
	}
	for _, e := range s.Events {
		if _, ok := evaluationOf(e.Attributes); ok {
			n++
		}
	}
	return n
}

// AddLogs counts log records.
func (c *Coverage) AddLogs(now time.Time, logs []*telemetry.Log) {
	c.turn(now)
	for _, l := range logs {
		if l == nil || l.Resource == nil {
			continue
		}
		s := c.current.service(l.Resource.Service)
		s.Logs++
		if !l.Trace.IsZero() {
			s.WithTrace++
		}
		if !isEvaluation(l) {
			continue
		}
		s.Flags++
		c.current.flags++
		if l.Trace.IsZero() {
			c.current.unjoined++
		}
	}
}

// AddPoints counts the spans that SDKs and collectors say they dropped.
func (c *Coverage) AddPoints(now time.Time, points []*telemetry.Point) {
	c.turn(now)
	for _, p := range points {
		if p == nil || p.Resource == nil || !countsLoss(p) {
			continue
		}
		if n := c.increase(p); n >= 1 && n < 1e9 {
			c.current.service(p.Resource.Service).DroppedSpans += int(n)
		}
	}
}

// countsLoss reports whether a point counts spans that were dropped: an SDK's
// (otel.sdk.*) when it says with which error, or a collector's (otelcol_*).
func countsLoss(p *telemetry.Point) bool {
	switch p.Name {
	case "otel.sdk.processor.span.processed", "otel.sdk.exporter.span.exported":
		_, failed := p.Attributes.Get(attr.ErrorType)
		return failed
	case "otelcol_exporter_enqueue_failed_spans", "otelcol_exporter_send_failed_spans",
		"otelcol_receiver_refused_spans", "otelcol_processor_refused_spans":
		return true
	}
	return false
}

// increase is how much a counter grew since its last point. The first point of
// a counter that counts on tells of the time before, and grew by nothing.
func (c *Coverage) increase(p *telemetry.Point) float64 {
	if !p.Cumulative {
		return p.Value
	}
	var b strings.Builder
	for _, part := range []string{p.Resource.Service, p.Resource.Instance, p.Name} {
		b.WriteString(part + "\x00")
	}
	for _, a := range p.Attributes {
		b.WriteString(a.Key + "\x00" + a.Value + "\x00")
	}
	last, known := c.counters[b.String()]
	if !known && len(c.counters) >= 10_000 {
		return 0
	}
	c.counters[b.String()] = p.Value
	switch {
	case !known:
		return 0
	case p.Value < last:
		return p.Value // the emitter began anew
	}
	return p.Value - last
}

// AddChanges counts changes.
func (c *Coverage) AddChanges(now time.Time, changes ...*telemetry.Change) {
	c.turn(now)
	for _, ch := range changes {
		if ch == nil {
			continue
		}
		if ch.Origin == telemetry.OriginReported {
			c.current.changes[ch.Kind]++
			count(c.current.reported, ch.Entity, 1)
		}
		if ch.Origin == telemetry.OriginInferred && ch.Kind == telemetry.ChangeDeploy {
			count(c.current.inferred, ch.Entity, 1)
		}
	}
}

// count adds n to a name, unless there are too many names.
func count(m map[string]int, name string, n int) {
	if _, ok := m[name]; ok || len(m) < maxServices {
		m[name] += n
	}
}

// Report returns the figures of each service, by name.
func (c *Coverage) Report() []ServiceCoverage {
	t := c.sum()
	out := make([]ServiceCoverage, 0, len(t.services))
	for _, s := range t.services {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b ServiceCoverage) int { return cmp.Compare(a.Service, b.Service) })
	return out
}

// sum adds the two periods up.
func (c *Coverage) sum() tally {
	t := newTally()
	for _, o := range []*tally{&c.previous, &c.current} {
		t.requests += o.requests
		t.rootless += o.rootless
		t.flags += o.flags
		t.unjoined += o.unjoined
		for k, n := range o.changes {
			t.changes[k] += n
		}
		for name, n := range o.reported {
			t.reported[name] += n
		}
		for name, n := range o.inferred {
			t.inferred[name] += n
		}
		for name, s := range o.services {
			t.service(name).add(s)
		}
	}
	for name, s := range t.services {
		s.Changes, s.Inferred = t.reported[name], t.inferred[name]
	}
	return t
}

func (s *ServiceCoverage) add(o *ServiceCoverage) {
	s.Requests += o.Requests
	s.Spans += o.Spans
	s.WithVersion += o.WithVersion
	s.WithInstance += o.WithInstance
	s.Logs += o.Logs
	s.WithTrace += o.WithTrace
	s.BrokenParents += o.BrokenParents
	s.BrokenRoots += o.BrokenRoots
	s.DroppedSpans += o.DroppedSpans
	s.DroppedItems += o.DroppedItems
	s.Truncated += o.Truncated
	s.Skewed += o.Skewed
	s.Flags += o.Flags
	for _, target := range slices.Sorted(maps.Keys(o.Silent)) {
		if s.Silent == nil {
			s.Silent = make(map[string]int)
		}
		if _, ok := s.Silent[target]; ok || len(s.Silent) < maxTargets {
			s.Silent[target] += o.Silent[target]
		}
	}
}
