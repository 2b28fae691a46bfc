package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Validate says all that is wrong with a model, or nothing.
func (m *Model) Validate() error {
	v := &validation{model: m, names: make(map[string]string), ids: make(map[string]bool)}
	if m.Horizon <= 0 {
		v.wrong("horizon", "%v: want more than 0", m.Horizon)
	}
	if m.Warmup < 0 || m.Warmup >= m.Horizon && m.Horizon > 0 {
		v.wrong("warmup", "%v: want 0 or more, and less than the horizon of %v", m.Warmup, m.Horizon)
	}
	for i := range m.Quotas {
		v.quota(&m.Quotas[i])
	}
	for i := range m.Issuers {
		v.issuer(&m.Issuers[i])
	}
	for i := range m.Distributions {
		v.distribution(&m.Distributions[i])
	}
	for i := range m.Links {
		v.link(&m.Links[i])
	}
	for i := range m.Services {
		v.service(&m.Services[i])
	}
	for i := range m.Stores {
		v.store(&m.Stores[i])
	}
	for i := range m.Caches {
		v.cache(&m.Caches[i])
	}
	for i := range m.Streams {
		v.stream(&m.Streams[i])
	}
	for i := range m.Leases {
		v.lease(&m.Leases[i])
	}
	for i := range m.Pipelines {
		v.pipeline(&m.Pipelines[i])
	}
	if len(m.Workloads) == 0 {
		v.wrong("workload", "none: want at least one, or nothing happens")
	}
	for i := range m.Workloads {
		v.workload(&m.Workloads[i])
	}
	for i := range m.Services {
		v.calls(&m.Services[i])
	}
	for i := range m.Policies {
		v.policy(&m.Policies[i])
	}
	v.rules()
	v.telemetry(&m.Telemetry)
	for i := range m.Conditions {
		v.condition(&m.Conditions[i])
	}
	return errors.Join(v.errs...)
}

// A validation collects what is wrong.
type validation struct {
	model   *Model
	names   map[string]string // of nodes and workloads, and what each is
	ids     map[string]bool   // of conditions
	effects int               // services that have one
	errs    []error
}

func (v *validation) wrong(where, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: "+format, append([]any{where}, args...)...))
}

// check notes an error about a field.
func (v *validation) check(where, field string, err error) {
	if err != nil {
		v.wrong(where, "%s: %w", field, err)
	}
}

func (v *validation) name(what, id string) {
	switch {
	case id == "" || strings.ContainsAny(id, " \t\n/") || isEdge(id):
		v.wrong(what, "id %q: want a name without spaces, slashes and arrows", id)
	case v.names[id] != "":
		v.wrong(what+" "+id, "there is a %s with this id", v.names[id])
	}
	v.names[id] = what
}

func (v *validation) share(where, what string, x float64) {
	if !(x >= 0 && x <= 1) {
		v.wrong(where, "%s %v: want 0 to 1", what, x)
	}
}

// atLeast0 wants each of some numbers to be finite and not below 0.
func (v *validation) atLeast0(where, what string, xs ...float64) {
	for _, x := range xs {
		if !(x >= 0) || math.IsInf(x, 0) {
			v.wrong(where, "%s %v: want 0 or more", what, x)
		}
	}
}

// period wants a time after which something happens again to be 0, for never or
// another default, or long enough.
func (v *validation) period(where, what string, d time.Duration) {
	if d != 0 && d < shortest {
		v.wrong(where, "%s %v: want 1ms or more", what, d)
	}
}

// oneOf wants a text to be empty or one of some.
func oneOf[T ~string](v *validation, where, what string, x T, known ...T) {
	if x != "" && !slices.Contains(known, x) {
		v.wrong(where, "%s %q: want one of %q", what, x, known)
	}
}

// named wants a name to be that of something of a kind, or empty.
func (v *validation) named(where, field, id, kind string) {
	if id != "" && v.names[id] != kind {
		v.wrong(where, "%s %q: no %s has this id", field, id, kind)
	}
}

func (v *validation) policy(p *Policy) {
	where := "policy " + p.From + "->" + p.To
	if !v.model.edge(p.From, p.To) {
		v.wrong(where, "nothing calls along this edge")
	}
	r := &p.Retry
	v.atLeast0(where, "timeout, retry.max_duration, retry.delay, retry.backoff", float64(p.Timeout), float64(r.MaxDuration),
		float64(r.Delay), float64(r.Backoff.Base), float64(r.Backoff.Cap))
	oneOf(v, where, "retry.backoff.jitter", r.Backoff.Jitter, NoJitter, FullJitter)
	v.atLeast0(where, "retry.budget", r.Budget.Tokens.Ratio, r.Budget.Tokens.Burst, r.Budget.Inflight.MaxRate,
		float64(r.Budget.Inflight.MinConcurrency))
	v.gates(where, p)
	v.dns(where, &p.DNS)
	v.named(where, "quota", p.Quota, "quota")
	v.atLeast0(where, "bulkhead, pool", float64(p.Bulkhead.Max), float64(p.Bulkhead.Wait), float64(p.Bulkhead.MaxWait), float64(p.Pool.Max))
	v.check(where, "network.delay", p.Network.Delay.validate())
	v.share(where, "network.loss", p.Network.Loss)
	v.atLeast0(where, "network.request, network.answer", p.Network.Request, p.Network.Answer)
	v.named(where, "token", p.Token, "issuer")
	v.named(where, "network.link", p.Network.Link, "link")
	oneOf(v, where, "balance.algorithm", p.Balance.Algorithm, RoundRobin, RandomInstance, TwoChoices, LeastConnections, ConsistentHash,
		EWMA, ToLeader)
	e := &p.Balance.Ejection
	v.atLeast0(where, "balance.ejection", float64(e.Failures), float64(e.For))
	v.share(where, "balance.ejection.max", e.Max)
	v.check(where, "balance.discovery", p.Balance.Discovery.validate())
}

// gates checks the policies that refuse attempts.
func (v *validation) gates(where string, p *Policy) {
	b := &p.CircuitBreaker
	v.atLeast0(where, "circuit_breaker", float64(b.FailureThreshold), float64(b.FailureCapacity), float64(b.MinExecutions),
		float64(b.Period), float64(b.Delay), float64(b.SuccessThreshold), float64(b.SuccessCapacity))
	v.share(where, "circuit_breaker.failure_rate", b.FailureRate)
	if b.FailureRate > 0 && b.Period == 0 {
		v.wrong(where, "circuit_breaker.failure_rate without a period: want the time whose attempts count")
	}
	t := &p.AdaptiveThrottler
	v.atLeast0(where, "adaptive_throttler", float64(t.Period), float64(t.MinExecutions))
	v.share(where, "adaptive_throttler.max_rejection_rate", t.MaxRejectionRate)
	if !(t.FailureRate >= 0 && t.FailureRate < 1) {
		v.wrong(where, "adaptive_throttler.failure_rate %v: want 0 or more, and less than 1", t.FailureRate)
	}
	l := &p.RateLimiter
	v.atLeast0(where, "rate_limiter", float64(l.Interval), float64(l.Max), float64(l.Period), float64(l.MaxWait))
	if l.Max > 0 && l.Period == 0 {
		v.wrong(where, "rate_limiter.max without a period: want the time in which so many may go")
	}
	a := &p.AdaptiveLimiter
	v.atLeast0(where, "adaptive_limiter", float64(a.Min), float64(a.Max), float64(a.Initial), a.MaxFactor, float64(a.WindowMin),
		float64(a.WindowMax), float64(a.MinSamples))
	if a.Max > 0 && (a.Min > a.Max || a.Initial > a.Max) {
		v.wrong(where, "adaptive_limiter from %d to %d, at first %d: want min and initial no higher than max", a.Min, a.Max, a.Initial)
	}
	v.atLeast0(where, "hedge.delay", float64(p.Hedge.Delay))
}

func (v *validation) rules() {
	known := make(map[Atom]bool)
	for _, r := range v.model.Rules {
		where := "rule " + r.ID
		if v.names[r.At] != "service" {
			v.wrong(where, "at %q: no service has this id", r.At)
		}
		v.share(where, "prob", r.Prob)
		v.check(where, "slow", r.Slow.validate())
		if r.Error == "" && r.Harm == "" && r.Slow.zero() && !r.Leak {
			v.wrong(where, "does nothing: want error, harm, slow or leak")
		}
		for _, a := range r.When {
			if a.Entity != "" && v.names[a.Entity] == "" {
				v.wrong(where, "when %q: nothing has this id", a.Entity)
			}
			a.Not = false
			known[a] = true
		}
	}
	if len(known) > maxAtoms {
		v.wrong("rules", "ask for %d different things: want %d at most", len(known), maxAtoms)
	}
}

// edge reports whether one calls the other, through a cache or not.
func (m *Model) edge(from, to string) bool {
	for i := range m.Workloads {
		if m.Workloads[i].ID == from {
			return m.Workloads[i].Entry == to
		}
	}
	for i := range m.Streams {
		if m.Streams[i].ID == from {
			return m.Streams[i].To == to
		}
	}
	for i := range m.Services {
		if m.Services[i].ID != from {
			continue
		}
		for _, c := range m.Services[i].Calls {
			if c.To == to {
				return true
			}
			for k := range m.Caches {
				if m.Caches[k].ID == c.To && m.Caches[k].Of == to {
					return true
				}
			}
		}
	}
	return false
}
