package condition

import (
	"slices"
	"strconv"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A StamperConfig says how requests are stamped. The zero value of a field
// means its default.
type StamperConfig struct {
	// Roles decide which attributes are conditions. Default: Eddy's own.
	Roles *Roles
	// MaxConditions is how many conditions an observation has at most. Default
	// 256.
	MaxConditions int
	// MaxDimensions is how many different states are told apart. Default 20,000.
	MaxDimensions int
	// MaxEvaluations is how many flag evaluations from logs wait for their
	// request. Default 100,000.
	MaxEvaluations int
	// MaxWait is how long they wait. Default 5 min.
	MaxWait time.Duration
}

// A Stamper turns requests into observations: it writes down which conditions
// were in force on a request's path. They are
//
//   - the entry: "entry=gateway POST /checkout", and "caller=loadgen" where
//     spans above the entry say who asked, and "attempt=2" where the sender
//     says that it asks again;
//   - whether its service has more requests than usual: "gateway load > 840/s";
//   - for each service on the path, its version, instance, zone and whatever
//     else its resource says: "cart service.version=2.4.0";
//   - which operations were called, "pricing operation=GET /price", and what was
//     called, "cart calls=orders": a request that did not get there does not
//     have them, so a path is told by what is on it, never by what is not;
//   - the flags that were evaluated, by span attributes, span events, or log
//     events of the trace: "pricing flag rounding=banker";
//   - the attributes of spans that are conditions by their role, and for those that
//     measure something the ranges that their numbers lie in, between quantiles of
//     what was seen before: "order payload.bytes > 65000";
//   - the states of the timeline that were in force when the request began, of
//     everything on the path, and of no entity in particular. Where a span says
//     what a state was for this request, the span is believed.
//
// Symptoms and identities are never among them. When there are too many
// conditions for one observation those named last above are left out; when
// there are too many dimensions, new ones are; both are counted. A stamper is
// not safe for concurrent use.
type Stamper struct {
	config    StamperConfig
	timeline  *Timeline
	ledger    ledger
	keys      map[string]key
	resources map[*telemetry.Resource][]stamped
	measures  map[name]*measure
	loads     map[string]*load // by service
	flags     evaluations
	stats     StamperStats

	// What follows is of the current request.
	ids       []ID
	names     []Condition // of ids, for the timeline's sake
	path      []string
	instances []name // service and instance
	above     []*telemetry.Span
}

// StamperStats count what a stamper did since it was made.
type StamperStats struct {
	Observations        uint64 `json:"observations"`
	Conditions          uint64 `json:"conditions"`            // in all observations
	Truncated           uint64 `json:"truncated"`             // observations that hit MaxConditions
	RareValues          uint64 `json:"rare_values"`           // left out: one of too many values
	FreeText            uint64 `json:"free_text"`             // left out: too long, an address or a sentence
	NoNumbers           uint64 `json:"no_numbers"`            // left out: of an attribute that measures something
	RefusedDimensions   uint64 `json:"refused_dimensions"`    // left out: MaxDimensions was hit
	RefusedByDictionary uint64 `json:"refused_by_dictionary"` // left out: the dictionary was full
	Evaluations         uint64 `json:"evaluations"`           // of flags, from logs
	LostEvaluations     uint64 `json:"lost_evaluations"`      // dropped because MaxEvaluations was hit
	UntracedEvaluations uint64 `json:"untraced_evaluations"`  // without a trace id
}

// A stamped is a value with its text.
type stamped struct {
	value *value
	text  string
}

// NewStamper returns a stamper that numbers conditions by dict and asks
// timeline what is in force.
func NewStamper(c StamperConfig, dict *Dictionary, timeline *Timeline) *Stamper {
	if c.Roles == nil {
		c.Roles, _ = NewRoles() // no rules, no error
	}
	c.MaxConditions = orDefault(c.MaxConditions, 256)
	c.MaxDimensions = orDefault(c.MaxDimensions, 20_000)
	c.MaxEvaluations = orDefault(c.MaxEvaluations, 100_000)
	c.MaxWait = orDefault(c.MaxWait, 5*time.Minute)
	s := &Stamper{
		config:    c,
		timeline:  timeline,
		keys:      make(map[string]key),
		resources: make(map[*telemetry.Resource][]stamped),
		measures:  make(map[name]*measure),
		loads:     make(map[string]*load),
		flags:     newEvaluations(c.MaxEvaluations, c.MaxWait),
	}
	s.ledger = ledger{dictionary: dict, dimensions: make(map[name]*dimension), limit: c.MaxDimensions, stats: &s.stats}
	return s
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v > 0 {
		return v
	}
	return fallback
}

// Stats returns what was counted so far.
func (s *Stamper) Stats() StamperStats { return s.stats }

// Logs takes the flag evaluations out of log records, to join them to the
// request of their trace. Logs must be given before the requests of their trace
// are stamped, by MaxWait at most. It is also the stamper's clock: call it once
// a step, with no logs if there are none, so that what is counted ages.
func (s *Stamper) Logs(now time.Time, logs []*telemetry.Log) {
	if s.ledger.age(now) {
		clear(s.resources)
		s.ageMeasures(now)
	}
	s.flags.forget(now)
	for _, l := range logs {
		if !isEvaluation(l) {
			continue
		}
		s.stats.Evaluations++
		e, ok := evaluationOf(l.Attributes)
		switch {
		case !ok:
		case l.Trace.IsZero():
			s.stats.UntracedEvaluations++
		default:
			e.service, e.span, e.at = l.Resource.Service, l.Span, now
			if s.flags.add(l.Trace, e) {
				s.stats.LostEvaluations++
			}
		}
	}
}

// Stamp returns the observation of a request. Its conditions are sorted, each
// once, and its weight is 1.
func (s *Stamper) Stamp(r request.Request) Observation {
	s.begin()
	s.entry(&r)
	s.resourcesOf(r.Spans)
	s.resourcesOf(r.Upstream)
	s.evaluated(r.Spans)
	s.evaluated(r.Upstream)
	s.logged(&r)
	s.calls(r.Spans)
	s.states(r.Start)
	s.loaded(r.Entry.Service, r.Start)
	s.attributes(r.Spans)
	s.attributes(r.Upstream)

	if len(s.ids) > s.config.MaxConditions {
		s.stats.Truncated++
		s.ids = s.ids[:s.config.MaxConditions]
	}
	s.stats.Observations++
	s.stats.Conditions += uint64(len(s.ids))
	ids := slices.Clone(s.ids)
	slices.Sort(ids)
	return Observation{
		Request:    r.ID,
		Entry:      r.Entry,
		Time:       r.Start,
		Duration:   r.Duration,
		Outcome:    r.Outcome,
		Reason:     r.Reason,
		Weight:     1,
		Conditions: slices.Compact(ids),
		Gaps:       r.Gaps,
	}
}

func (s *Stamper) begin() {
	s.ledger.stamp++
	s.ids, s.names, s.path = s.ids[:0], s.names[:0], s.path[:0]
	s.instances = s.instances[:0]
}

// put adds a condition, unless its value is no condition's.
func (s *Stamper) put(entity, dim, text string) {
	if v := s.ledger.value(entity, dim, text); v != nil {
		s.putValue(v, text)
	}
}

func (s *Stamper) putValue(v *value, text string) {
	if id, ok := s.ledger.admit(v, text); ok {
		s.ids = append(s.ids, id)
		s.names = append(s.names, Condition{v.dimension.entity, v.dimension.name, text})
	}
}

func (s *Stamper) entry(r *request.Request) {
	s.put("", "entry", r.Entry.String())
	if n := r.Attempt(); n > 1 {
		s.put("", "attempt", strconv.Itoa(n))
	}
	if len(r.Upstream) > 0 {
		s.put("", "caller", r.Upstream[0].Resource.Service)
	}
}

// resourcesOf adds what the resources of the spans say, and the services to
// the path.
func (s *Stamper) resourcesOf(spans []*telemetry.Span) {
	var last *telemetry.Resource
	for _, span := range spans {
		res := span.Resource
		if res == last {
			continue
		}
		last = res
		s.path = append(s.path, res.Service)
		if res.Instance != "" {
			s.instances = append(s.instances, name{res.Service, res.Instance})
		}
		for _, st := range s.resource(res) {
			s.putValue(st.value, st.text)
		}
	}
}

// resource returns the conditions of a resource, which are kept by its
// pointer: the spans of a batch share it.
func (s *Stamper) resource(res *telemetry.Resource) []stamped {
	list, ok := s.resources[res]
	if ok {
		return list
	}
	list = make([]stamped, 0, 8)
	add := func(dim, text string) {
		if v := s.ledger.value(res.Service, dim, text); v != nil {
			list = append(list, stamped{v, text})
		}
	}
	if res.Version != "" {
		add(attr.ServiceVersion, res.Version)
	}
	if res.Instance != "" {
		add(attr.ServiceInstanceID, res.Instance)
	}
	for _, a := range res.Attributes {
		k := s.key(a.Key)
		if k.role != RoleCondition || k.name == attr.ServiceVersion || k.name == attr.ServiceInstanceID {
			continue
		}
		if a.Value == res.Instance {
			continue // the pod's name, again
		}
		add(k.name, a.Value)
	}
	if len(s.resources) >= 4_096 {
		clear(s.resources)
	}
	s.resources[res] = list
	return list
}

// evaluated adds the flags that spans say were evaluated.
func (s *Stamper) evaluated(spans []*telemetry.Span) {
	for _, span := range spans {
		for _, a := range span.Attributes {
			if s.key(a.Key).flag {
				s.evaluation(span.Resource.Service, span.Attributes)
				break
			}
		}
		for _, e := range span.Events {
			if attr.IsFlagEvent(e.Name) {
				s.evaluation(span.Resource.Service, e.Attributes)
			}
		}
	}
}

func (s *Stamper) evaluation(service string, attributes telemetry.Attributes) {
	if e, ok := evaluationOf(attributes); ok {
		s.put(service, e.dimension(), e.value)
	}
}

// logged adds the flags that log events of the request's traces say were
// evaluated by its spans, or by its services where the log names no span.
func (s *Stamper) logged(r *request.Request) {
	s.join(r.ID.Trace, r.Spans)
	if len(r.Upstream) > 0 {
		s.join(r.Upstream[0].Trace, r.Upstream)
	}
}

func (s *Stamper) join(trace telemetry.TraceID, spans []*telemetry.Span) {
	for _, e := range s.flags.of(trace) {
		if slices.ContainsFunc(spans, func(span *telemetry.Span) bool {
			return span.ID == e.span || (e.span.IsZero() && span.Resource.Service == e.service)
		}) {
			s.put(e.service, e.dimension(), e.value)
		}
	}
}

// calls adds what was called, and what was called there, and the names of what
// was called to the path. A parent stands before its children, so the spans
// above the current one are the last ones that had not been left.
func (s *Stamper) calls(spans []*telemetry.Span) {
	s.above = s.above[:0]
	for i, span := range spans {
		for len(s.above) > 0 && s.above[len(s.above)-1].ID != span.Parent {
			s.above = s.above[:len(s.above)-1]
		}
		var parent *telemetry.Span
		if len(s.above) > 0 {
			parent = s.above[len(s.above)-1]
		}
		s.above = append(s.above, span)
		service := span.Resource.Service
		switch span.Kind {
		case telemetry.KindServer, telemetry.KindConsumer:
			if i > 0 && span.Resource.Service != "" {
				s.put(service, "operation", request.Operation(span))
			}
		case telemetry.KindClient, telemetry.KindProducer:
			t := graph.TargetOf(span)
			if t.Name == "" {
				break
			}
			s.path = append(append(s.path, t.Name), t.Also...)
			if !answered(spans, i) {
				s.put(service, "calls", t.Name)
			}
		case telemetry.KindInternal, telemetry.KindUnspecified:
		}
		if parent != nil && parent.Resource.Service != service {
			s.put(parent.Resource.Service, "calls", service)
		}
	}
}

// answered reports whether another service's span answers the call i: its
// first child follows it.
func answered(spans []*telemetry.Span, i int) bool {
	if i+1 >= len(spans) || spans[i+1].Parent != spans[i].ID {
		return false
	}
	return spans[i+1].Resource.Service != spans[i].Resource.Service
}
