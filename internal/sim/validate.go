package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
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
	v.rings()
	return errors.Join(v.errs...)
}

// A validation collects what is wrong.
type validation struct {
	model *Model
	names map[string]string // of nodes and workloads, and what each is
	ids   map[string]bool   // of conditions
	errs  []error
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

// oneOf wants a text to be empty or one of some.
func oneOf[T ~string](v *validation, where, what string, x T, known ...T) {
	if x != "" && !slices.Contains(known, x) {
		v.wrong(where, "%s %q: want one of %q", what, x, known)
	}
}

func (v *validation) service(s *Service) {
	v.name("service", s.ID)
	where := "service " + s.ID
	v.atLeast0(where, "instances, servers", float64(s.Instances), float64(s.Servers))
	v.check(where, "service_time", s.ServiceTime.validate())
	v.queue(where, s.Queue)
	v.share(where, "error", s.Error)
	v.atLeast0(where, "speed, slowdown", s.Speed, float64(s.Slowdown.Above), s.Slowdown.Factor)
	v.check(where, "pause.every", s.Pause.Every.validate())
	v.check(where, "pause.for", s.Pause.For.validate())
	v.check(where, "cold_start.takes", s.ColdStart.Takes.validate())
	v.atLeast0(where, "cold_start.keep_alive", float64(s.ColdStart.KeepAlive))
	v.scale(where, s)
	if len(s.Flags) > maxFlags {
		v.wrong(where, "%d flags: want %d at most", len(s.Flags), maxFlags)
	}
	for _, f := range s.Flags {
		v.share(where, "share of flag "+f.Key, f.Share)
		if f.Key == "" {
			v.wrong(where, "a flag without a key")
		}
	}
}

// calls are checked when all names are known.
func (v *validation) calls(s *Service) {
	where := "service " + s.ID
	for _, c := range s.Calls {
		if what := v.names[c.To]; what == "" || what == "workload" || what == "quota" || what == "lease" {
			v.wrong(where, "calls %q: no service, cache, store or stream has this id", c.To)
		}
		v.share(where, "prob of the call to "+c.To, c.Prob)
		v.atLeast0(where, "count, need of the call to "+c.To, float64(c.Count), float64(c.Need))
		if c.Need > max(c.Count, 1) {
			v.wrong(where, "need %d of the call to %s: want no more than its count of %d", c.Need, c.To, max(c.Count, 1))
		}
	}
}

func (v *validation) queue(where string, q Queue) {
	oneOf(v, where, "queue.discipline", q.Discipline, FIFO, LIFO, AdaptiveLIFO, CoDel, Priority, Sharing)
	v.atLeast0(where, "queue.bound, queue.drop_margin, queue.target, queue.interval",
		float64(q.Bound), float64(q.DropMargin), float64(q.Target), float64(q.Interval))
}

func (v *validation) store(s *Store) {
	v.name("store", s.ID)
	where := "store " + s.ID
	v.atLeast0(where, "servers, connections, shards, replicas, lag, locks", float64(s.Servers), float64(s.Connections),
		float64(s.Shards), float64(s.Replicas), float64(s.Lag), float64(s.Locks))
	v.check(where, "read", s.Read.validate())
	v.check(where, "write", s.Write.validate())
	v.atLeast0(where, "io, speed, slowdown", s.IO.Capacity, s.IO.ReadCost, s.IO.WriteCost, s.Speed, float64(s.Slowdown.Above),
		s.Slowdown.Factor)
	v.share(where, "io.take", s.IO.Take)
	v.share(where, "error", s.Error)
	v.check(where, "keys", s.Keys.validate())
	v.queue(where, s.Queue)
}

func (v *validation) cache(c *Cache) {
	v.name("cache", c.ID)
	where := "cache " + c.ID
	if what := v.names[c.Of]; what != "store" && what != "service" {
		v.wrong(where, "of %q: no store or service has this id", c.Of)
	}
	oneOf(v, where, "policy", c.Policy, LRU, TinyLFU)
	oneOf(v, where, "fill.coalesce", c.Fill.Coalesce, CoalesceNone, CoalesceFlight, CoalesceLease)
	v.check(where, "ttl", c.TTL.validate())
	v.check(where, "keys", c.Keys.validate())
	v.atLeast0(where, "entries, latency, fill.swr, fill.early, flush.stagger", float64(c.Entries), float64(c.Latency),
		float64(c.Fill.SWR), c.Fill.Early, float64(c.Flush.Stagger))
	v.share(where, "flush.fraction", c.Flush.Fraction)
}

func (v *validation) workload(w *Workload) {
	v.name("workload", w.ID)
	where := "workload " + w.ID
	if v.names[w.Entry] != "service" {
		v.wrong(where, "entry %q: no service has this id", w.Entry)
	}
	v.atLeast0(where, "patience, closed, reload", float64(w.Patience), float64(w.Closed), float64(w.Reload))
	v.check(where, "rate", w.Rate.validate())
	v.check(where, "think", w.Think.validate())
	if w.Closed > 0 && w.Think.zero() {
		v.wrong(where, "closed users who do not think: want a think time, or they never let time pass")
	}
	if w.Priority < 0 || w.Priority >= priorities {
		v.wrong(where, "priority %d: want 0 to %d", w.Priority, priorities-1)
	}
	if len(w.Attributes) > 64 {
		v.wrong(where, "%d attributes: want 64 at most", len(w.Attributes))
	}
	for _, a := range w.Attributes {
		v.share(where, "share of attribute "+a.Key, a.Share)
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
	if p.Quota != "" && v.names[p.Quota] != "quota" {
		v.wrong(where, "quota %q: no quota has this id", p.Quota)
	}
	v.atLeast0(where, "bulkhead, pool", float64(p.Bulkhead.Max), float64(p.Bulkhead.Wait), float64(p.Pool.Max))
	v.check(where, "network.delay", p.Network.Delay.validate())
	v.share(where, "network.loss", p.Network.Loss)
	oneOf(v, where, "balance.algorithm", p.Balance.Algorithm, RoundRobin, RandomInstance, TwoChoices, LeastConnections, ConsistentHash,
		ToLeader)
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

func (v *validation) condition(c *Condition) {
	where := "condition " + c.ID
	if c.ID == "" || v.ids[c.ID] {
		v.wrong(where, "want an id that no other condition has")
	}
	v.ids[c.ID] = true
	kinds := []ConditionKind{
		KindLoad, KindFault, KindPhase, KindLease, KindDeploy, KindConfig, KindFlag, KindPolicy, KindCron, KindDNS, KindScale, KindTelemetry,
	}
	if !slices.Contains(kinds, c.Kind) {
		v.wrong(where, "kind %q: want one of %q", c.Kind, kinds)
	}
	oneOf(v, where, "visibility", c.Visibility, VisibleFull, VisibleLate, VisibleNone)
	end := Time(0)
	for _, w := range c.Windows {
		if w.From < 0 || w.To != 0 && w.To < w.From || Time(w.From) < end {
			v.wrong(where, "window from %v to %v: want 0 <= from <= to, and each after the one before", w.From, w.To)
		}
		if end = Time(w.To); w.To == 0 {
			end = Never
		}
	}
	v.check(where, "propagation", c.Propagation.validate())
	v.atLeast0(where, "stagger, drain, restart, late", float64(c.Stagger), float64(c.Drain), float64(c.Restart), float64(c.Late))
	settings := slices.Concat(c.Apply, c.Revert)
	if c.Drain > 0 {
		settings = append(settings, Setting{"draining", true})
	}
	if c.Restart > 0 {
		settings = append(settings, Setting{"down", true})
	}
	set, ok := v.model.setterOf(c.Target)
	if !ok {
		v.wrong(where, "target %q: want a service, a cache, a store, a stream, a quota, a lease, a workload, telemetry, or an edge as \"from->to\"", c.Target)
		return
	}
	for _, s := range settings {
		if err := set(s.Param, s.Value); err != nil {
			v.wrong(where, "%w", err)
		}
	}
}

// setterOf returns what gives parameters of a copy of a target values.
func (m *Model) setterOf(target string) (setter, bool) {
	for _, x := range m.Services {
		if x.ID == target {
			x = x.copy()
			return x.set, true
		}
	}
	for _, x := range m.Stores {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Caches {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Leases {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Quotas {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Streams {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Workloads {
		if x.ID == target {
			return x.set, true
		}
	}
	if target == telemetryTarget {
		x := m.Telemetry
		return x.set, true
	}
	if from, to, ok := strings.Cut(target, "->"); ok && m.edge(from, to) {
		x := m.policy(from, to)
		return x.set, true
	}
	return nil, false
}

// rings refuses services that call each other in a ring: a request would go
// round until all servers are held. A call that is not always made may close one.
func (v *validation) rings() {
	const (
		unseen = iota
		open
		done
	)
	m := v.model
	index := make(map[string]int)
	for i := range m.Services {
		index[m.Services[i].ID] = i
	}
	state := make([]int, len(m.Services))
	var visit func(i int, path []string)
	visit = func(i int, path []string) {
		path = append(path, m.Services[i].ID)
		state[i] = open
		for _, c := range m.Services[i].Calls {
			j, ok := index[c.To]
			if !ok || c.Prob > 0 && c.Prob < 1 {
				continue
			}
			switch state[j] {
			case open:
				v.wrong("service "+m.Services[i].ID, "calls in a ring: %s", strings.Join(append(path, c.To), " -> "))
			case unseen:
				visit(j, path)
			}
		}
		state[i] = done
	}
	for i := range m.Services {
		if state[i] == unseen {
			visit(i, nil)
		}
	}
}
