package sim

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Validate says all that is wrong with a model, or nothing.
func (m *Model) Validate() error {
	v := &validation{names: make(map[string]string)}
	if m.Horizon <= 0 {
		v.wrong("horizon", "%v: want more than 0", m.Horizon)
	}
	if m.Warmup < 0 || m.Warmup >= m.Horizon && m.Horizon > 0 {
		v.wrong("warmup", "%v: want 0 or more, and less than the horizon of %v", m.Warmup, m.Horizon)
	}
	for i := range m.Services {
		v.service(m, &m.Services[i])
	}
	if len(m.Workloads) == 0 {
		v.wrong("workload", "none: want at least one, or nothing happens")
	}
	for i := range m.Workloads {
		v.workload(m, &m.Workloads[i])
	}
	for i := range m.Policies {
		v.policy(m, &m.Policies[i])
	}
	for i := range m.Conditions {
		v.condition(m, &m.Conditions[i])
	}
	v.cycles(m)
	return errors.Join(v.errs...)
}

type validation struct {
	names map[string]string // of services and workloads, and what each is
	ids   map[string]bool   // of conditions
	errs  []error
}

func (v *validation) wrong(where, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: "+format, append([]any{where}, args...)...))
}

func (v *validation) name(what, id string) {
	switch {
	case id == "" || strings.ContainsAny(id, " \t\n") || strings.Contains(id, "->"):
		v.wrong(what, "id %q: want a name without spaces and arrows", id)
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

func (v *validation) service(m *Model, s *Service) {
	v.name("service", s.ID)
	where := "service " + s.ID
	if s.Instances < 0 || s.Servers < 0 {
		v.wrong(where, "%d instances with %d servers: want 1 or more of each", s.Instances, s.Servers)
	}
	if err := s.ServiceTime.validate(); err != nil {
		v.wrong(where, "service_time: %w", err)
	}
	v.queue(where, s.Queue)
	v.share(where, "error", s.Error)
	if !(s.Speed >= 0) || math.IsInf(s.Speed, 0) {
		v.wrong(where, "speed %v: want more than 0", s.Speed)
	}
	for _, c := range s.Calls {
		if _, ok := m.service(c.To); !ok {
			v.wrong(where, "calls %q: no service has this id", c.To)
		}
		v.share(where, "prob of the call to "+c.To, c.Prob)
		if c.Count < 0 {
			v.wrong(where, "count %d of the call to %s: want 1 or more", c.Count, c.To)
		}
	}
}

func (v *validation) queue(where string, q Queue) {
	switch q.Discipline {
	case "", FIFO, LIFO:
	default:
		v.wrong(where, "queue discipline %q: want %s or %s", q.Discipline, FIFO, LIFO)
	}
	if q.Bound < 0 || q.DropMargin < 0 {
		v.wrong(where, "queue bound %d, drop_margin %v: want 0 or more", q.Bound, q.DropMargin)
	}
}

func (v *validation) workload(m *Model, w *Workload) {
	v.name("workload", w.ID)
	where := "workload " + w.ID
	if _, ok := m.service(w.Entry); !ok {
		v.wrong(where, "entry %q: no service has this id", w.Entry)
	}
	if w.Patience < 0 {
		v.wrong(where, "patience %v: want 0 or more", w.Patience)
	}
	if err := w.Rate.validate(); err != nil {
		v.wrong(where, "rate: %w", err)
	}
}

func (r Rate) validate() error {
	if !(r.Const >= 0) || math.IsInf(r.Const, 0) {
		return fmt.Errorf("%v a second: want 0 or more", r.Const)
	}
	return nil
}

func (v *validation) policy(m *Model, p *Policy) {
	where := "policy " + p.From + "->" + p.To
	if !m.edge(p.From, p.To) {
		v.wrong(where, "nothing calls along this edge")
	}
	if p.Timeout < 0 || p.Retry.Delay < 0 || p.Retry.Backoff.Base < 0 || p.Retry.Backoff.Cap < 0 {
		v.wrong(where, "timeout %v, delay %v, backoff %v to %v: want 0 or more",
			p.Timeout, p.Retry.Delay, p.Retry.Backoff.Base, p.Retry.Backoff.Cap)
	}
	switch p.Retry.Backoff.Jitter {
	case "", NoJitter, FullJitter:
	default:
		v.wrong(where, "jitter %q: want %s or %s", p.Retry.Backoff.Jitter, NoJitter, FullJitter)
	}
	if !(p.Retry.Budget.Ratio >= 0 && p.Retry.Budget.Burst >= 0) {
		v.wrong(where, "budget of ratio %v and burst %v: want 0 or more", p.Retry.Budget.Ratio, p.Retry.Budget.Burst)
	}
	if err := p.Network.validate(); err != nil {
		v.wrong(where, "network: %w", err)
	}
}

// edge reports whether one calls the other.
func (m *Model) edge(from, to string) bool {
	if i, ok := m.workload(from); ok {
		return m.Workloads[i].Entry == to
	}
	if i, ok := m.service(from); ok {
		for _, c := range m.Services[i].Calls {
			if c.To == to {
				return true
			}
		}
	}
	return false
}

func (v *validation) condition(m *Model, c *Condition) {
	where := "condition " + c.ID
	if c.ID == "" {
		v.wrong("condition", "one without an id")
	}
	if v.ids[c.ID] {
		v.wrong(where, "there are two with this id")
	}
	if v.ids == nil {
		v.ids = make(map[string]bool)
	}
	v.ids[c.ID] = true
	switch c.Kind {
	case KindLoad, KindFault, KindPhase, KindLease, KindDeploy, KindConfig, KindFlag, KindPolicy, KindCron, KindDNS, KindScale, KindTelemetry:
	default:
		v.wrong(where, "kind %q: want load, fault, phase, lease, deploy, config, flag, policy, cron, dns, scale or telemetry", c.Kind)
	}
	for _, w := range c.Windows {
		if w.From < 0 || w.To != 0 && w.To < w.From {
			v.wrong(where, "window from %v to %v: want 0 <= from <= to", w.From, w.To)
		}
	}
	for _, list := range [][]Setting{c.Apply, c.Revert} {
		for _, s := range list {
			if err := m.trySetting(c.Target, s); err != nil {
				v.wrong(where, "%w", err)
			}
		}
	}
}

// trySetting applies a setting to a copy of its target.
func (m *Model) trySetting(target string, s Setting) error {
	if i, ok := m.service(target); ok {
		spec := m.Services[i]
		return spec.set(s.Param, s.Value)
	}
	if i, ok := m.workload(target); ok {
		spec := m.Workloads[i]
		return spec.set(s.Param, s.Value)
	}
	if from, to, ok := strings.Cut(target, "->"); ok && m.edge(from, to) {
		spec := m.policy(from, to)
		return spec.set(s.Param, s.Value)
	}
	return fmt.Errorf("target %q: want a service, a workload, or an edge as \"from->to\"", target)
}

// cycles refuses services that call each other in a ring: a request would go
// round until all servers are held.
func (v *validation) cycles(m *Model) {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(m.Services))
	var visit func(i int, path []string)
	visit = func(i int, path []string) {
		path = append(path, m.Services[i].ID)
		state[i] = open
		for _, c := range m.Services[i].Calls {
			j, ok := m.service(c.To)
			if !ok {
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
