package conformance

import (
	"maps"
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// spent is what was asked for, and what failed, in one bucket.
type spent struct{ requests, failed, flipped, joined float64 }

func (s *spent) add(o spent) {
	s.requests, s.failed, s.flipped, s.joined = s.requests+o.requests, s.failed+o.failed, s.flipped+o.flipped, s.joined+o.joined
}

// ledger is how the budget was spent: by buckets of ten seconds for an hour, and by
// hours for a month. Requests that may have failed because of a phase are held
// apart for two hours, since what comes later decides about them; then they are
// settled.
type ledger struct {
	buckets, hours map[int64]spent
	suspects       []suspect // by time
	flipped        map[telemetry.TraceID]time.Time
}

// suspect is a request that failed, does not say itself that a phase was the reason,
// and went to a subject with an error such as that subject's phases cause.
type suspect struct {
	at       time.Time
	subjects []subjectKey
}

func newLedger() ledger {
	return ledger{buckets: make(map[int64]spent), hours: make(map[int64]spent), flipped: make(map[telemetry.TraceID]time.Time)}
}

func (l *ledger) add(at time.Time, s spent) {
	put := func(book map[int64]spent, size time.Duration) {
		bucket := at.Truncate(size).Unix()
		sum := book[bucket]
		sum.add(s)
		book[bucket] = sum
	}
	put(l.buckets, bucketSize)
	put(l.hours, time.Hour)
}

func (l *ledger) forget(now time.Time) {
	maps.DeleteFunc(l.buckets, func(at int64, _ spent) bool { return now.Sub(time.Unix(at, 0)) > keep+bucketSize })
	maps.DeleteFunc(l.hours, func(at int64, _ spent) bool { return now.Sub(time.Unix(at, 0)) > month+time.Hour })
	maps.DeleteFunc(l.flipped, func(_ telemetry.TraceID, at time.Time) bool { return now.Sub(at) > keep })
}

// spend takes a request into the ledger.
func (m *Monitor) spend(r *request.Request, said *verdict) {
	s := spent{requests: 1}
	if r.Outcome == request.Failed {
		s.failed = 1
		if said.flipped {
			s.flipped = 1
		}
	}
	m.ledger.add(r.Start, s)
	if s.flipped > 0 && len(m.ledger.flipped) < maxSuspects {
		m.ledger.flipped[r.ID.Trace] = r.Start
	}
	if s.failed == 0 || said.flipped {
		return
	}
	var subjects []subjectKey
	for _, key := range said.touched {
		if slices.ContainsFunc(r.Spans, func(s *telemetry.Span) bool { return m.signature(key.contract, s) }) {
			subjects = append(subjects, key)
		}
	}
	if len(subjects) == 0 {
		return
	}
	if len(m.ledger.suspects) >= maxSuspects {
		m.dropped++
		return
	}
	x := suspect{r.Start, subjects}
	at, _ := slices.BinarySearchFunc(m.ledger.suspects, x, func(a, b suspect) int { return a.at.Compare(b.at) })
	m.ledger.suspects = slices.Insert(m.ledger.suspects, at, x)
}

// signature reports whether a span failed as the phases of a contract make it: with
// 503, 504 or a broken connection where it takes new work or not, with a schema
// error where it has a matrix, with a duplicate where one leads.
func (m *Monitor) signature(id string, s *telemetry.Span) bool {
	status, kind, code := s.Attributes.First(attr.HTTPResponseStatusCode), s.Attributes.First(attr.ErrorType), s.Attributes.First(attr.RPCStatusCode)
	drain := slices.Contains([]string{"503", "504"}, status) || slices.Contains([]string{"14", "UNAVAILABLE", "4", "DEADLINE_EXCEEDED"}, code) ||
		slices.Contains([]string{"503", "504", "timeout", "connection_reset", "connection_refused", "connection_error", "unavailable"}, kind)
	schema := kind == attr.ErrorTypeSchema
	duplicate := kind == "duplicate" || kind == "duplicate_key"
	c := m.lookup(id)
	if c == nil {
		return drain || schema || duplicate
	}
	takes := false
	for _, a := range c.Actions {
		takes = takes || a.Requires == acceptsNew
	}
	return takes && drain || len(c.Compatibility) > 0 && schema || c.Exclusivity != nil && duplicate
}

// joins reports whether a suspect went to a subject inside a mismatch interval:
// from the first mismatch of an epoch to the bound after the last.
func (m *Monitor) joins(x suspect) bool {
	return slices.ContainsFunc(x.subjects, func(key subjectKey) bool {
		t := m.subjects[key]
		if t == nil {
			return false
		}
		for _, s := range t.shown {
			if !x.at.Before(s.first) && x.at.Before(s.last.Add(m.bound(key.contract))) {
				return true
			}
		}
		return false
	})
}

// settle decides about suspects of more than an hour ago, before what decides about
// them is forgotten.
func (m *Monitor) settle(now time.Time) {
	for len(m.ledger.suspects) > 0 && now.Sub(m.ledger.suspects[0].at) > keep {
		if x := m.ledger.suspects[0]; m.joins(x) {
			m.ledger.add(x.at, spent{joined: 1})
		}
		m.ledger.suspects = m.ledger.suspects[1:]
	}
}

// A Budget is how much of what may fail failed because of phase flips.
type Budget struct {
	// Since is when counting began, at most 30 days ago. Nothing before is known.
	Since time.Time `json:"since"`
	// Objective is the share of requests that must not fail. Requests and Failed are
	// how many there were, and of those that failed Flipped say in their own trace
	// that a phase did not fit; Joined do not, and failed at a subject while
	// interactions with it did not fit, with an error such as that causes.
	Objective float64 `json:"objective"`
	Requests  float64 `json:"requests"`
	Failed    float64 `json:"failed"`
	Flipped   float64 `json:"flipped"`
	Joined    float64 `json:"joined"`
	// Low and High enclose the share of the budget that flips have used. Known is
	// false without requests.
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Known bool    `json:"known"`
	// Burn5m and Burn1h are how many times faster than the objective allows requests
	// failed because of flips. Alert is "page" if both are above 3, "ticket" if only
	// that of the hour is.
	Burn5m float64 `json:"burn_5m"`
	Burn1h float64 `json:"burn_1h"`
	Alert  string  `json:"alert,omitempty"`
}

// fast is how many times faster than allowed is too fast.
const fast = 3

// budget is, with N the requests of 30 days, B = (1-objective)*N what may fail, D
// those that failed with a mismatch, a refusal, a stale token or a forbidden pair in
// their own trace, and J those that joins,
//
//	M9 in [ D/B, (D+J)/B ]
//	burn = ((D+J)/N) / (1-objective), over 5 min and over 1 h
func (m *Monitor) budget(now time.Time) Budget {
	b := Budget{Since: m.began, Objective: m.objective}
	if !m.counting.IsZero() && m.counting.Before(b.Since) {
		b.Since = m.counting
	}
	if earliest := now.Add(-month); b.Since.Before(earliest) {
		b.Since = earliest
	}
	all := m.ledger.sum(m.ledger.hours, time.Hour, now.Add(-month), now)
	five := m.ledger.sum(m.ledger.buckets, bucketSize, now.Add(-5*time.Minute), now)
	hour := m.ledger.sum(m.ledger.buckets, bucketSize, now.Add(-time.Hour), now)
	for _, x := range m.ledger.suspects {
		if x.at.After(now) || !m.joins(x) {
			continue
		}
		all.joined++
		if !x.at.Before(now.Add(-5 * time.Minute).Truncate(bucketSize)) {
			five.joined++
		}
		if !x.at.Before(now.Add(-time.Hour).Truncate(bucketSize)) {
			hour.joined++
		}
	}
	b.Requests, b.Failed, b.Flipped, b.Joined = all.requests, all.failed, all.flipped, all.joined
	if b.Known = all.requests > 0; b.Known {
		may := (1 - m.objective) * all.requests
		b.Low, b.High = all.flipped/may, (all.flipped+all.joined)/may
	}
	b.Burn5m, b.Burn1h = m.burn(five), m.burn(hour)
	switch {
	case b.Burn5m > fast && b.Burn1h > fast:
		b.Alert = "page"
	case b.Burn1h > fast:
		b.Alert = "ticket"
	}
	return b
}

func (m *Monitor) burn(s spent) float64 {
	if s.requests == 0 {
		return 0
	}
	return (s.flipped + s.joined) / s.requests / (1 - m.objective)
}

// sum adds the buckets that begin in [from, to), and the one that from is in.
func (l *ledger) sum(book map[int64]spent, size time.Duration, from, to time.Time) spent {
	var s spent
	for at, x := range book {
		if t := time.Unix(at, 0); !t.Before(from.Truncate(size)) && t.Before(to) {
			s.add(x)
		}
	}
	return s
}

// Flipped reports whether a request of the last hour failed and says in its own
// trace that a phase did not fit.
func (m *Monitor) Flipped(t telemetry.TraceID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.ledger.flipped[t]
	return ok
}
