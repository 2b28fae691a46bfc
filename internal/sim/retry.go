package sim

import (
	"math"
	"time"
)

// deposit pays for a first attempt into the budget for retries.
func (d *edge) deposit(g *gate) {
	if b := &d.spec.Retry.Budget.Tokens; b.on() {
		g.tokens = math.Min(b.Burst, g.tokens+b.Ratio)
	}
}

func (b *TokenBudget) on() bool { return b.Ratio > 0 || b.Burst > 0 }

// retries reports whether a call may make another attempt, and takes it from the
// budget of tokens.
func (d *edge) retries(c *call) bool {
	r := &d.spec.Retry
	if c.detached {
		return false
	}
	if r.MaxAttempts >= 0 && int(c.attempt) >= max(r.MaxAttempts, 1) {
		return false
	}
	if r.MaxDuration > 0 && d.sim.engine.now-c.started > Time(r.MaxDuration) {
		return false
	}
	if r.Budget.Tokens.on() {
		g := d.gate(c.caller)
		if g.tokens < 1 {
			d.count.Denied++
			return false
		}
		g.tokens--
	}
	return true
}

// permits reports whether the budget of what is under way lets a retry through,
// when its delay is over.
func (d *edge) permits(g *gate) bool {
	b := &d.spec.Retry.Budget.Inflight
	if b.MaxRate == 0 {
		return true
	}
	least := b.MinConcurrency
	if least == 0 {
		least = 3
	}
	if g.retries >= least && float64(g.retries) > b.MaxRate*float64(g.calls+g.retries) {
		d.count.Denied++
		return false
	}
	return true
}

// backoff is how long to wait before the next attempt.
func (d *edge) backoff(c *call) Time {
	r := &d.spec.Retry
	wait := Time(r.Delay)
	if r.Backoff.Base > 0 {
		most := r.Backoff.Cap
		if most == 0 {
			most = math.MaxInt64
		}
		b := min(r.Backoff.Base, most)
		for k := int32(1); k < c.attempt && b < most; k++ {
			b = min(2*b, most)
		}
		if r.Backoff.Jitter == FullJitter {
			key := d.sim.requests.at(c.req).key
			b = time.Duration(draw(key, forBackoff, int(d.id), int(c.attempt)) * float64(b))
		}
		wait += Time(b)
	}
	return wait
}
