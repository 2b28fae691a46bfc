package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// A Write is one write that carried a token, or, where phases are inferred, a job
// that was committed or a write without a token.
type Write struct {
	Time time.Time `json:"time"`
	// Holder is the instance that wrote.
	Holder string `json:"holder,omitempty"`
	Token  uint64 `json:"token,omitempty"`
	// Verdict is accepted, stale or unfenced.
	Verdict string            `json:"verdict"`
	Trace   telemetry.TraceID `json:"trace,omitzero"`
	Span    telemetry.SpanID  `json:"span,omitzero"`
}

// tenure is what was written with one token.
type tenure struct {
	first, last time.Time // of accepted writes; zero if there are none
	stale       time.Time // the last one that was refused
	accepted    int
	refused     int
	seen        time.Time // the last write, accepted or not
}

// fenced takes a span of a write that carried a token.
func (m *Monitor) fenced(s *telemetry.Span) {
	subject, ok := s.Attributes.Get(attr.FenceSubject)
	token, err := strconv.ParseUint(s.Attributes.First(attr.FenceToken), 10, 64)
	if !ok {
		return
	}
	w := Write{Time: s.End, Holder: instanceOf(s), Token: token, Verdict: s.Attributes.First(attr.FenceVerdict), Trace: s.Trace, Span: s.ID}
	if err != nil || token == 0 {
		m.inferred.write(serviceOf(s), w)
		return
	}
	list := m.tenures[subject]
	if list == nil && len(m.tenures) >= maxSubjects {
		m.dropped++
		return
	}
	if list == nil {
		list = make(map[uint64]*tenure)
		m.tenures[subject] = list
	}
	t := list[token]
	if t == nil {
		if len(list) >= maxTokens {
			m.dropped++
			return
		}
		t = &tenure{}
		list[token] = t
	}
	if !m.keepWrite(subject, w) {
		return // it was sent twice
	}
	t.take(w)
}

// take counts a write.
func (t *tenure) take(w Write) {
	t.seen = later(t.seen, w.Time)
	if w.Verdict != attr.FenceAccepted {
		t.refused++
		t.stale = later(t.stale, w.Time)
		return
	}
	t.accepted++
	if t.first.IsZero() || w.Time.Before(t.first) {
		t.first = w.Time
	}
	t.last = later(t.last, w.Time)
}

// keepWrite keeps the last writes of a subject; false if it is there already.
func (m *Monitor) keepWrite(subject string, w Write) bool {
	list, fresh := insertWrite(m.writes[subject], w)
	m.writes[subject] = list
	return fresh
}

// insertWrite puts a write in its place; false if the list has it already.
func insertWrite(list []Write, w Write) ([]Write, bool) {
	at, _ := slices.BinarySearchFunc(list, w, func(a, b Write) int { return a.Time.Compare(b.Time) })
	for i := at; i < len(list) && list[i].Time.Equal(w.Time); i++ {
		if list[i] == w {
			return list, false
		}
	}
	list = slices.Insert(list, at, w)
	if len(list) > maxWrites {
		list = list[1:] // the counts of its tenure have it
	}
	return list, true
}

// instanceOf names who emitted a span.
func instanceOf(s *telemetry.Span) string {
	if s.Resource == nil {
		return ""
	}
	return cmp.Or(s.Resource.Instance, s.Resource.Service)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// An Overlap is that two holders of one subject had writes accepted at the same
// time.
type Overlap struct {
	Subject string `json:"subject"`
	Origin  Origin `json:"origin"`
	// Older and Younger are their tokens, or where phases are inferred the place of
	// their tenures, from 1.
	Older   uint64 `json:"older"`
	Younger uint64 `json:"younger"`
	// From and To are the first and the last moment at which both wrote.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Writes are all that were made in that time, by whomever, the last thousand.
	Writes []Write `json:"writes"`
}

// overlaps finds, for tokens t1 < t2 of one subject, intervals [first, last] of
// accepted writes that meet, and accepted writes of t1 after those of t2.
func (m *Monitor) overlaps(w telemetry.Window) []Overlap {
	var found []Overlap
	for _, subject := range slices.Sorted(maps.Keys(m.tenures)) {
		list := m.tenures[subject]
		tokens := slices.Sorted(maps.Keys(list))
		for i, a := range tokens {
			for _, b := range tokens[i+1:] {
				older, younger := list[a], list[b]
				if older.accepted == 0 || younger.accepted == 0 || older.last.Before(w.Start) {
					continue
				}
				if from, to := later(older.first, younger.first), older.last; !to.Before(from) {
					found = append(found, Overlap{Subject: subject, Origin: Announced, Older: a, Younger: b, From: from, To: to, Writes: writesBetween(m.writes[subject], from, to)})
				}
			}
		}
	}
	return found
}

// writesBetween are those of [from, to].
func writesBetween(list []Write, from, to time.Time) []Write {
	out := []Write{}
	for _, w := range list {
		if !w.Time.Before(from) && !w.Time.After(to) {
			out = append(out, w)
		}
	}
	return out
}

// leaders finds F2, leader overlap. Where all writes of an older token after the
// first of a younger one were refused, the fence held: that is low.
func (m *Monitor) leaders(w telemetry.Window) []Finding {
	var found []Finding
	for _, o := range m.overlaps(w) {
		f := Finding{
			Code: LeaderOverlap, Subject: o.Subject, Since: o.From, Until: o.To,
			Text: fmt.Sprintf("leader overlap: writes with token %d were accepted until %s, and with the later token %d from %s on", o.Older, clock(o.To), o.Younger, clock(o.From)),
		}
		f.witness(o.Writes)
		f.duplicates(m.twice(telemetry.Window{Start: o.From, End: o.To.Add(time.Nanosecond)}))
		found = append(found, f)
	}
	for _, subject := range slices.Sorted(maps.Keys(m.tenures)) {
		list := m.tenures[subject]
		tokens := slices.Sorted(maps.Keys(list))
		for i, a := range tokens {
			for _, b := range tokens[i+1:] {
				older, younger := list[a], list[b]
				if younger.accepted == 0 || older.refused == 0 || older.stale.Before(younger.first) || older.last.After(younger.first) || older.stale.Before(w.Start) {
					continue
				}
				f := Finding{
					Code: LeaderOverlap, Severity: Low, Subject: subject, Since: younger.first, Until: older.stale,
					Text:    fmt.Sprintf("leader overlap, fenced: a holder of token %d wrote until %s, after token %d had been used at %s, and was refused", a, clock(older.stale), b, clock(younger.first)),
					Against: []string{"none of the late writes was accepted"},
				}
				f.witness(writesBetween(m.writes[subject], younger.first, older.stale))
				found = append(found, f)
			}
		}
	}
	return found
}

// witness adds the writes of an overlap as evidence.
func (f *Finding) witness(writes []Write) {
	const most = 6
	for i, w := range writes {
		if i < most {
			f.For = append(f.For, w.String())
		}
		f.Traces = addTrace(f.Traces, w.Trace)
	}
	if n := len(writes) - most; n > 0 {
		f.For = append(f.For, fmt.Sprintf("and %d writes more", n))
	}
}

// duplicates adds the jobs that were done again meanwhile.
func (f *Finding) duplicates(list []Duplicate) {
	const most = 5
	if len(list) == 0 {
		return
	}
	var names []string
	for _, d := range list[:min(most, len(list))] {
		names = append(names, d.Job)
	}
	f.For = append(f.For, fmt.Sprintf("jobs that were committed again in that time: %d, such as %s", len(list), strings.Join(names, ", ")))
}

// String is a line for people.
func (w Write) String() string {
	who := cmp.Or(w.Holder, "somebody")
	if w.Token > 0 {
		who += fmt.Sprintf(" with token %d", w.Token)
	}
	return fmt.Sprintf("%s: %s, %s", clock(w.Time), who, w.Verdict)
}

func serviceOf(s *telemetry.Span) string {
	if s.Resource == nil {
		return ""
	}
	return s.Resource.Service
}
