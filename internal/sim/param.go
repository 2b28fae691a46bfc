package sim

import (
	"fmt"
	"math"
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

func (s *Service) set(param string, v any) error {
	switch param {
	case "version":
		return asText(param, v, &s.Version)
	case "servers":
		return asInt(param, v, &s.Servers)
	case "service_time":
		return asDist(param, v, &s.ServiceTime)
	case "speed":
		var factor float64
		if err := asNumber(param, v, &factor); err != nil {
			return err
		}
		s.Speed *= factor
		return nil
	case "error":
		return asNumber(param, v, &s.Error)
	}
	return s.Queue.set(param, v)
}

func (q *Queue) set(param string, v any) error {
	switch param {
	case "queue.discipline":
		return asText(param, v, &q.Discipline)
	case "queue.bound":
		return asInt(param, v, &q.Bound)
	case "queue.none":
		return asBool(param, v, &q.None)
	case "queue.drop_expired":
		return asBool(param, v, &q.DropExpired)
	case "queue.drop_margin":
		return asDuration(param, v, &q.DropMargin)
	}
	return fmt.Errorf("%q: a service has version, servers, service_time, speed, error, "+
		"queue.discipline, queue.bound, queue.none, queue.drop_expired and queue.drop_margin", param)
}

func (w *Workload) set(param string, v any) error {
	switch param {
	case "rate":
		switch r := v.(type) {
		case Rate:
			w.Rate = r
			return nil
		case float64:
			w.Rate = Rate{Const: r}
			return nil
		case int:
			w.Rate = Rate{Const: float64(r)}
			return nil
		}
		return wrongParam(param, v, "a rate")
	case "patience":
		return asDuration(param, v, &w.Patience)
	}
	return fmt.Errorf("%q: a workload has rate and patience", param)
}

func (p *Policy) set(param string, v any) error {
	switch param {
	case "timeout":
		return asDuration(param, v, &p.Timeout)
	case "network":
		return asDist(param, v, &p.Network)
	case "retry.max_attempts":
		return asInt(param, v, &p.Retry.MaxAttempts)
	case "retry.delay":
		return asDuration(param, v, &p.Retry.Delay)
	case "retry.backoff.base":
		return asDuration(param, v, &p.Retry.Backoff.Base)
	case "retry.backoff.cap":
		return asDuration(param, v, &p.Retry.Backoff.Cap)
	case "retry.backoff.jitter":
		return asText(param, v, &p.Retry.Backoff.Jitter)
	case "retry.budget.tokens.ratio":
		return asNumber(param, v, &p.Retry.Budget.Ratio)
	case "retry.budget.tokens.burst":
		return asNumber(param, v, &p.Retry.Budget.Burst)
	}
	return fmt.Errorf("%q: an edge has timeout, network, retry.max_attempts, retry.delay, retry.backoff.base, "+
		"retry.backoff.cap, retry.backoff.jitter, retry.budget.tokens.ratio and retry.budget.tokens.burst", param)
}
