package sim

import "math"

// A Quota is a number of calls that all edges with its name share, such as that
// of an account with a provider: Rate a second, and Burst at once. More are
// refused.
type Quota struct {
	ID          string
	Rate, Burst float64
}

func (v *validation) quota(q *Quota) {
	v.name("quota", q.ID)
	v.atLeast0("quota "+q.ID, "rate, burst", q.Rate, q.Burst)
}

// set gives a parameter a value.
func (q *Quota) set(param string, v any) error {
	switch param {
	case "rate":
		return asNumber(param, v, &q.Rate)
	case "burst":
		return asNumber(param, v, &q.Burst)
	}
	return unknownParam(param, "quota", "rate", "burst")
}

// A quota is what is left of one.
type quota struct {
	sim    *Sim
	base   Quota
	spec   Quota
	tokens float64
	at     Time
}

func (q *quota) apply(over func(instance int, set setter)) {
	q.refill()
	spec := q.base
	over(0, spec.set)
	q.spec = spec
}

func (q *quota) refill() {
	now := q.sim.engine.now
	q.tokens = math.Min(max(q.spec.Burst, 1), q.tokens+q.spec.Rate*float64(now-q.at)/1e9)
	q.at = now
}

// take reports whether there was one left.
func (q *quota) take() bool {
	q.refill()
	if q.tokens < 1 {
		return false
	}
	q.tokens--
	return true
}
