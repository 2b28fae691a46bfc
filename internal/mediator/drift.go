package mediator

import "time"

const (
	// lookEvery is how often what is in force is compared with what was announced.
	lookEvery = time.Second
	// seenToDeclare looks must find a difference before anything is done about it,
	// and agreedToClear in a row must find none before it counts as over: one look
	// may fall into the moment between a commit and its report.
	seenToDeclare = 2
	agreedToClear = 3
	// maxAttempts bounds what is done about one difference. After that only a person
	// can help. The attempts of a subject count together until it was in order for
	// stableTime.
	maxAttempts  = 5
	firstBackoff = time.Second
	longestPause = 30 * time.Second
	stableTime   = time.Minute
)

// A drift is how what is in force differs from what was announced, of one
// subject, over time. The zero value is a subject in order.
type drift struct {
	cause     string
	since     time.Time // of the first look that found it
	seen      int       // looks in a row that found it
	agreed    int       // looks in a row that did not
	declared  bool
	stuck     bool // all attempts were made
	attempts  int
	next      time.Time // no attempt before
	clearedAt time.Time
}

// A step is what follows from a look.
type step uint8

const (
	stepNone step = iota
	stepAttempt
	stepGiveUp
	stepSettled
)

// look takes in what one look found, "" for nothing, and says what to do. There
// is no jitter in the pauses: one process makes all attempts.
func (d drift) look(now time.Time, cause string) (drift, step) {
	if cause == "" {
		return d.inOrder(now)
	}
	if d.seen == 0 && !d.declared {
		d.since = now
	}
	d.cause, d.agreed = cause, 0
	d.seen++
	if d.seen < seenToDeclare && !d.declared {
		return d, stepNone
	}
	d.declared = true
	switch {
	case d.stuck || now.Before(d.next):
		return d, stepNone
	case d.attempts >= maxAttempts:
		d.stuck = true
		return d, stepGiveUp
	}
	d.next = now.Add(min(firstBackoff<<d.attempts, longestPause))
	d.attempts++
	return d, stepAttempt
}

// inOrder is a look that found nothing.
func (d drift) inOrder(now time.Time) (drift, step) {
	d.seen = 0
	if !d.declared {
		if d.attempts > 0 && now.Sub(d.clearedAt) >= stableTime {
			return drift{}, stepNone
		}
		return d, stepNone
	}
	if d.agreed++; d.agreed < agreedToClear {
		return d, stepNone
	}
	d.declared, d.stuck, d.agreed, d.clearedAt = false, false, 0, now
	return d, stepSettled
}

// backoff is the pause before the next attempt.
func (d drift) backoff(now time.Time) time.Duration { return max(d.next.Sub(now), 0) }
