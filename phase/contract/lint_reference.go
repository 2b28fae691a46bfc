package contract

import (
	"fmt"
	"maps"
	"slices"
)

// references wants every name that is used to be one that exists.
func (l *linter) references() {
	c := l.c
	l.phase("spec.initial", c.Initial)
	for i, t := range c.Transitions {
		l.phase(fmt.Sprintf("spec.transitions[%d].from", i), t.From)
		l.phase(fmt.Sprintf("spec.transitions[%d].to", i), t.To)
	}
	for _, name := range c.ActionNames() {
		l.known("spec.actions."+name+".requires", "permission", c.Actions[name].Requires, c.permissionNames())
	}
	l.roleReferences()
	for i, p := range c.Pairings {
		field := fmt.Sprintf("spec.pairings[%d]", i)
		l.phase(field+".actual", p.Actual)
		l.phase(field+".believed", p.Believed)
		l.known(field+".role", "consumer", p.Role, names(c.Roles.Consumers, func(r Consumer) string { return r.Name }))
	}
	producers := names(c.Roles.Producers, func(r Producer) string { return r.Name })
	for i, k := range c.Announce.Keys {
		field := fmt.Sprintf("spec.announce.keys[%d]", i)
		l.phases(field+".phases", k.Phases)
		for j, role := range k.Roles {
			l.known(fmt.Sprintf("%s.roles[%d]", field, j), "producer", role, producers)
		}
	}
	if c.Exclusivity != nil {
		l.phases("spec.exclusivity.phases", c.Exclusivity.Phases)
	}
	for _, p := range slices.Sorted(maps.Keys(c.Stability.Debounce)) {
		l.phase("spec.stability.debounce."+string(p), p)
	}
	for _, p := range slices.Sorted(maps.Keys(c.Stability.MinDwell)) {
		l.phase("spec.stability.minDwell."+string(p), p)
	}
	if hold := c.Stability.Flap.Hold; hold != "" {
		l.phase("spec.stability.flap.hold", hold)
	}
	for _, dimension := range slices.Sorted(maps.Keys(c.Compatibility)) {
		l.compatibilityReferences("spec.compatibility."+dimension, c.Compatibility[dimension])
	}
}

func (l *linter) roleReferences() {
	actions := l.c.ActionNames()
	for i, r := range l.c.Roles.Producers {
		l.phases(fmt.Sprintf("spec.roles.producers[%d].announces", i), r.Announces)
	}
	for i, r := range l.c.Roles.Consumers {
		field := fmt.Sprintf("spec.roles.consumers[%d]", i)
		for _, action := range slices.Sorted(maps.Keys(r.Does)) {
			l.known(field+".does."+action, "action", action, actions)
			l.phases(field+".does."+action, r.Does[action])
		}
		for j, action := range r.Unknown.Does {
			l.known(fmt.Sprintf("%s.unknown.does[%d]", field, j), "action", action, actions)
		}
	}
}

func (l *linter) compatibilityReferences(field string, k Compatibility) {
	list := func(field, what string, used, exist []string) {
		for i, name := range used {
			l.known(fmt.Sprintf("%s[%d]", field, i), what, name, exist)
		}
	}
	for _, program := range slices.Sorted(maps.Keys(k.Readers)) {
		list(field+".readers."+program, "version", k.Readers[program], k.Versions)
	}
	kinds := append(slices.Sorted(maps.Keys(k.Writes)), k.Versions...)
	for _, program := range slices.Sorted(maps.Keys(k.Writers)) {
		list(field+".writers."+program, "version or kind of write", k.Writers[program], kinds)
	}
	for _, kind := range slices.Sorted(maps.Keys(k.Writes)) {
		list(field+".writes."+kind, "version", k.Writes[kind], k.Versions)
	}
	for _, p := range slices.Sorted(maps.Keys(k.Phases)) {
		in := field + ".phases." + string(p)
		l.phase(in, p)
		list(in+".readers", "reader", k.Phases[p].Readers, slices.Sorted(maps.Keys(k.Readers)))
		list(in+".writers", "writer", k.Phases[p].Writers, slices.Sorted(maps.Keys(k.Writers)))
	}
}

func (l *linter) phase(field string, p PhaseName) {
	l.known(field, "phase", string(p), names(l.c.Phases, func(p Phase) string { return string(p.Name) }))
}

func (l *linter) phases(field string, list []PhaseName) {
	for i, p := range list {
		l.phase(fmt.Sprintf("%s[%d]", field, i), p)
	}
}

func (l *linter) known(field, what, name string, exist []string) {
	if !slices.Contains(exist, name) {
		l.add("L03", field, fmt.Sprintf("there is no %s %s", what, name), "want "+suggestion(name, exist))
	}
}

func names[T any](list []T, name func(T) string) []string {
	var all []string
	for _, item := range list {
		all = append(all, name(item))
	}
	return all
}
