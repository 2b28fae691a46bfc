package sim

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A paramError is a setting that does not fit.
func wrongParam(param string, v any, want string) error {
	return fmt.Errorf("%s: %v: want %s", param, v, want)
}

func asNumber(param string, v any, to *float64) error {
	switch n := v.(type) {
	case float64:
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			*to = n
			return nil
		}
	case int:
		*to = float64(n)
		return nil
	}
	return wrongParam(param, v, "a number")
}

func asInt(param string, v any, to *int) error {
	switch n := v.(type) {
	case int:
		*to = n
		return nil
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1e9 {
			*to = int(n)
			return nil
		}
	}
	return wrongParam(param, v, "a whole number")
}

func asBool(param string, v any, to *bool) error {
	if b, ok := v.(bool); ok {
		*to = b
		return nil
	}
	return wrongParam(param, v, "true or false")
}

func asText[T ~string](param string, v any, to *T) error {
	switch s := v.(type) {
	case string:
		*to = T(s)
		return nil
	case T:
		*to = s
		return nil
	}
	return wrongParam(param, v, "a text")
}

func asDuration(param string, v any, to *time.Duration) error {
	switch d := v.(type) {
	case time.Duration:
		*to = d
		return nil
	case string:
		if parsed, err := time.ParseDuration(d); err == nil {
			*to = parsed
			return nil
		}
	}
	return wrongParam(param, v, "a duration, such as 500ms")
}

func asDist(param string, v any, to *Dist) error {
	switch d := v.(type) {
	case Dist:
		*to = d
		return nil
	case time.Duration:
		*to = ConstDist(d)
		return nil
	}
	return wrongParam(param, v, "a distribution")
}

// asCount takes a whole number above 0.
func asCount(param string, v any, to *int) error {
	n := 0
	if err := asInt(param, v, &n); err != nil || n < 1 {
		return wrongParam(param, v, "a whole number of 1 or more")
	}
	*to = n
	return nil
}

// asShare takes a number from 0 to 1.
func asShare(param string, v any, to *float64) error {
	x := -1.0
	if err := asNumber(param, v, &x); err != nil || x < 0 || x > 1 {
		return wrongParam(param, v, "a number from 0 to 1")
	}
	*to = x
	return nil
}

// shortest is how often something may happen again and again at most: what came
// sooner would let hardly any time pass.
const shortest = time.Millisecond

// asPeriod takes a duration after which something happens again.
func asPeriod(param string, v any, to *time.Duration) error {
	d := time.Duration(0)
	if err := asDuration(param, v, &d); err != nil || d < shortest {
		return wrongParam(param, v, "a duration of 1ms or more")
	}
	*to = d
	return nil
}

// asFactor multiplies.
func asFactor(param string, v any, to *float64) error {
	x := -1.0
	if err := asNumber(param, v, &x); err != nil || x < 0 {
		return wrongParam(param, v, "a number of 0 or more")
	}
	*to *= x
	return nil
}

// asHighest takes a share if it is the highest yet.
func asHighest(param string, v any, to *float64) error {
	x := 0.0
	if err := asShare(param, v, &x); err != nil {
		return err
	}
	*to = max(*to, x)
	return nil
}

// queueParams are the parameters of a Queue, for messages.
const queueParams = "queue.discipline, queue.bound, queue.none, queue.drop_expired, queue.drop_margin, queue.target, queue.interval"

func unknownParam(param, what string, known ...string) error {
	return fmt.Errorf("%q: a %s has %s", param, what, strings.Join(known, ", "))
}

// set gives a parameter a value, if it is one of a queue.
func (q *Queue) set(param string, v any) (known bool, err error) {
	switch param {
	case "queue.discipline":
		return true, asText(param, v, &q.Discipline)
	case "queue.bound":
		return true, asInt(param, v, &q.Bound)
	case "queue.none":
		return true, asBool(param, v, &q.None)
	case "queue.drop_expired":
		return true, asBool(param, v, &q.DropExpired)
	case "queue.drop_margin":
		return true, asDuration(param, v, &q.DropMargin)
	case "queue.target":
		return true, asDuration(param, v, &q.Target)
	case "queue.interval":
		return true, asDuration(param, v, &q.Interval)
	}
	return false, nil
}

func (p *Policy) set(param string, v any) error {
	switch param {
	case "timeout":
		return asDuration(param, v, &p.Timeout)
	case "cancel":
		return asBool(param, v, &p.Cancel)
	case "fallback":
		return asBool(param, v, &p.Fallback)
	case "network.delay":
		return asDist(param, v, &p.Network.Delay)
	case "network.loss":
		return asShare(param, v, &p.Network.Loss)
	case "network.request":
		return asNumber(param, v, &p.Network.Request)
	case "network.answer":
		return asNumber(param, v, &p.Network.Answer)
	case "bulkhead.max":
		return asInt(param, v, &p.Bulkhead.Max)
	case "bulkhead.wait":
		return asInt(param, v, &p.Bulkhead.Wait)
	case "bulkhead.max_wait":
		return asDuration(param, v, &p.Bulkhead.MaxWait)
	case "pool.max":
		return asInt(param, v, &p.Pool.Max)
	case "balance.algorithm":
		return asText(param, v, &p.Balance.Algorithm)
	case "balance.ejection.failures":
		return asInt(param, v, &p.Balance.Ejection.Failures)
	case "balance.ejection.max":
		return asShare(param, v, &p.Balance.Ejection.Max)
	case "balance.discovery":
		return asDist(param, v, &p.Balance.Discovery)
	case "retry.max_attempts":
		return asInt(param, v, &p.Retry.MaxAttempts)
	case "retry.max_duration":
		return asDuration(param, v, &p.Retry.MaxDuration)
	case "retry.delay":
		return asDuration(param, v, &p.Retry.Delay)
	case "retry.backoff.base":
		return asDuration(param, v, &p.Retry.Backoff.Base)
	case "retry.backoff.cap":
		return asDuration(param, v, &p.Retry.Backoff.Cap)
	case "retry.backoff.jitter":
		return asText(param, v, &p.Retry.Backoff.Jitter)
	case "retry.budget.tokens.ratio":
		return asNumber(param, v, &p.Retry.Budget.Tokens.Ratio)
	case "retry.budget.tokens.burst":
		return asNumber(param, v, &p.Retry.Budget.Tokens.Burst)
	}
	if known, err := p.setGate(param, v); known {
		return err
	}
	if known, err := p.DNS.set(param, v); known {
		return err
	}
	return unknownParam(param, "edge", "timeout", "cancel", "fallback", "network.delay", "network.loss", "network.request",
		"network.answer", "bulkhead.max", "bulkhead.wait", "bulkhead.max_wait", "pool.max", "balance.algorithm",
		"balance.discovery", "balance.ejection.failures", "balance.ejection.max", "retry.max_attempts", "retry.max_duration",
		"retry.delay", "retry.backoff.base", "retry.backoff.cap", "retry.backoff.jitter", "retry.budget.tokens.ratio",
		"retry.budget.tokens.burst", gateParams)
}

// gateParams are the parameters of the policies that refuse attempts, for
// messages.
const gateParams = "retry.budget.inflight.max_rate, circuit_breaker.failure_threshold, circuit_breaker.failure_capacity, " +
	"circuit_breaker.failure_rate, circuit_breaker.min_executions, circuit_breaker.period, circuit_breaker.delay, " +
	"adaptive_throttler.failure_rate, adaptive_throttler.period, adaptive_throttler.count_rejected, rate_limiter.interval, " +
	"rate_limiter.max, rate_limiter.period, rate_limiter.max_wait, adaptive_limiter.max, adaptive_limiter.prioritized, hedge.delay, dns.ttl, dns.latency, " +
	"dns.error, dns.timeout, dns.negative, dns.serve_stale"

// setGate gives a parameter of a policy that refuses attempts a value.
func (p *Policy) setGate(param string, v any) (known bool, err error) {
	switch param {
	case "retry.budget.inflight.max_rate":
		return true, asShare(param, v, &p.Retry.Budget.Inflight.MaxRate)
	case "circuit_breaker.failure_threshold":
		return true, asInt(param, v, &p.CircuitBreaker.FailureThreshold)
	case "circuit_breaker.failure_capacity":
		return true, asInt(param, v, &p.CircuitBreaker.FailureCapacity)
	case "circuit_breaker.failure_rate":
		return true, asShare(param, v, &p.CircuitBreaker.FailureRate)
	case "circuit_breaker.min_executions":
		return true, asInt(param, v, &p.CircuitBreaker.MinExecutions)
	case "circuit_breaker.period":
		return true, asDuration(param, v, &p.CircuitBreaker.Period)
	case "circuit_breaker.delay":
		return true, asDuration(param, v, &p.CircuitBreaker.Delay)
	case "adaptive_throttler.failure_rate":
		return true, asShare(param, v, &p.AdaptiveThrottler.FailureRate)
	case "adaptive_throttler.period":
		return true, asDuration(param, v, &p.AdaptiveThrottler.Period)
	case "adaptive_throttler.count_rejected":
		return true, asBool(param, v, &p.AdaptiveThrottler.CountRejected)
	case "rate_limiter.interval":
		return true, asDuration(param, v, &p.RateLimiter.Interval)
	case "rate_limiter.max":
		return true, asInt(param, v, &p.RateLimiter.Max)
	case "rate_limiter.period":
		return true, asDuration(param, v, &p.RateLimiter.Period)
	case "rate_limiter.max_wait":
		return true, asDuration(param, v, &p.RateLimiter.MaxWait)
	case "adaptive_limiter.prioritized":
		return true, asBool(param, v, &p.AdaptiveLimiter.Prioritized)
	case "adaptive_limiter.max":
		return true, asInt(param, v, &p.AdaptiveLimiter.Max)
	case "hedge.delay":
		return true, asDuration(param, v, &p.Hedge.Delay)
	}
	return false, nil
}
