package conformance

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// timeline is what is known about the epochs of one subject.
type timeline struct {
	last   time.Time // the last that was heard of it
	alive  time.Time // the last that was heard from it
	epochs map[uint64]*held
	bad    []arrival // that did not fit, oldest first
	shown  map[uint64]mismatched
	actual uint64 // the highest epoch that its own spans said to be in force
	since  time.Time
	// When a reconciler gave the subject up, and when it last found it in order.
	gaveUp, settled time.Time
}

// held is what became of one epoch.
type held struct {
	from, phase         string
	announced, enforced time.Time // zero if they were not
}

// timeline returns the subject's, or nil if no more fit.
func (m *Monitor) timeline(key subjectKey, at time.Time) *timeline {
	t := m.subjects[key]
	if t == nil {
		if len(m.subjects) >= maxSubjects {
			m.dropped++
			return nil
		}
		t = &timeline{epochs: make(map[uint64]*held), shown: make(map[uint64]mismatched)}
		m.subjects[key] = t
	}
	t.last = later(t.last, at)
	return t
}

func (t *timeline) epoch(e uint64) *held {
	if t.epochs[e] == nil {
		t.epochs[e] = &held{}
	}
	return t.epochs[e]
}

func (t *timeline) announce(e uint64, from, to string, at time.Time) {
	h := t.epoch(e)
	h.from, h.phase, h.announced = from, to, at
}

// enforced notes that a producer has put an epoch in force.
func (m *Monitor) enforced(key subjectKey, e uint64, l *telemetry.Log) {
	t := m.timeline(key, l.Time)
	if t == nil || e == 0 {
		return // the initial phase is announced by nobody
	}
	t.alive = later(t.alive, l.Time)
	h := t.epoch(e)
	if h.enforced.IsZero() || l.Time.Before(h.enforced) {
		h.enforced = l.Time
	}
	if h.phase == "" {
		h.phase = l.Attributes.First(attr.PhaseName)
	}
}

// forget drops arrivals of more than an hour ago, and epochs as old, but for the
// last one.
func (t *timeline) forget(now time.Time) {
	for len(t.bad) > 0 && now.Sub(t.bad[0].at) > keep {
		t.bad = t.bad[1:]
	}
	for e, s := range t.shown {
		if now.Sub(s.last) > lookback {
			delete(t.shown, e)
		}
	}
	last := uint64(0)
	for e := range t.epochs {
		last = max(last, e)
	}
	for e, h := range t.epochs {
		if e != last && now.Sub(later(h.announced, h.enforced)) > lookback || e+maxSteps < last {
			delete(t.epochs, e)
		}
	}
}

// numbers are the epochs that are known, in order.
func (t *timeline) numbers() []uint64 {
	return slices.Sorted(maps.Keys(t.epochs))
}

// phaseAt is the phase that was in force at a time, or else the last announced
// one; "" if neither is known.
func (t *timeline) phaseAt(at time.Time) string {
	phase := ""
	for _, e := range t.numbers() {
		h := t.epochs[e]
		from := h.enforced
		if from.IsZero() {
			from = h.announced
		}
		if !from.After(at) && h.phase != "" {
			phase = h.phase
		}
	}
	return phase
}

// unannounced finds F5 a, a missing announcement: a phase in force that nobody
// announced.
func (m *Monitor) unannounced(w telemetry.Window) []Finding {
	var found []Finding
	for key, t := range m.subjects {
		numbers := t.numbers()
		if !slices.ContainsFunc(numbers, func(e uint64) bool { return !t.epochs[e].announced.IsZero() }) {
			continue // the mediator's events do not come here
		}
		for _, e := range numbers {
			h := t.epochs[e]
			if h.announced.IsZero() && !h.enforced.IsZero() && w.End.Sub(h.enforced) > m.bound(key.contract) && w.End.Sub(h.enforced) <= keep {
				found = append(found, Finding{
					Code: MissingAnnouncement, Contract: key.contract, Subject: key.subject, Since: h.enforced, Until: w.End,
					Text: fmt.Sprintf("missing announcement: epoch %d is in force, and was not announced", e),
					For:  []string{fmt.Sprintf("the producer put epoch %d%s in force at %s", e, named(h.phase), clock(h.enforced)), "the mediator told of other epochs of the subject, and not of this one"},
				})
			}
		}
	}
	return found
}

func named(phase string) string {
	if phase == "" {
		return ""
	}
	return ", " + phase + ","
}

// stuck finds announcements that were not put in force in time, which is
//
//	await.atMost, or the wait of the role that takes longest, and the bound
//
// after the commit. A producer says what it has put in force, in events or on its
// spans, and a reconciler says what it has given up; without any of it, it cannot be
// told.
func (m *Monitor) stuck(w telemetry.Window) []Finding {
	var found []Finding
	for key, t := range m.subjects {
		numbers := t.numbers()
		if len(numbers) == 0 {
			continue
		}
		e := numbers[len(numbers)-1]
		h := t.epochs[e]
		limit := m.deadline(key.contract, h)
		given := t.gaveUp.After(h.announced) && t.gaveUp.After(t.settled)
		if h.announced.IsZero() || !h.enforced.IsZero() || t.actual >= e || w.End.Sub(h.announced) <= limit {
			continue
		}
		earlier := slices.ContainsFunc(numbers[:len(numbers)-1], func(e uint64) bool { return !t.epochs[e].enforced.IsZero() })
		behind := t.since.After(h.announced.Add(limit)) // a span said so when it was too late
		if !given && (!earlier && !behind || t.alive.IsZero()) {
			continue
		}
		f := Finding{
			Code: Stuck, Contract: key.contract, Subject: key.subject, Since: h.announced.Add(limit), Until: w.End,
			Text: fmt.Sprintf("stuck: %s was announced at epoch %d %s ago and is not in force; %s is the most it may take", h.phase, e, w.End.Sub(h.announced).Round(time.Second), limit),
			For:  []string{fmt.Sprintf("epoch %d was committed at %s", e, clock(h.announced))},
		}
		if behind {
			f.For = append(f.For, fmt.Sprintf("its spans said at %s that epoch %d is in force", clock(t.since), t.actual))
		}
		if given {
			f.For = append(f.For, "the reconciler gave it up at "+clock(t.gaveUp))
		}
		switch {
		case t.alive.IsZero():
			f.Missing = append(f.Missing, "nothing was ever heard from it")
		case w.End.Sub(t.alive) > time.Minute:
			f.Missing = append(f.Missing, fmt.Sprintf("nothing was heard from it since %s: it may be gone", clock(t.alive)))
		}
		found = append(found, f)
	}
	return found
}

// deadline is how long after its commit an epoch may take to be in force.
func (m *Monitor) deadline(id string, h *held) time.Duration {
	c := m.lookup(id)
	if c == nil {
		return 2 * m.bound(id)
	}
	limit := time.Duration(0)
	if t, ok := c.Transition(contract.PhaseName(h.from), contract.PhaseName(h.phase)); ok {
		limit = t.Await.AtMost
	}
	for _, r := range c.Roles.Consumers {
		limit = max(limit, c.Wait(r))
	}
	return limit + c.Propagation.Bound
}
