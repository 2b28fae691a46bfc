package sim

import "fmt"

// addTargets lists what conditions can be about, and sets all of it as the model
// says.
func (s *Sim) addTargets() {
	c := &s.conditions
	for _, v := range s.services {
		c.targets = append(c.targets, target{v.base.ID, len(v.stations), v})
	}
	for _, v := range s.stores {
		c.targets = append(c.targets, target{v.base.ID, len(v.stations), v})
	}
	for _, d := range s.edges {
		c.targets = append(c.targets, target{d.from + "->" + d.to, 1, d})
	}
	for _, v := range s.caches {
		c.targets = append(c.targets, target{v.base.ID, 1, v})
	}
	for _, l := range s.leases {
		c.targets = append(c.targets, target{l.base.ID, len(l.specs), l})
	}
	for _, p := range s.pipelines {
		c.targets = append(c.targets, target{p.base.ID, 1, p})
	}
	for _, x := range s.issuers {
		c.targets = append(c.targets, target{x.base.ID, 1, x})
	}
	for _, x := range s.distributions {
		c.targets = append(c.targets, target{x.base.ID, 1, x})
	}
	for _, x := range s.links {
		c.targets = append(c.targets, target{x.base.ID, 1, x})
	}
	for _, q := range s.quotas {
		c.targets = append(c.targets, target{q.base.ID, 1, q})
	}
	for _, v := range s.streams {
		c.targets = append(c.targets, target{v.base.ID, 1, v})
	}
	for _, w := range s.workloads {
		c.targets = append(c.targets, target{w.base.ID, 1, w})
	}
	c.targets = append(c.targets, target{telemetryTarget, 1, s.told})
	for i := range c.targets {
		c.apply(i)
	}
	for _, t := range s.stations {
		t.changes = 0
	}
	for _, v := range s.caches {
		if !v.base.Cold {
			v.warm()
		}
	}
}

func (s *Sim) addConditions() error {
	known := make(map[string]bool)
	for _, spec := range s.model.Conditions {
		known[spec.ID] = true
		k := condition{spec: spec, on: s.settings.has(&spec), late: newSampler(spec.Propagation), bit: s.atoms.bit(Atom{"", "condition", spec.ID, false}), staged: s.model.staged(spec.ID)}
		for _, x := range s.distributions {
			if x.base.ID == spec.Via {
				k.via = x
			}
		}
		for i, t := range s.conditions.targets {
			if t.name == spec.Target {
				k.target, k.units = i, make([]unitState, t.units)
			}
		}
		s.conditions.list = append(s.conditions.list, k)
	}
	for id := range s.settings.On {
		if !known[id] {
			return fmt.Errorf("model %s has no condition %q to switch", s.model.Name, id)
		}
	}
	return nil
}
