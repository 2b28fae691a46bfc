package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// acceptsNew is the permission that new work needs.
const acceptsNew = "accepts_new"

// misroutedWithin is how long after an announcement arrivals are counted for F1, and
// misroutedLeast how many there must be.
const (
	misroutedWithin = time.Minute
	misroutedLeast  = 3
)

// An arrival is new work that met a subject which takes none.
type arrival struct {
	at    time.Time
	trace telemetry.TraceID
	role  string
}

// mismatched is from when to when interactions did not fit an epoch.
type mismatched struct{ first, last time.Time }

// Requests takes in requests that were completed. Each must be given once.
func (m *Monitor) Requests(now time.Time, done []request.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.began.IsZero() {
		m.began = now
	}
	for i := range done {
		m.request(&done[i])
	}
}

// request looks at the spans of one.
func (m *Monitor) request(r *request.Request) {
	var said verdict
	processed := 0
	for _, s := range r.Spans {
		if s.Kind == telemetry.KindServer || s.Kind == telemetry.KindConsumer {
			processed++
		}
		own := saysPhases(s)
		if own {
			m.arrived(s, r, &said)
		}
		if own || s.Attributes.First(attr.ErrorType) == attr.ErrorTypeSchema {
			m.exchanged(s, r, &said)
		}
	}
	m.calls(r, &said)
	m.processed(r.Start, processed)
	m.spend(r, &said)
}

// A verdict is what the spans of one request say about phases.
type verdict struct {
	flipped bool         // one did not fit, was refused, or was forbidden
	touched []subjectKey // subjects that it went to
}

func (v *verdict) touch(key subjectKey) {
	if key.subject != "" && !slices.Contains(v.touched, key) {
		v.touched = append(v.touched, key)
	}
}

// arrived takes a span that says something about phases.
func (m *Monitor) arrived(s *telemetry.Span, r *request.Request, said *verdict) {
	if s.Attributes.First(attr.FenceVerdict) == attr.FenceStale {
		said.flipped = true
	}
	key := subjectKey{s.Attributes.First(attr.PhaseContract), s.Attributes.First(attr.PhaseSubject)}
	said.touch(key)
	emitted, ok := s.Attributes.Get(attr.PhaseVerdict)
	if !ok || key.subject == "" {
		return // the caller's side
	}
	i, epoch := interactionOf(s)
	v := contract.Verdict(emitted)
	c := m.lookup(key.contract)
	annotated := v != contract.VerdictUnannotated
	if c != nil && annotated {
		v = c.Judge(i)
	}
	m.habit(caller{key.contract, callerOf(s, r)}, s.Start, annotated)
	t := m.timeline(key, s.Start)
	if t == nil {
		return
	}
	t.alive = later(t.alive, s.Start)
	t.actual, t.since = max(t.actual, epoch), later(t.since, s.Start)
	if v == contract.VerdictMismatch || v == contract.VerdictRefused {
		said.flipped = true
		t.mismatch(epoch, s.Start)
	}
	if c == nil || c.Actions[i.Action].Requires != acceptsNew {
		return
	}
	permission := c.Permits(i.Actual, i.Action)
	afterGrace := permission == contract.Grace && (annotated && v != contract.VerdictTolerated || !annotated && i.Since > c.Propagation.Bound)
	if permission == contract.Deny || afterGrace {
		var fits bool
		if t.bad, fits = insertArrival(t.bad, arrival{s.Start, s.Trace, i.Role}); !fits {
			m.dropped++
		}
	}
}

// interactionOf reads an interaction from the server's span, and the epoch in force.
func interactionOf(s *telemetry.Span) (contract.Interaction, uint64) {
	since, _ := strconv.ParseInt(s.Attributes.First(attr.PhaseActualSince), 10, 64) // 0 if it does not say
	epoch, _ := strconv.ParseUint(s.Attributes.First(attr.PhaseActualEpoch), 10, 64)
	believed := s.Attributes.First(attr.PhaseBelieved)
	return contract.Interaction{
		Role: s.Attributes.First(attr.PhaseRole), Action: s.Attributes.First(attr.PhaseAction),
		Actual: contract.PhaseName(s.Attributes.First(attr.PhaseActual)), Since: time.Duration(since) * time.Millisecond,
		Believed: contract.PhaseName(believed), Known: believed != "" && believed != "?",
	}, epoch
}

// callerOf is the service whose span is the parent, or the service itself if that
// did not come.
func callerOf(s *telemetry.Span, r *request.Request) string {
	for _, list := range [][]*telemetry.Span{r.Spans, r.Upstream} {
		for _, p := range list {
			if p.ID == s.Parent && s.Parent != (telemetry.SpanID{}) {
				return p.Resource.Service
			}
		}
	}
	return "callers of " + s.Resource.Service
}

// insertArrival puts an arrival in its place; false if the oldest had to go for it.
func insertArrival(list []arrival, a arrival) ([]arrival, bool) {
	at, _ := slices.BinarySearchFunc(list, a, func(a, b arrival) int { return a.at.Compare(b.at) })
	list = slices.Insert(list, at, a)
	if len(list) > maxArrivals {
		return list[1:], false
	}
	return list, true
}

// mismatch widens the time in which interactions did not fit an epoch.
func (t *timeline) mismatch(e uint64, at time.Time) {
	s, ok := t.shown[e]
	if !ok || at.Before(s.first) {
		s.first = at
	}
	s.last = later(s.last, at)
	t.shown[e] = s
}

// misrouted finds F1, drain misrouting:
//
//	three or more new requests at a subject that takes none, in grace after the
//	bound or in a phase that denies them, within 60 s of one announcement;
//	or the failed part of M2 over five minutes above its target
//
// The first is counted from spans, which name the subject, and from the counters,
// which are exact and do not. The second leaves out what was late and tolerated: a
// rollout of several pods whose routers all learn of it within the bound may well be
// above the target with it, and nothing is wrong. It holds when the lower end of the
// 95 % interval is above the target, so that one late request of ten is not enough.
func (m *Monitor) misrouted(w telemetry.Window) []Finding {
	var found []Finding
	named := make(map[string]bool)
	for key, t := range m.subjects {
		if f, ok := m.misroutedAt(key, t, w); ok {
			found = append(found, f)
			named[key.contract] = true
		}
	}
	for _, id := range m.known() {
		if named[id] {
			continue
		}
		if f, ok := m.misroutedByCounters(id, w); ok {
			found = append(found, f)
		} else if f, ok := m.aboveTarget(id, w); ok {
			found = append(found, f)
		}
	}
	return found
}

// misroutedAt counts the arrivals at one subject.
func (m *Monitor) misroutedAt(key subjectKey, t *timeline, w telemetry.Window) (Finding, bool) {
	var best []arrival
	var at time.Time
	for _, e := range t.numbers() {
		begin := t.epochs[e].announced
		if begin.IsZero() || begin.Add(misroutedWithin).Before(w.Start) || begin.After(w.End) {
			continue
		}
		within := between(t.bad, begin, begin.Add(misroutedWithin))
		if len(within) > len(best) {
			best, at = within, begin
		}
	}
	if len(best) < misroutedLeast {
		return Finding{}, false
	}
	f := Finding{
		Code: DrainMisrouting, Contract: key.contract, Subject: key.subject, Since: best[0].at, Until: best[len(best)-1].at,
		Text: fmt.Sprintf("drain misrouting: %d new requests met %s when it took none, within 60 s of the announcement of %s", len(best), key.subject, clock(at)),
		For:  []string{fmt.Sprintf("they arrived from %s to %s, after the time of grace or in a phase that denies them", clock(best[0].at), clock(best[len(best)-1].at))},
	}
	roles := make(map[string]int)
	for _, a := range best {
		roles[a.role]++
		f.Traces = addTrace(f.Traces, a.trace)
	}
	if n := roles[""]; n > 0 {
		f.Missing = append(f.Missing, fmt.Sprintf("%d of them did not say who sent them: their callers do not use the package", n))
	}
	return f, true
}

func between(list []arrival, from, to time.Time) []arrival {
	i := slices.IndexFunc(list, func(a arrival) bool { return !a.at.Before(from) })
	if i < 0 {
		return nil
	}
	j := slices.IndexFunc(list[i:], func(a arrival) bool { return !a.at.Before(to) })
	if j < 0 {
		return list[i:]
	}
	return list[i : i+j]
}

// misroutedByCounters counts in buckets after each announcement of a contract.
func (m *Monitor) misroutedByCounters(id string, w telemetry.Window) (Finding, bool) {
	c := m.lookup(id)
	if c == nil {
		return Finding{}, false
	}
	var most float64
	var at time.Time
	var who string
	for key, e := range m.epochs {
		if key.contract != id || e.committed.IsZero() || e.committed.Add(misroutedWithin).Before(w.Start) || e.committed.After(w.End) {
			continue
		}
		_, failed := m.drain(id, telemetry.Window{Start: e.committed.Truncate(bucketSize), End: e.committed.Add(misroutedWithin)})
		if failed > most || failed == most && failed > 0 && (e.committed.Before(at) || e.committed.Equal(at) && key.subject < who) {
			most, at, who = failed, e.committed, key.subject
		}
	}
	if most < misroutedLeast {
		return Finding{}, false
	}
	f := Finding{
		Code: DrainMisrouting, Contract: id, Since: at, Until: at.Add(misroutedWithin),
		Text:    fmt.Sprintf("drain misrouting: %.0f new requests met a subject when it took none, within 60 s of the announcement of %s", most, clock(at)),
		For:     []string{fmt.Sprintf("the counters of the services grew by %.0f after the time of grace or in a phase that denies new work", most), "the announcement was of " + who},
		Missing: []string{"which subject it was: counters name none, and no span of the kind came"},
	}
	return f, true
}

// aboveTarget compares M2 over five minutes with its target.
func (m *Monitor) aboveTarget(id string, w telemetry.Window) (Finding, bool) {
	c := m.lookup(id)
	if c == nil || c.SLO.M2 <= 0 {
		return Finding{}, false
	}
	m2, failed := m.drain(id, telemetry.Window{Start: w.End.Add(-5 * time.Minute), End: w.End})
	low, _ := interaction.Wilson(failed, m2.Of)
	if !m2.Known || low <= c.SLO.M2 {
		return Finding{}, false
	}
	return Finding{
		Code: DrainMisrouting, Contract: id, Since: w.End.Add(-5 * time.Minute), Until: w.End,
		Text:    fmt.Sprintf("drain misrouting: %.0f of %.0f new requests met a subject that takes none, after the time of grace or refused", failed, m2.Of),
		For:     []string{fmt.Sprintf("over five minutes that is %.2f %%, at least %.2f %% (95 %%), and the target of M2 is %.2f %%", 100*failed/m2.Of, 100*low, 100*c.SLO.M2)},
		Against: tolerated(m2.Part - failed),
		Missing: []string{"which subjects they are: counters name none"},
	}, true
}

// tolerated says how many more were late and in time.
func tolerated(n float64) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%.0f more came late and within the time of grace", n)}
}

// caller is a service that acts on the subjects of a contract.
type caller struct{ contract, service string }

// habit is how many of its interactions said what it believes, in one bucket.
type habit struct{ annotated, not float64 }

func (m *Monitor) habit(who caller, at time.Time, annotated bool) {
	minutes := m.callers[who]
	if minutes == nil {
		if len(m.callers) >= maxSubjects {
			m.dropped++
			return
		}
		minutes = make(map[int64]habit)
		m.callers[who] = minutes
	}
	bucket := at.Truncate(bucketSize).Unix()
	h := minutes[bucket]
	if annotated {
		h.annotated++
	} else {
		h.not++
	}
	minutes[bucket] = h
}

// unannotated finds F5 d, a missing announcement: a service whose interactions of
// the last five minutes do not say what it believes, three or more and clearly more
// than one in twenty, though before them, within the hour, 95 % of twenty or more
// did.
func (m *Monitor) unannotated(w telemetry.Window) []Finding {
	const least, usual = 20, 0.95
	split := w.End.Add(-5 * time.Minute)
	var found []Finding
	for who, minutes := range m.callers {
		var before, after habit
		var since time.Time
		for at, h := range minutes {
			t := time.Unix(at, 0)
			switch {
			case !t.Before(w.End):
			case t.Before(split):
				before.annotated, before.not = before.annotated+h.annotated, before.not+h.not
			default:
				after.annotated, after.not = after.annotated+h.annotated, after.not+h.not
				if h.not > 0 && (since.IsZero() || t.Before(since)) {
					since = t
				}
			}
		}
		all, now := before.annotated+before.not, after.annotated+after.not
		low, _ := interaction.Wilson(after.not, now)
		if all < least || before.annotated < usual*all || after.not < 3 || low <= 1-usual {
			continue
		}
		found = append(found, Finding{
			Code: MissingAnnouncement, Contract: who.contract, Subject: who.service, Service: who.service, Since: since, Until: w.End,
			Text: fmt.Sprintf("missing announcement: %s does not say any more what it believes, on %.0f of %.0f interactions of the last five minutes", who.service, after.not, now),
			For:  []string{fmt.Sprintf("before that %.0f of %.0f said so", before.annotated, all)},
		})
	}
	return found
}
