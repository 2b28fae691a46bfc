package sim

import (
	"fmt"
	"strings"
	"time"
)

// A Pipeline puts conditions in force one after the other, as stages of a delivery
// do: migrate, deploy, switch over. The condition of a stage begins when the stage
// is done; one that a run has off is left out. It needs no windows.
type Pipeline struct {
	ID       string
	Start    time.Duration
	Parallel bool // stages do not wait for those before them
	Stages   []Stage
}

// A Stage is one of a Pipeline.
type Stage struct {
	Condition string
	Takes     Dist
}

func (v *validation) pipeline(p *Pipeline) {
	v.name("pipeline", p.ID)
	where := "pipeline " + p.ID
	v.atLeast0(where, "start", float64(p.Start))
	for _, g := range p.Stages {
		v.check(where, "takes of "+g.Condition, g.Takes.validate())
		c := v.model.condition(g.Condition)
		switch {
		case c == nil:
			v.wrong(where, "stage %q: no condition has this id", g.Condition)
		case len(c.Windows) > 0:
			v.wrong(where, "stage %q has windows: want none, the stage says when it begins", g.Condition)
		}
	}
}

func (m *Model) condition(id string) *Condition {
	for i := range m.Conditions {
		if m.Conditions[i].ID == id {
			return &m.Conditions[i]
		}
	}
	return nil
}

// staged reports whether a condition is that of a stage.
func (m *Model) staged(id string) bool {
	for i := range m.Pipelines {
		for _, g := range m.Pipelines[i].Stages {
			if g.Condition == id {
				return true
			}
		}
	}
	return false
}

func (p Pipeline) copy() Pipeline {
	p.Stages = append([]Stage(nil), p.Stages...)
	return p
}

// set gives a parameter a value.
func (p *Pipeline) set(param string, v any) error {
	if param == "parallel" {
		return asBool(param, v, &p.Parallel)
	}
	if id, ok := strings.CutPrefix(param, "takes."); ok {
		for i := range p.Stages {
			if p.Stages[i].Condition == id {
				return asDist(param, v, &p.Stages[i].Takes)
			}
		}
		return wrongParam(param, v, "a stage of the pipeline, as takes.CONDITION")
	}
	return unknownParam(param, "pipeline", "parallel", "takes.CONDITION")
}

// A pipeline is one that runs. Its event is that a stage is done: 0 is the start.
type pipeline struct {
	sim  *Sim
	ent  uint32
	base Pipeline
	spec Pipeline
}

func (s *Sim) addPipeline(base Pipeline) {
	p := &pipeline{sim: s, base: base}
	p.ent = s.engine.Add(p)
	s.pipelines = append(s.pipelines, p)
}

func (p *pipeline) apply(over func(instance int, set setter)) {
	p.spec = p.base.copy()
	over(0, p.spec.set)
}

func (p *pipeline) begin() { p.sim.engine.At(Time(p.spec.Start), p.ent, 0, 0) }

// Handle ends a stage and begins the next, or all of them.
func (p *pipeline) Handle(_ *Engine, done uint16, _ uint64) {
	if done > 0 {
		c := &p.sim.conditions
		i := c.index(p.spec.Stages[done-1].Condition)
		if !c.list[i].held {
			c.change(i, true)
		}
		if p.spec.Parallel {
			return
		}
	}
	for i := int(done); i < len(p.spec.Stages); i++ {
		if c := &p.sim.conditions; !c.list[c.index(p.spec.Stages[i].Condition)].on {
			continue
		}
		p.stage(i)
		if !p.spec.Parallel {
			return
		}
	}
}

// stage begins one.
func (p *pipeline) stage(i int) {
	e := &p.sim.engine
	takes := newSampler(p.spec.Stages[i].Takes)
	u := p.sim.lot(p.base.ID, i)
	e.At(e.now+seconds(takes.at(u)), p.ent, uint16(i+1), 0)
}

// index returns the place of a condition, which exists.
func (c *conditions) index(id string) int {
	for i := range c.list {
		if c.list[i].spec.ID == id {
			return i
		}
	}
	panic(fmt.Sprintf("BUG: no condition %q", id))
}
