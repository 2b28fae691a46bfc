package conformance

import (
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// action is one action of a reconciler on a subject.
type action struct {
	at      time.Time
	attempt string
	cause   string
}

// idle are the outcomes of a look at which nothing was done about a subject: it is as
// it should be, or nothing can be done but wait.
func idle(outcome string) bool {
	return slices.Contains([]string{"none", "waiting"}, outcome)
}

// reconciled notes an action. A look without one is none, and the same event twice
// counts once.
func (m *Monitor) reconciled(key subjectKey, l *telemetry.Log) {
	t := m.timeline(key, l.Time)
	if t == nil {
		return
	}
	switch outcome := l.Attributes.First(attr.PhaseOutcome); {
	case outcome == "gave_up":
		t.gaveUp = later(t.gaveUp, l.Time)
		return
	case outcome == "settled":
		t.settled = later(t.settled, l.Time)
		return
	case idle(outcome):
		return
	}
	a := action{l.Time, l.Attributes.First(attr.PhaseAttempt), l.Attributes.First(attr.PhaseCause)}
	list := m.actions[key]
	if slices.Contains(list, a) {
		return
	}
	at, _ := slices.BinarySearchFunc(list, a, func(a, b action) int { return a.at.Compare(b.at) })
	list = slices.Insert(list, at, a)
	if len(list) > maxSteps {
		list = list[1:]
		m.dropped++
	}
	m.actions[key] = list
}

// retries is
//
//	M7(t) = #{actions of the reconciler on one subject in (t-1h, t]}
//
// of the subject of a contract that has most, and which that is.
func (m *Monitor) retries(id string, now time.Time) (most int, of string) {
	for key, list := range m.actions {
		if key.contract != id {
			continue
		}
		n := 0
		for _, a := range list {
			if a.at.After(now.Add(-time.Hour)) && !a.at.After(now) {
				n++
			}
		}
		if n > most || n == most && n > 0 && key.subject < of {
			most, of = n, key.subject
		}
	}
	return most, of
}
