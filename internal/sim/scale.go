package sim

import (
	"math"
	"time"
)

// scaleLook is the event that an autoscaler looks at the load.
const scaleLook uint16 = 1

// A Scale adds and removes instances so that a share Target of the servers is
// held, as a horizontal autoscaler does. It is off if Max is 0.
type Scale struct {
	Min, Max int // instances: 1, 0
	Target   float64
	Every    time.Duration // it looks this often, at the load since: 15 s
	Startup  Dist          // until a new instance takes requests
	Cooldown time.Duration // it removes none for this long after a change: 5 min
}

func (s Scale) withDefaults() Scale {
	s.Min = max(s.Min, 1)
	if s.Every == 0 {
		s.Every = 15 * time.Second
	}
	if s.Cooldown == 0 {
		s.Cooldown = 5 * time.Minute
	}
	return s
}

func (v *validation) scale(where string, s *Service) {
	c := &s.Scale
	if c.Max == 0 {
		return
	}
	if c.Min < 0 || c.Max < max(c.Min, s.Instances, 1) {
		v.wrong(where, "scale from %d to %d, %d at first: want no more at first than max", c.Min, c.Max, s.Instances)
	}
	if !(c.Target > 0 && c.Target <= 1) {
		v.wrong(where, "scale.target %v: want more than 0, and 1 at most", c.Target)
	}
	v.atLeast0(where, "scale.every, scale.cooldown", float64(c.Every), float64(c.Cooldown))
	v.check(where, "scale.startup", c.Startup.validate())
}

// An autoscaler is that of one service.
type autoscaler struct {
	sim     *Sim
	ent     uint32
	service *service
	spec    Scale
	startup sampler
	wanted  int // instances
	changed Time
	started int       // how many were, which tells their times to start apart
	areas   []float64 // of the servers held, by instance, when it last looked
}

func (a *autoscaler) begin() {
	a.sim.engine.At(a.sim.engine.now+Time(a.spec.Every), a.ent, scaleLook, 0)
}

// Handle looks at the load, or brings an instance up: kind scaleLook+1+i is
// instance i.
func (a *autoscaler) Handle(e *Engine, kind uint16, _ uint64) {
	if kind > scaleLook {
		if i := int(kind - scaleLook - 1); i < a.wanted {
			t := a.service.stations[i]
			t.away = false
			t.turn(!t.spec.down)
			t.startWaiting()
		}
		return
	}
	a.look()
	e.At(e.now+Time(a.spec.Every), a.ent, scaleLook, 0)
}

func (a *autoscaler) look() {
	used, servers := 0., 0.
	for i, t := range a.service.stations {
		t.integrate(0)
		used += t.area - a.areas[i]
		a.areas[i] = t.area
		if t.up {
			servers += float64(t.spec.servers)
		}
	}
	if servers == 0 {
		return
	}
	used /= a.spec.Every.Seconds()
	each := servers / float64(max(a.up(), 1))
	want := int(math.Ceil(used / (a.spec.Target * each)))
	want = max(a.spec.Min, min(a.spec.Max, want))
	now := a.sim.engine.now
	switch {
	case want > a.wanted:
		for i := a.wanted; i < want; i++ {
			a.started++
			u := unit01(hashText(mix(a.sim.seed), a.service.base.ID), a.started)
			a.sim.engine.At(now+seconds(a.startup.at(u)), a.ent, scaleLook+1+uint16(i), 0)
		}
	case want < a.wanted && now-a.changed >= Time(a.spec.Cooldown):
		for i := want; i < a.wanted; i++ {
			a.service.stations[i].retire()
		}
	default:
		return
	}
	if a.sim.tap != nil {
		a.sim.tap.scaled(a.service.base.ID, a.wanted, want)
	}
	a.wanted, a.changed = want, now
}

func (a *autoscaler) up() int {
	n := 0
	for _, t := range a.service.stations {
		if t.up {
			n++
		}
	}
	return n
}

// retire lets an instance end what it has and take no more.
func (t *station) retire() {
	t.away = true
	t.turn(t.up)
}
