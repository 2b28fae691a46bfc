package sim

import (
	"math"
	"time"
)

// A CircuitBreaker stops attempts while too many fail. Its fields are those of
// failsafe-go's circuitbreaker, and it decides as that does. It counts the last
// FailureCapacity attempts, or those of the last Period if there is one.
type CircuitBreaker struct {
	FailureThreshold int           // failures that open it; 0: there is no breaker
	FailureCapacity  int           // of how many attempts: FailureThreshold
	FailureRate      float64       // with Period: the share of failures that opens it, instead of a number
	MinExecutions    int           // with Period: of no fewer attempts than this
	Period           time.Duration // attempts of this time count; 0: the last FailureCapacity
	Delay            time.Duration // until it lets some through again: 1 min
	SuccessThreshold int           // successes that close it again: as many as the failures that would open it
	SuccessCapacity  int           // of how many attempts: SuccessThreshold
}

// on reports whether there is a breaker.
func (b *CircuitBreaker) on() bool { return b.FailureThreshold > 0 || b.FailureRate > 0 }

// withDefaults fills in what failsafe-go does.
func (b CircuitBreaker) withDefaults() CircuitBreaker {
	b.FailureCapacity = max(b.FailureCapacity, b.FailureThreshold)
	b.SuccessCapacity = max(b.SuccessCapacity, b.SuccessThreshold)
	if b.Period > 0 && b.FailureRate == 0 && b.MinExecutions == 0 {
		b.MinExecutions = b.FailureThreshold
	}
	if b.Delay == 0 {
		b.Delay = time.Minute
	}
	return b
}

// A breakerState is closed, open or half open.
type breakerState uint8

const (
	breakerClosed breakerState = iota
	breakerOpen
	breakerHalfOpen
)

// A breaker is the state of a CircuitBreaker.
type breaker struct {
	spec    CircuitBreaker
	state   breakerState
	last    outcomes // of the last so many
	period  window   // or of a time
	opened  Time
	permits int
}

func newBreaker(spec CircuitBreaker) breaker {
	b := breaker{spec: spec.withDefaults()}
	b.close()
	return b
}

func (b *breaker) close() {
	b.state = breakerClosed
	b.last = newOutcomes(b.capacity())
	b.period = newWindow(10, b.spec.Period)
}

// capacity is how many attempts it looks at while it is closed.
func (b *breaker) capacity() int { return max(b.spec.MinExecutions, b.spec.FailureCapacity, 1) }

func (b *breaker) open(now Time) {
	if b.state != breakerOpen {
		b.state, b.opened = breakerOpen, now
	}
}

// permit reports whether an attempt may go on.
func (b *breaker) permit(now Time) bool {
	if b.state == breakerOpen {
		if now-b.opened < Time(b.spec.Delay) {
			return false
		}
		b.state = breakerHalfOpen
		b.permits = b.trial()
		b.last = newOutcomes(b.permits)
	}
	if b.state == breakerHalfOpen {
		if b.permits == 0 {
			return false
		}
		b.permits--
	}
	return true
}

// trial is how many attempts it lets through while it is half open.
func (b *breaker) trial() int {
	switch {
	case b.spec.SuccessCapacity > 0:
		return b.spec.SuccessCapacity
	case b.spec.MinExecutions > 0:
		return b.spec.MinExecutions
	}
	return max(b.spec.FailureCapacity, 1)
}

// record takes the outcome of an attempt that was let through.
func (b *breaker) record(now Time, ok bool) {
	if b.state == breakerClosed && b.spec.Period > 0 {
		b.period.record(now, ok)
	} else {
		b.last.record(ok)
	}
	switch b.state {
	case breakerClosed:
		if b.tooMany() {
			b.open(now)
		}
	case breakerHalfOpen:
		b.decide(now)
		b.permits++
	case breakerOpen:
	}
}

func (b *breaker) tooMany() bool {
	fail, all := b.last.failures, b.last.n
	if b.spec.Period > 0 {
		fail, all = b.period.sum.failures, b.period.sum.failures+b.period.sum.successes
	}
	if all < b.spec.MinExecutions {
		return false
	}
	if b.spec.FailureRate > 0 {
		return rate(fail, all) >= b.spec.FailureRate
	}
	return fail >= b.spec.FailureThreshold
}

// decide closes or opens a breaker that is half open.
func (b *breaker) decide(now Time) {
	s := &b.spec
	ok, fail := b.last.n-b.last.failures, b.last.failures
	var closes, opens bool
	switch {
	case s.SuccessThreshold > 0:
		closes, opens = ok >= s.SuccessThreshold, fail > s.SuccessCapacity-s.SuccessThreshold
	case s.FailureRate > 0:
		enough := b.last.n >= s.MinExecutions
		closes, opens = enough && rate(ok, b.last.n) > 1-s.FailureRate, enough && rate(fail, b.last.n) >= s.FailureRate
	default:
		closes, opens = ok > s.FailureCapacity-s.FailureThreshold, fail >= s.FailureThreshold
	}
	switch {
	case closes:
		b.close()
	case opens:
		b.open(now)
	}
}

// rate is a share, rounded to a hundredth as failsafe-go does.
func rate(part, all int) float64 {
	if all == 0 {
		return 0
	}
	return math.Round(float64(part)/float64(all)*100) / 100
}

// outcomes are the last so many.
type outcomes struct {
	ok       []bool
	head     int
	n        int
	failures int
}

func newOutcomes(n int) outcomes { return outcomes{ok: make([]bool, n)} }

func (o *outcomes) record(ok bool) {
	if o.n < len(o.ok) {
		o.n++
	} else if !o.ok[o.head] {
		o.failures--
	}
	if !ok {
		o.failures++
	}
	o.ok[o.head] = ok
	o.head = (o.head + 1) % len(o.ok)
}

// A window counts outcomes of a time, in buckets.
type window struct {
	width   Time
	buckets []tally
	sum     tally
	head    Time // number of the bucket under way
}

// A tally is a number of outcomes.
type tally struct{ successes, failures int }

func newWindow(buckets int, period time.Duration) window {
	if period == 0 {
		return window{}
	}
	return window{width: max(1, Time(period)/Time(buckets)), buckets: make([]tally, buckets)}
}

// expire forgets the buckets that are too old. It is done when something is
// recorded, and not when the sum is read, as in failsafe-go.
func (w *window) expire(now Time) *tally {
	if head := now / w.width; head > w.head {
		n := Time(len(w.buckets))
		for i := range min(n, head-w.head) {
			b := &w.buckets[(w.head+i+1)%n]
			w.sum.successes -= b.successes
			w.sum.failures -= b.failures
			*b = tally{}
		}
		w.head = head
	}
	return &w.buckets[w.head%Time(len(w.buckets))]
}

func (w *window) record(now Time, ok bool) {
	b := w.expire(now)
	if ok {
		b.successes++
		w.sum.successes++
	} else {
		b.failures++
		w.sum.failures++
	}
}
