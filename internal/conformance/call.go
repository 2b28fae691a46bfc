package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// call is the labels under which calls of services that announce nothing are
// counted.
type call struct {
	service, caller, phase string
	late                   bool // after the bound
	broke                  bool // as it does at a server that stops
}

// assumedBound is how late callers may learn of an endpoint, where no contract has
// a role that observes endpoint slices and says so.
const assumedBound = 5 * time.Second

// endpointBound is that of the contract with the largest.
func (m *Monitor) endpointBound() time.Duration {
	bound := time.Duration(0)
	for _, c := range m.contracts {
		for _, r := range c.Roles.Consumers {
			if r.Observes == contract.ObservesEndpointSlice {
				bound = max(bound, r.AssumedBound)
			}
		}
	}
	if bound == 0 {
		return assumedBound
	}
	return bound
}

// calls looks for calls to endpoints that are followed, and leaves out those of
// which the server says what the caller believes: they are counted as announced.
func (m *Monitor) calls(r *request.Request, said *verdict) {
	f := &m.inferred
	if len(f.services) == 0 {
		return
	}
	answered := make(map[telemetry.SpanID]bool)
	for _, s := range r.Spans {
		if s.Kind != telemetry.KindServer {
			continue
		}
		answered[s.Parent] = true
		if v, ok := s.Attributes.Get(attr.PhaseVerdict); ok && v != string(contract.VerdictUnannotated) {
			continue
		}
		caller := callerOf(s, r)
		if o := f.endpoint(s); o != nil {
			m.called(o, s, caller, said)
		} else if f.services[s.Resource.Service] {
			m.countCall(s.Start, call{service: s.Resource.Service, caller: caller, phase: phaseActive})
		}
	}
	for _, s := range r.Spans {
		if s.Kind != telemetry.KindClient || answered[s.ID] {
			continue
		}
		if o := f.peer(s); o != nil {
			m.called(o, s, s.Resource.Service, said)
		}
	}
}

// called counts one call to an endpoint.
func (m *Monitor) called(o *observed, s *telemetry.Span, caller string, said *verdict) {
	now, known := o.stateAt(s.Start)
	if !known {
		m.countCall(s.Start, call{service: o.place.entity, caller: caller, phase: phaseActive})
		return
	}
	since := s.Start.Sub(now.at)
	c := call{o.place.entity, caller, now.phase, now.phase != phaseActive && since > m.endpointBound(), broken(s)}
	key := subjectKey{subject: o.place.key()}
	said.touch(key)
	if now.phase == phaseDrain || now.phase == phaseShutdown {
		t := o.tails[caller]
		if t.last.Before(now.at) && now.phase == phaseDrain {
			t = tail{} // an instance of the same name, before
		}
		t.last, t.n = later(t.last, s.Start), t.n+1
		if c.broke {
			t.bad++
			said.flipped = true
			o.bad, _ = insertArrival(o.bad, arrival{s.Start, s.Trace, caller}) // the last ones are enough
		}
		o.tails[caller] = t
	}
	m.countCall(s.Start, c)
}

// countCall counts a call in its bucket.
func (m *Monitor) countCall(t time.Time, c call) {
	at := t.Truncate(bucketSize).Unix()
	b := m.inferred.calls[at]
	if b == nil {
		b = make(map[call]float64)
		m.inferred.calls[at] = b
	}
	if _, ok := b[c]; !ok && len(b) >= maxSeries {
		m.dropped++
		return
	}
	b[c]++
}

// broken reports whether a call ended as it does at a server that stops: refused,
// reset, or answered 503 or 504. Other errors are of another kind.
func broken(s *telemetry.Span) bool {
	if code, err := strconv.Atoi(s.Attributes.First(attr.HTTPResponseStatusCode)); err == nil {
		return code == 503 || code == 504
	}
	switch s.Attributes.First(attr.RPCStatusCode) {
	case "":
	case "14", "UNAVAILABLE":
		return true
	default:
		return false
	}
	return s.Kind == telemetry.KindClient && s.Status == telemetry.StatusError
}

// endpointIndicators are M1 and M2 of services that announce nothing, by service:
// a call does not fit when its endpoint takes none any more, or has not for longer
// than the bound.
func (m *Monitor) endpointIndicators(w telemetry.Window) []Indicators {
	byService := make(map[string]*Indicators)
	for at, b := range m.inferred.calls {
		if !w.Contains(time.Unix(at, 0)) {
			continue
		}
		for c, n := range b {
			i := byService[c.service]
			if i == nil {
				i = &Indicators{Contract: "endpoints of " + c.service, Origin: Inferred, Window: w}
				byService[c.service] = i
			}
			i.add(c, n)
		}
	}
	var list []Indicators
	for _, service := range slices.Sorted(maps.Keys(byService)) {
		i := byService[service]
		for _, s := range []*Share{&i.M1, &i.Tolerated, &i.M2} {
			s.Of, s.Coverage, s.Known = i.M1.Of, 1, i.M1.Of > 0
		}
		i.M6, i.M6Lineage = m.inferred.flaps(service, w.End)
		list = append(list, *i)
	}
	return list
}

// add counts calls of one kind.
func (i *Indicators) add(c call, n float64) {
	i.M1.Of += n
	if c.phase == phaseActive {
		return
	}
	i.M2.Part += n
	if c.late || c.broke || c.phase == phaseShutdown {
		i.M1.Part += n
		i.Failed += n
		return
	}
	i.Tolerated.Part += n
}

// flaps is M6 of the endpoints of a service.
func (f *inferred) flaps(service string, now time.Time) (most int, of string) {
	for p, o := range f.subjects {
		if p.entity != service || p.dimension != dimensionEndpoint {
			continue
		}
		n := flipsOfHour(o.steps(), now)
		if n > most || n == most && n > 0 && p.key() < of {
			most, of = n, p.key()
		}
	}
	return most, of
}

// inferredFindings finds failures of services that announce nothing.
func (m *Monitor) inferredFindings(w telemetry.Window) []Finding {
	var found []Finding
	for _, o := range m.inferred.subjects {
		if o.place.dimension == dimensionEndpoint {
			if f, ok := o.misrouted(w); ok {
				found = append(found, f)
			}
		}
		if f, ok := o.flapping(w.End); ok {
			found = append(found, f)
		}
	}
	for _, o := range m.inferredOverlaps(w) {
		f := Finding{
			Code: LeaderOverlap, Origin: Inferred, Subject: o.Subject, Since: o.From, Until: o.To,
			Text:    fmt.Sprintf("leader overlap: the holder of tenure %d wrote until %s, though that of tenure %d wrote from %s on", o.Older, clock(o.To), o.Younger, clock(o.From)),
			Missing: []string{"a token on each write (eddy.fence.token) would say which of them the store accepted in which order"},
		}
		f.witness(o.Writes)
		f.duplicates(m.twice(telemetry.Window{Start: o.From, End: o.To.Add(time.Nanosecond)}))
		found = append(found, f)
	}
	return found
}

// misrouted finds F1 at an endpoint: three or more calls broke within 60 s of its
// first being terminating; or F5, if it went away without ever being that.
func (o *observed) misrouted(w telemetry.Window) (Finding, bool) {
	for i, s := range slices.Backward(o.states) {
		if s.phase != phaseDrain && (s.phase != phaseShutdown || i > 0 && o.states[i-1].phase == phaseDrain) {
			continue
		}
		end := s.at.Add(misroutedWithin)
		if end.Before(w.Start) || s.at.After(w.End) {
			continue
		}
		bad := between(o.bad, s.at, end)
		if len(bad) < misroutedLeast {
			continue
		}
		f := Finding{
			Code: DrainMisrouting, Origin: Inferred, Subject: o.place.key(), Service: o.place.entity, Since: bad[0].at, Until: bad[len(bad)-1].at,
			Text: fmt.Sprintf("drain misrouting: %d calls broke at %s within 60 s of its terminating at %s", len(bad), o.place.key(), clock(s.at)),
			For:  []string{"its endpoint was terminating from " + clock(s.at) + " on" + bySource(o.source)},
		}
		if s.phase == phaseShutdown {
			f.Code = MissingAnnouncement
			f.Text = fmt.Sprintf("missing announcement: %s was gone at %s without terminating first, and %d calls broke at it within 60 s", o.place.key(), clock(s.at), len(bad))
			f.For = []string{"its endpoint was taken away at " + clock(s.at) + bySource(o.source)}
		}
		callers := make(map[string]int)
		for _, a := range bad {
			callers[a.role]++
			f.Traces = addTrace(f.Traces, a.trace)
		}
		for _, name := range slices.Sorted(maps.Keys(callers)) {
			f.For = append(f.For, fmt.Sprintf("%d calls of %s broke, the last at %s", callers[name], name, clock(o.tails[name].last)))
		}
		f.Missing = []string{"what the callers believed: they do not use package phase"}
		return f, true
	}
	return Finding{}, false
}

func bySource(source string) string {
	if source == "" {
		return ""
	}
	return ", says " + source
}

// inferredFlaps is the target of M6 where no contract has one.
const inferredFlaps = 2

// flapping finds F4.
func (o *observed) flapping(now time.Time) (Finding, bool) {
	steps := o.steps()
	since, most, yes := flapping(steps, inferredFlaps, now)
	if !yes {
		return Finding{}, false
	}
	return Finding{
		Code: Flapping, Origin: Inferred, Subject: o.place.key(), Service: o.place.entity, Since: since, Until: now,
		Text: fmt.Sprintf("flapping: its %s went back and forth %d times within an hour, and %d is usually the most", o.place.dimension, most, inferredFlaps),
		For:  flapEvidence(steps, since),
	}, true
}

// inferredOverlaps finds writes of an earlier holder of a lease after those of a later one.
// They are taken to be the leader's where nobody but holders writes: in a service
// whose other instances write too, they tell nothing.
func (m *Monitor) inferredOverlaps(w telemetry.Window) []Overlap {
	var found []Overlap
	places := slices.SortedFunc(maps.Keys(m.inferred.subjects), func(a, b place) int { return cmp.Compare(a.key(), b.key()) })
	for _, p := range places {
		if p.dimension == telemetry.DimensionLease {
			found = append(found, m.inferred.overlaps(m.inferred.subjects[p], w)...)
		}
	}
	return found
}

// stint is what one holder of a lease wrote.
type stint struct {
	holder      string
	first, last time.Time
}

func (f *inferred) overlaps(o *observed, w telemetry.Window) []Overlap {
	tenures := make([]stint, len(o.states))
	for i, s := range o.states {
		tenures[i].holder = s.phase
	}
	services := make(map[string]bool)
	for who := range f.writers {
		if slices.ContainsFunc(tenures, func(t stint) bool { return isHolder(t.holder, who.instance) }) {
			services[who.service] = true
		}
	}
	var writes []Write
	for who, list := range f.writers {
		if !services[who.service] {
			continue
		}
		if !slices.ContainsFunc(tenures, func(t stint) bool { return isHolder(t.holder, who.instance) }) {
			return nil // others write, too
		}
		for _, x := range list {
			if o.assign(tenures, who.instance, x.Time) {
				writes, _ = insertWrite(writes, x)
			}
		}
	}
	var found []Overlap
	for i, older := range tenures {
		for j := i + 1; j < len(tenures); j++ {
			younger := tenures[j]
			if older.last.IsZero() || younger.first.IsZero() || older.holder == younger.holder || older.last.Before(younger.first) || older.last.Before(w.Start) {
				continue
			}
			found = append(found, Overlap{
				Subject: o.place.key(), Origin: Inferred, Older: uint64(i) + 1, Younger: uint64(j) + 1,
				From: younger.first, To: older.last, Writes: writesBetween(writes, younger.first, older.last),
			})
		}
	}
	return found
}

// assign counts a write for the last tenure that its instance had begun; false if it
// had not begun any.
func (o *observed) assign(tenures []stint, instance string, at time.Time) bool {
	for i, s := range slices.Backward(o.states) {
		if s.at.After(at) || !isHolder(s.phase, instance) {
			continue
		}
		t := &tenures[i]
		if t.first.IsZero() || at.Before(t.first) {
			t.first = at
		}
		t.last = later(t.last, at)
		return true
	}
	return false
}
