package pipeline

import (
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
)

// sightings remember since when requests meet each condition without a gap
// that is longer than the window. They are as many as the dictionary holds
// conditions.
type sightings struct {
	gap   time.Duration
	first int64      // the earliest request on record, Unix nanoseconds
	by    []sighting // by condition.ID
}

// A sighting is the last stretch of time in which a condition was met, in Unix
// nanoseconds.
type sighting struct{ since, last int64 }

// add notes the conditions of an observation. Observations come nearly in the
// order of time.
func (s *sightings) add(o condition.Observation) {
	at := o.Time.UnixNano()
	if s.first == 0 || at < s.first {
		s.first = at
	}
	for _, id := range o.Conditions {
		for int(id) >= len(s.by) {
			s.by = append(s.by, sighting{})
		}
		x := &s.by[id]
		switch {
		case x.last == 0 || at-x.last > int64(s.gap):
			*x = sighting{at, at}
		case at > x.last:
			x.last = at
		case at < x.since && x.since-at <= int64(s.gap):
			x.since = at
		}
	}
}

// asFirst is how long after the first request on record a condition counts as
// one that was there from the start.
const asFirst = 30 * time.Second

// since returns since when a condition is met.
func (s *sightings) since(id condition.ID) incident.Since {
	if int(id) >= len(s.by) || s.by[id].last == 0 {
		return incident.Since{}
	}
	since := s.by[id].since
	return incident.Since{Time: time.Unix(0, since).UTC(), First: since-s.first < int64(asFirst)}
}
