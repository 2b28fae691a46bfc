package conformance

import (
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// timeline is what is known about the epochs of one subject.
type timeline struct {
	last      time.Time
	announced map[uint64]bool
	enforced  map[uint64]time.Time
}

// timeline returns the subject's, or nil if no more fit.
func (m *Monitor) timeline(key subjectKey, at time.Time) *timeline {
	t := m.subjects[key]
	if t == nil {
		if len(m.subjects) >= maxSubjects {
			m.dropped++
			return nil
		}
		t = &timeline{announced: make(map[uint64]bool), enforced: make(map[uint64]time.Time)}
		m.subjects[key] = t
	}
	if at.After(t.last) {
		t.last = at
	}
	return t
}

// enforced notes that a producer has put an epoch in force.
func (m *Monitor) enforced(key subjectKey, e uint64, l *telemetry.Log) {
	t := m.timeline(key, l.Time)
	if t == nil || e == 0 {
		return // the initial phase is announced by nobody
	}
	if _, ok := t.enforced[e]; !ok {
		t.enforced[e] = l.Time
	}
}

// observer is one consumer of one subject.
type observer struct {
	subjectKey
	consumer string
}

// gap is a hole in what a consumer has observed, and since when.
type gap struct {
	before, after uint64
	since         time.Time
}

// seen notes which epoch a consumer believes. One that skips an epoch has missed
// an announcement, as long as it does not come to know a later one without a hole.
func (m *Monitor) seen(key subjectKey, e uint64, l *telemetry.Log) {
	if m.timeline(key, l.Time) == nil {
		return
	}
	o := observer{key, l.Attributes.First(attr.ConsumerID)}
	last, known := m.observed[o]
	if !known && len(m.observed) >= maxSubjects {
		m.dropped++
		return
	}
	if e <= last {
		return
	}
	m.observed[o] = e
	// A lease passes on without waiting for anybody, so there a consumer may come to
	// know two steps at once.
	if c := m.lookup(key.contract); known && e > last+1 && (c == nil || c.Exclusivity == nil) {
		m.gaps[o] = gap{last, e, l.Time}
		return
	}
	delete(m.gaps, o)
}
