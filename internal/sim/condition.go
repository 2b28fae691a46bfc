package sim

import (
	"fmt"
	"slices"
	"time"
)

// conditions puts conditions in force and ends them.
type conditions struct {
	sim     *Sim
	ent     uint32
	list    []condition
	targets []target
}

// A target is what conditions can be about.
type target struct {
	name  string
	units int // that take a change over by themselves
	what  interface {
		// apply computes the parameters anew: over sets those of one instance that
		// conditions have changed.
		apply(over func(instance int, set setter))
	}
}

// A setter gives a parameter a value.
type setter func(param string, v any) error

// A unitState says how far one instance has taken a condition over.
type unitState uint8

const (
	unitOff unitState = iota
	unitDraining
	unitDown
	unitOn
)

// A condition of a run.
type condition struct {
	spec   Condition
	target int
	on     bool // whether this run has it
	active bool
	held   bool // somebody has switched it, and its windows count no more
	units  []unitState
	late   sampler // propagation
	bit    uint64
	staged bool // a pipeline says when it begins
	via    *distribution
}

// means reports whether a condition is about an instance.
func (k *condition) means(unit int) bool {
	return len(k.spec.Instances) == 0 || slices.Contains(k.spec.Instances, unit)
}

// A Toggle is a stretch of a run in which a condition was in force.
type Toggle struct {
	ID       string
	From, To time.Duration // To is the end of the run if it was still in force
}

// Kinds of events of the conditions. The number is that of the condition, its
// unit and the unit's new state.
const (
	conditionBegins uint16 = iota + 1
	conditionEnds
	conditionUnit
	conditionAsks // an instance asks whether it is in force
)

// begin puts into force what holds from the start, and schedules the rest.
func (c *conditions) begin() {
	e := &c.sim.engine
	for i := range c.list {
		k := &c.list[i]
		switch {
		case !k.on || k.staged:
		case len(k.spec.Windows) == 0:
			c.turn(i, true)
			for u := range k.units {
				if k.means(u) {
					k.units[u] = unitOn
				}
			}
		default:
			for _, w := range k.spec.Windows {
				e.At(Time(w.From), c.ent, conditionBegins, uint64(i))
				if w.To > 0 {
					e.At(Time(w.To), c.ent, conditionEnds, uint64(i))
				}
			}
		}
	}
	for i := range c.targets {
		c.apply(i)
	}
}

// Handle carries out what was scheduled.
func (c *conditions) Handle(_ *Engine, kind uint16, a uint64) {
	i := int(a & (1<<32 - 1))
	k := &c.list[i]
	switch kind {
	case conditionAsks:
		c.ask(i, int(a>>32))
	case conditionUnit:
		k.units[a>>40] = unitState(a >> 32 & 0xff)
		c.apply(k.target)
	default:
		if !k.held {
			c.change(i, kind == conditionBegins)
		}
	}
}

// change puts a condition in force or ends it, in each instance at its time.
func (c *conditions) change(i int, on bool) {
	k := &c.list[i]
	if k.active == on {
		return
	}
	c.turn(i, on)
	if k.via != nil {
		c.spread(i, k.via)
		return
	}
	last := unitOff
	if on {
		last = unitOn
	}
	e := &c.sim.engine
	for u := range k.units {
		if !k.means(u) {
			continue
		}
		at := e.now + c.lag(i, u, on)
		later := func(after time.Duration, state unitState) {
			if at += Time(after); at > e.now || state != last {
				e.At(at, c.ent, conditionUnit, uint64(u)<<40|uint64(state)<<32|uint64(i))
				return
			}
			k.units[u] = state
		}
		if k.spec.Drain > 0 {
			later(0, unitDraining)
		}
		if k.spec.Restart > 0 {
			later(k.spec.Drain, unitDown)
			later(k.spec.Restart, last)
		} else {
			later(k.spec.Drain, last)
		}
	}
	c.apply(k.target)
}

// lag is how long an instance takes to hear of a change.
func (c *conditions) lag(i, unit int, on bool) Time {
	k := &c.list[i]
	lag := Time(k.spec.Stagger) * Time(unit)
	if !k.spec.Propagation.zero() {
		key := hashText(mix(c.sim.seed), k.spec.ID)
		if on {
			key = mix(key)
		}
		lag += seconds(k.late.at(unit01(key, unit)))
	}
	return lag
}

func unit01(key uint64, i int) float64 { return unit(mix(key ^ uint64(i))) }

// lot is what the i-th of those that belong to a name draws, once and for all: 0
// to 1, of the seed.
func (s *Sim) lot(name string, i int) float64 { return unit01(hashText(mix(s.seed), name), i) }

// asked is when the i-th of those that ask a name for something every so often,
// each at times of its own, did so last.
func (s *Sim) asked(name string, i int, every Time) Time {
	now := s.engine.now
	phase := Time(s.lot(name, i) * float64(every))
	return now - (now-phase+every)%every
}

// turn notes that a condition begins or ends.
func (c *conditions) turn(i int, on bool) {
	s := c.sim
	k := &c.list[i]
	k.active = on
	if s.tap != nil {
		s.tap.changed(k, on)
	}
	now := s.engine.now.Duration()
	if on {
		s.inForce |= k.bit
		s.toggles = append(s.toggles, Toggle{ID: k.spec.ID, From: now, To: -1})
		return
	}
	s.inForce &^= k.bit
	for n := len(s.toggles) - 1; n >= 0; n-- {
		if t := &s.toggles[n]; t.ID == k.spec.ID {
			t.To = now
			return
		}
	}
}

// apply computes the parameters of a target anew: those of the model, and over
// them the settings of all conditions about it, in the order of the model.
func (c *conditions) apply(target int) {
	c.targets[target].what.apply(func(instance int, set setter) { c.overlay(target, instance, set) })
}

// overlay sets what the conditions about a target say. Validate has tried all of
// it, so it cannot fail.
func (c *conditions) overlay(target, instance int, set setter) {
	for i := range c.list {
		k := &c.list[i]
		if k.target != target || instance >= len(k.units) {
			continue
		}
		settings := k.spec.Revert
		if k.on || !k.means(instance) {
			settings = nil
		}
		switch k.units[instance] {
		case unitOn:
			settings = k.spec.Apply
		case unitDraining:
			settings = []Setting{{Param: "draining", Value: true}}
		case unitDown:
			settings = []Setting{{Param: "down", Value: true}}
		case unitOff:
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
		k.on, k.held = on, true
		s.conditions.change(i, on)
		s.conditions.apply(k.target)
		return nil
	}
	return fmt.Errorf("model %s has no condition %q to switch", s.model.Name, id)
}
