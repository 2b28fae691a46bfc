package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Events of the conditions.
const conditionEdge uint16 = 1 // a window begins or ends

// conditions puts conditions in force and ends them.
type conditions struct {
	sim  *Sim
	ent  uint32
	list []condition
}

// A condition of a run.
type condition struct {
	spec   Condition
	on     bool // whether this run has it
	active int  // windows that are open
	held   bool // somebody has switched it, and its windows count no more
}

// A Toggle is a stretch of a run in which a condition was in force.
type Toggle struct {
	ID       string
	From, To time.Duration // To is the end of the run if it was still in force
}

// begin puts into force what holds from the start, and schedules the rest.
func (c *conditions) begin() {
	e := &c.sim.engine
	for i := range c.list {
		k := &c.list[i]
		if !k.on {
			continue
		}
		if len(k.spec.Windows) == 0 {
			c.turn(k, true)
			continue
		}
		for _, w := range k.spec.Windows {
			e.At(Time(w.From), c.ent, conditionEdge, uint64(i)<<1|1)
			if w.To > 0 {
				e.At(Time(w.To), c.ent, conditionEdge, uint64(i)<<1)
			}
		}
	}
	for _, target := range c.targets() {
		c.apply(target)
	}
}

// targets returns what any condition is about, in their order.
func (c *conditions) targets() []string {
	var out []string
	for _, k := range c.list {
		if !slices.Contains(out, k.spec.Target) {
			out = append(out, k.spec.Target)
		}
	}
	return out
}

// Handle begins or ends a window.
func (c *conditions) Handle(_ *Engine, _ uint16, a uint64) {
	k := &c.list[a>>1]
	if k.held {
		return
	}
	c.turn(k, a&1 == 1)
	c.apply(k.spec.Target)
}

// turn notes that a window of a condition began or ended.
func (c *conditions) turn(k *condition, on bool) {
	now := c.sim.engine.now.Duration()
	if on {
		k.active++
		if k.active == 1 {
			c.sim.toggles = append(c.sim.toggles, Toggle{ID: k.spec.ID, From: now, To: -1})
		}
		return
	}
	k.active--
	if k.active != 0 {
		return
	}
	for i := len(c.sim.toggles) - 1; i >= 0; i-- {
		if t := &c.sim.toggles[i]; t.ID == k.spec.ID {
			t.To = now
			return
		}
	}
}

// apply computes the parameters of a target anew: those of the model, and over
// them the settings of all conditions about it, in the order of the model.
func (c *conditions) apply(target string) {
	s := c.sim
	if from, to, ok := strings.Cut(target, "->"); ok {
		d := s.edgeOf(from, to)
		spec := d.base
		c.overlay(target, -1, spec.set)
		d.refresh(spec)
		return
	}
	for _, w := range s.workloads {
		if w.spec.ID == target {
			spec := w.base
			c.overlay(target, -1, spec.set)
			w.refresh(spec)
			return
		}
	}
	for _, t := range s.stations {
		if t.base.ID == target {
			spec := t.base
			c.overlay(target, t.instance, spec.set)
			t.refresh(spec)
		}
	}
}

// overlay sets what the conditions about a target say. Validate has tried all of
// it, so it cannot fail.
func (c *conditions) overlay(target string, instance int, set func(string, any) error) {
	for i := range c.list {
		k := &c.list[i]
		if k.spec.Target != target || len(k.spec.Instances) > 0 && !slices.Contains(k.spec.Instances, instance) {
			continue
		}
		settings := k.spec.Revert
		if k.on {
			settings = nil
		}
		if k.active > 0 {
			settings = k.spec.Apply
		}
		for _, st := range settings {
			if err := set(st.Param, st.Value); err != nil {
				panic("BUG: condition " + k.spec.ID + ": " + err.Error())
			}
		}
	}
}

// Switch turns a condition on or off from now on, whatever its windows are, as
// somebody does who acts while the system runs.
func (s *Sim) Switch(id string, on bool) error {
	s.start()
	for i := range s.conditions.list {
		k := &s.conditions.list[i]
		if k.spec.ID != id {
			continue
		}
		if k.active > 0 != on {
			k.active = min(k.active, 1)
			s.conditions.turn(k, on)
		}
		k.on, k.held = on, true
		s.conditions.apply(k.spec.Target)
		return nil
	}
	return fmt.Errorf("model %s has no condition %q to switch", s.model.Name, id)
}
