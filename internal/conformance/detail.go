package conformance

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/wire"
)

// Detail is what to look at when a phase went wrong.
type Detail struct {
	// Timelines have the phases of each subject, Splits the times in which its
	// consumers did not agree, Propagation how long news took, Overlaps what was
	// written while two led, Duplicates the jobs that were done again, Met who acted on
	// which belief where it was not the phase in force.
	Timelines   []Timeline    `json:"timelines"`
	Splits      []Split       `json:"splits"`
	Propagation []Propagation `json:"propagation"`
	Overlaps    []Overlap     `json:"overlaps"`
	Duplicates  []Duplicate   `json:"duplicates"`
	Met         []Met         `json:"met"`
	// Left is how many subjects are not shown, LeftDuplicates how many jobs.
	Left           int `json:"left,omitempty"`
	LeftDuplicates int `json:"left_duplicates,omitempty"`
}

// A Timeline is which phases a subject was in.
type Timeline struct {
	Contract string `json:"contract,omitempty"`
	Subject  string `json:"subject"`
	Origin   Origin `json:"origin"`
	// Source says who reported phases that are inferred.
	Source string `json:"source,omitempty"`
	Spans  []Held `json:"phases"`
}

// Held is one phase of a timeline.
type Held struct {
	Epoch uint64 `json:"epoch,omitempty"`
	Phase string `json:"phase"`
	// Announced is when it was committed, or reported; Enforced when its producer put
	// it in force; Until when the next one began. Zero is not known.
	Announced time.Time `json:"announced,omitzero"`
	Enforced  time.Time `json:"enforced,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	// Misfits is how many arrivals met the subject in it that it does not take.
	Misfits int `json:"misfits,omitempty"`
}

// A Split is a time in which the consumers of a subject did not all believe in the
// phase that had been announced.
type Split struct {
	Contract string `json:"contract,omitempty"`
	Subject  string `json:"subject"`
	Origin   Origin `json:"origin"`
	Epoch    uint64 `json:"epoch,omitempty"`
	Phase    string `json:"phase"`
	// From is the announcement, To when the last consumer had learnt of it; zero if
	// one has not.
	From      time.Time `json:"from"`
	To        time.Time `json:"to,omitzero"`
	Consumers []Late    `json:"consumers"`
}

// Late is how long one consumer was behind.
type Late struct {
	Consumer string `json:"consumer"`
	Role     string `json:"role,omitempty"`
	// Believed is what it believed before; "" if nothing is known.
	Believed string `json:"believed,omitempty"`
	// Learnt is when it knew, by its own clock, or when the mediator had its
	// acknowledgement; zero if it never did. Seconds is how long that took.
	Learnt  time.Time `json:"learnt,omitzero"`
	Seconds float64   `json:"seconds,omitempty"`
	// Sent is how many calls it made in that time, where that is how it is known.
	Sent   int `json:"sent,omitempty"`
	Broken int `json:"broken,omitempty"`
}

// Who names the consumer, with its role and what it believed before where they are
// known.
func (l Late) Who() string {
	name := l.Consumer
	if l.Role != "" {
		name += " (" + l.Role + ")"
	}
	if l.Believed != "" {
		name += " believed " + l.Believed
	}
	return name
}

// mostShown bounds the subjects of a Detail, and its jobs.
const mostShown = 200

// Detailed is Report with the detail of subjects whose key is the one given, or
// begins so where it ends in *; of all if it is empty. At most 200 are shown, those
// of findings first, then those of which something was heard last.
func (m *Monitor) Detailed(length time.Duration, now time.Time, subject string) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.report(length, now)
	w := telemetry.Window{Start: now.Add(-min(length, keep)), End: now}
	d := &Detail{Timelines: []Timeline{}, Splits: []Split{}, Overlaps: []Overlap{}, Propagation: m.propagation(w), Duplicates: m.twice(w), Met: m.met(w)}
	if n := len(d.Duplicates); n > mostShown {
		d.LeftDuplicates, d.Duplicates = n-mostShown, d.Duplicates[:mostShown]
	}
	urgent := make(map[string]bool)
	for _, f := range r.Findings {
		urgent[f.Subject] = true
	}
	shown := m.shown(w, subject, urgent)
	if len(shown) > mostShown {
		d.Left, shown = len(shown)-mostShown, shown[:mostShown]
	}
	for _, s := range shown {
		d.Timelines = append(d.Timelines, s.timeline(w))
		d.Splits = append(d.Splits, s.splits(m, w)...)
	}
	for _, o := range append(m.overlaps(w), m.inferredOverlaps(w)...) {
		if wire.Selects(subject, o.Subject) {
			d.Overlaps = append(d.Overlaps, o)
		}
	}
	r.Detail = d
	return r
}

// one is a subject to be shown, of either origin.
type one struct {
	key      subjectKey
	said     *timeline
	observed *observed
	last     time.Time
}

// shown are the subjects of which something was heard in the window.
func (m *Monitor) shown(w telemetry.Window, selector string, urgent map[string]bool) []one {
	var list []one
	for key, t := range m.subjects {
		if wire.Selects(selector, key.subject) && (!t.last.Before(w.Start) || urgent[key.subject]) && len(t.epochs) > 0 {
			list = append(list, one{key: key, said: t, last: t.last})
		}
	}
	for p, o := range m.inferred.subjects {
		last := o.states[len(o.states)-1].at
		if wire.Selects(selector, p.key()) && (!last.Before(w.Start) || urgent[p.key()] || selector != "") {
			list = append(list, one{key: subjectKey{p.dimension, p.key()}, observed: o, last: last})
		}
	}
	rank := func(o one) int {
		if urgent[o.key.subject] {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b one) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.last.Compare(a.last), cmp.Compare(a.key.contract, b.key.contract), cmp.Compare(a.key.subject, b.key.subject))
	})
	return list
}

// timeline shows the phases of the window, and the one before.
func (o one) timeline(w telemetry.Window) Timeline {
	t := Timeline{Subject: o.key.subject, Spans: []Held{}}
	if o.said == nil {
		t.Origin, t.Source = Inferred, o.observed.source
		for i, s := range o.observed.states {
			h := Held{Phase: s.phase, Announced: s.at}
			if i+1 < len(o.observed.states) {
				h.Until = o.observed.states[i+1].at
			}
			h.Misfits = len(between(o.observed.bad, s.at, until(h, w)))
			t.Spans = append(t.Spans, h)
		}
	} else {
		t.Origin, t.Contract = Announced, o.key.contract
		for _, e := range o.said.numbers() {
			h := o.said.epochs[e]
			t.Spans = append(t.Spans, Held{Epoch: e, Phase: h.phase, Announced: h.announced, Enforced: h.enforced})
		}
		for i := range t.Spans {
			h := &t.Spans[i]
			if i+1 < len(t.Spans) {
				h.Until = t.Spans[i+1].began()
			}
			h.Misfits = len(between(o.said.bad, h.began(), until(*h, w)))
		}
	}
	t.Spans = slices.DeleteFunc(t.Spans, func(h Held) bool { return !h.Until.IsZero() && h.Until.Before(w.Start) })
	return t
}

// began is when a phase was announced, or else put in force.
func (h Held) began() time.Time {
	if h.Announced.IsZero() {
		return h.Enforced
	}
	return h.Announced
}

func until(h Held, w telemetry.Window) time.Time {
	if h.Until.IsZero() {
		return w.End
	}
	return h.Until
}

// splits are the times in which consumers did not agree.
func (o one) splits(m *Monitor, w telemetry.Window) []Split {
	if o.said == nil {
		return o.observed.splits(w)
	}
	var list []Split
	for _, e := range o.said.numbers() {
		h := o.said.epochs[e]
		if h.announced.IsZero() || !w.Contains(h.announced) {
			continue
		}
		s := Split{Contract: o.key.contract, Subject: o.key.subject, Origin: Announced, Epoch: e, Phase: h.phase, From: h.announced, Consumers: m.behind(o.key, e, h.announced)}
		if len(s.Consumers) == 0 {
			continue
		}
		for _, c := range s.Consumers {
			s.To = later(s.To, c.Learnt)
		}
		if slices.ContainsFunc(s.Consumers, func(c Late) bool { return c.Learnt.IsZero() }) {
			s.To = time.Time{}
		}
		list = append(list, s)
	}
	return list
}

// behind is how long each consumer was: until it observed the epoch or a later one,
// or was known to have.
func (m *Monitor) behind(key subjectKey, e uint64, from time.Time) []Late {
	late := make(map[string]Late)
	for o, list := range m.consumers {
		if o.subjectKey != key || list[0].at.After(from) && list[0].epoch > e {
			continue // it came later
		}
		l := Late{Consumer: o.consumer, Role: list[0].role}
		for _, b := range list {
			switch {
			case b.ended:
			case b.epoch < e:
				l.Believed = b.phase
			case l.Learnt.IsZero():
				l.Learnt = b.at
			}
		}
		late[o.consumer] = l
	}
	if k := m.epochs[epochKey{key, e}]; k != nil {
		for who, at := range k.acks {
			l, known := late[who.consumer]
			if !known || l.Learnt.IsZero() {
				l.Consumer, l.Role, l.Learnt = who.consumer, who.role, at
			}
			late[who.consumer] = l
		}
	}
	list := make([]Late, 0, len(late))
	for _, l := range late {
		if !l.Learnt.IsZero() {
			l.Seconds = max(0, l.Learnt.Sub(from).Seconds())
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Late) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Consumer, b.Consumer)) })
	return list
}

// splits is when callers still sent to an endpoint that terminated.
func (o *observed) splits(w telemetry.Window) []Split {
	at := -1 // the last time that it terminated
	for i, s := range o.states {
		if s.phase == phaseDrain {
			at = i
		}
	}
	if o.place.dimension != dimensionEndpoint || at < 0 || len(o.tails) == 0 || o.states[at].at.After(w.End) {
		return nil
	}
	s := Split{Subject: o.place.key(), Origin: Inferred, Phase: phaseDrain, From: o.states[at].at}
	for _, name := range slices.Sorted(maps.Keys(o.tails)) {
		t := o.tails[name]
		if t.last.Before(s.From) || t.last.Before(w.Start) {
			continue
		}
		s.Consumers = append(s.Consumers, Late{Consumer: name, Believed: phaseActive, Learnt: t.last, Seconds: t.last.Sub(s.From).Seconds(), Sent: t.n, Broken: t.bad})
		s.To = later(s.To, t.last)
	}
	if len(s.Consumers) == 0 {
		return nil
	}
	return []Split{s}
}
