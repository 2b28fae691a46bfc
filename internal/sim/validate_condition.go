package sim

import (
	"slices"
	"strings"
)

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
	v.named(where, "via", c.Via, "distribution")
	if c.Via != "" && (!c.Propagation.zero() || c.Stagger > 0 || c.Drain > 0 || c.Restart > 0) {
		v.wrong(where, "via %q and propagation, stagger, drain or restart: want one or the other to say when instances take it over", c.Via)
	}
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
		v.wrong(where, "target %q: want a service, a cache, a store, a stream, a quota, a lease, a pipeline, an issuer, a distribution, a link, a workload, telemetry, or an edge as \"from->to\"", c.Target)
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
	for _, x := range m.Pipelines {
		if x.ID == target {
			x = x.copy()
			return x.set, true
		}
	}
	for _, x := range m.Issuers {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Distributions {
		if x.ID == target {
			return x.set, true
		}
	}
	for _, x := range m.Links {
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
