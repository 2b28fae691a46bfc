package conformance

import (
	"maps"
	"time"
)

// forget drops what is too old for any window.
func (m *Monitor) forget(now time.Time) {
	old := func(at int64) bool { return time.Unix(at, 0).Add(keep + bucketSize).Before(now) }
	maps.DeleteFunc(m.buckets, func(at int64, _ map[series]float64) bool { return old(at) })
	maps.DeleteFunc(m.schema, func(at int64, _ *exchange) bool { return old(at) })
	maps.DeleteFunc(m.epochs, func(_ epochKey, e *epoch) bool { return now.Sub(e.seen) > keep+10*time.Minute })
	maps.DeleteFunc(m.emitters, func(_ string, e emitted) bool { return now.Sub(e.at) > lookback })
	maps.DeleteFunc(m.jobs, func(_ string, j *job) bool { return now.Sub(j.first()) > lookback })
	for key, steps := range m.lineages {
		for len(steps) > 0 && now.Sub(steps[0].at) > 2*keep {
			steps = steps[1:]
		}
		if m.lineages[key] = steps; len(steps) == 0 {
			delete(m.lineages, key)
		}
	}
	for key, list := range m.actions {
		for len(list) > 0 && now.Sub(list[0].at) > keep {
			list = list[1:]
		}
		if m.actions[key] = list; len(list) == 0 {
			delete(m.actions, key)
		}
	}
	for key, t := range m.subjects {
		t.forget(now)
		if now.Sub(t.last) > lookback {
			delete(m.subjects, key)
		}
	}
	maps.DeleteFunc(m.consumers, func(o observer, _ []belief) bool { return m.subjects[o.subjectKey] == nil })
	for key, minutes := range m.callers {
		maps.DeleteFunc(minutes, func(at int64, _ habit) bool { return old(at) })
		if len(minutes) == 0 {
			delete(m.callers, key)
		}
	}
	m.forgetWrites(now)
	m.forgetPages(now)
	m.ledger.forget(now)
	m.inferred.forget(now)
}

// forgetWrites drops tenures of which nothing was seen for an hour, and writes as
// old.
func (m *Monitor) forgetWrites(now time.Time) {
	for subject, list := range m.tenures {
		maps.DeleteFunc(list, func(_ uint64, t *tenure) bool { return now.Sub(t.seen) > keep })
		if len(list) == 0 {
			delete(m.tenures, subject)
		}
	}
	for subject, list := range m.writes {
		if m.writes[subject] = recent(list, now); len(m.writes[subject]) == 0 {
			delete(m.writes, subject)
		}
	}
}

// recent returns the writes of the last hour.
func recent(list []Write, now time.Time) []Write {
	for len(list) > 0 && now.Sub(list[0].Time) > keep {
		list = list[1:]
	}
	return list
}
