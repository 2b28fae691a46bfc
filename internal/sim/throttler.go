package sim

import "time"

// An AdaptiveThrottler refuses a share of attempts by itself once too many fail:
// max(0, (n - ok/(1-FailureRate)) / (n+1)) of those of the last Period. It is
// failsafe-go's adaptivethrottler, which does not count what it has refused, and
// so sends sqrt(D*C*K) of a demand D to a capacity C, with K = 1/(1-FailureRate).
// With CountRejected it counts that too, as in the SRE book, and sends K*C.
type AdaptiveThrottler struct {
	FailureRate      float64       // above it, it refuses; 0: there is no throttler
	Period           time.Duration // 1 min
	MinExecutions    int           // with fewer it refuses nothing
	MaxRejectionRate float64       // 0.9
	CountRejected    bool
}

func (a AdaptiveThrottler) withDefaults() AdaptiveThrottler {
	if a.Period == 0 {
		a.Period = time.Minute
	}
	if a.MaxRejectionRate == 0 {
		a.MaxRejectionRate = 0.9
	}
	return a
}

// A throttler is the state of an AdaptiveThrottler.
type throttler struct {
	spec AdaptiveThrottler
	past window
}

func newThrottler(spec AdaptiveThrottler) throttler {
	spec = spec.withDefaults()
	return throttler{spec: spec, past: newWindow(20, spec.Period)}
}

// refusal is the share of attempts that it refuses now.
func (t *throttler) refusal() float64 {
	n := t.past.sum.successes + t.past.sum.failures
	if n < t.spec.MinExecutions {
		return 0
	}
	allowed := float64(t.past.sum.successes) / (1 - t.spec.FailureRate)
	return min(max(0, float64(n)-allowed)/float64(n+1), t.spec.MaxRejectionRate)
}

// permit reports whether an attempt may go on; u is a uniform number.
func (t *throttler) permit(now Time, u float64) bool {
	r := t.refusal()
	if r == 0 || r < 1 && r < u {
		return true
	}
	if t.spec.CountRejected {
		t.past.record(now, false)
	}
	return false
}

// record takes the outcome of an attempt that was let through.
func (t *throttler) record(now Time, ok bool) { t.past.record(now, ok) }

// A RateLimiter lets a number of attempts through. It is failsafe-go's
// ratelimiter: smooth if Interval is set, else bursty.
type RateLimiter struct {
	Interval time.Duration // one attempt in each
	Max      int           // so many in each Period
	Period   time.Duration
	MaxWait  time.Duration // who would have to wait longer is refused
}

func (r *RateLimiter) on() bool { return r.Interval > 0 || r.Max > 0 }

// A limiter is the state of a RateLimiter.
type limiter struct {
	spec   RateLimiter
	free   Time // smooth: when the next attempt may go
	left   int  // bursty: of the period, below 0 if later ones are taken
	period int  // the number of the one under way
}

func newLimiter(spec RateLimiter) limiter { return limiter{spec: spec, left: spec.Max} }

// reserve returns how long an attempt must wait, or false if that is too long.
func (l *limiter) reserve(now Time) (Time, bool) {
	if l.spec.Interval > 0 {
		return l.reserveSmooth(now)
	}
	return l.reserveBursty(now)
}

func (l *limiter) reserveSmooth(now Time) (Time, bool) {
	every := Time(l.spec.Interval)
	next := l.free + every
	if now >= l.free {
		next = now/every*every + every
	}
	wait := max(0, next-now-every)
	if wait > Time(l.spec.MaxWait) {
		return 0, false
	}
	l.free = next
	return wait, true
}

func (l *limiter) reserveBursty(now Time) (Time, bool) {
	period := Time(l.spec.Period)
	if n := int(now / period); n > l.period {
		if l.left < 0 {
			l.left += (n - l.period) * l.spec.Max
		} else {
			l.left = l.spec.Max
		}
		l.period = n
	}
	wait := Time(0)
	if l.left < 1 {
		missing := 1 - l.left
		more := (missing - 1) / l.spec.Max // whole periods beyond the next
		wait = Time(l.period+1)*period - now + Time(more)*period
		if wait > Time(l.spec.MaxWait) {
			return 0, false
		}
	}
	l.left--
	return wait, true
}
