package condition

import (
	"strconv"
	"time"
)

// A load is how many requests come in at a service. Whether it is high is told from
// the ten seconds before a request, against what is usual: the median of the ten
// seconds that were seen before, whatever failed in them. A range is a condition:
// "gateway load > 840/s".
type load struct {
	moment int64 // the current ten seconds
	count  float64
	rate   float64 // requests a second in those before
	past   measure // of rates
	usual  float64
	states []string // ranges by timesUsual
}

const (
	momentLength = 10 * time.Second
	// momentsKnown is how many must have been seen for there to be a usual load.
	momentsKnown = 12
	// momentsIdle is after how many without a request a service is forgotten: an hour.
	momentsIdle = 360
	// usualMoved is by what factor the median must differ from the usual load to
	// take its place: conditions should keep their names.
	usualMoved = 1.3
	// longestGap is how many moments without any request count as such; after
	// more of them the service may not have been seen at all.
	longestGap = 30
)

// timesUsual lists from how many times the usual load on it counts as high.
func timesUsual() []float64 { return []float64{1.5, 2, 3} }

// loaded adds the ranges that the load of the entry's service is in, and counts the
// request.
func (s *Stamper) loaded(service string, start time.Time) {
	if service == "" {
		return
	}
	l := s.loads[service]
	if l == nil {
		if len(s.loads) >= mostMeasures {
			s.stats.RefusedDimensions++
			return
		}
		l = &load{moment: start.UnixNano() / int64(momentLength)}
		s.loads[service] = l
	}
	l.reach(start.UnixNano() / int64(momentLength))
	l.count++
	for i, times := range timesUsual() {
		if l.usual > 0 && l.rate > times*l.usual {
			s.put(service, "load", l.states[i])
		}
	}
}

// reach ends the moments before a new one. Requests that come late count for the
// current one.
func (l *load) reach(moment int64) {
	if moment <= l.moment {
		return // the median is had once in ten seconds, not for each request
	}
	for gap := 0; l.moment < moment; gap++ {
		if gap == longestGap {
			*l = load{moment: moment, past: l.past, usual: l.usual, states: l.states}
			return
		}
		l.rate = l.count / momentLength.Seconds()
		l.past.put(l.rate)
		l.count = 0
		l.moment++
	}
	if l.past.total < momentsKnown {
		return
	}
	if m := l.past.valueAt(0.5); l.usual == 0 || m > l.usual*usualMoved || m < l.usual/usualMoved {
		l.usual, l.states = m, nil
		for _, times := range timesUsual() {
			l.states = append(l.states, "> "+strconv.FormatFloat(plain(times*m), 'f', -1, 64)+"/s")
		}
	}
}
