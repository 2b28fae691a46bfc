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
	v.period(where, "scale.every", c.Every)
	v.atLeast0(where, "scale.cooldown", float64(c.Cooldown))
	v.check(where, "scale.startup", c.Startup.validate())
}

// set gives a parameter a value, if it is one of an autoscaler.
func (s *Scale) set(param string, v any) (known bool, err error) {
	switch param {
	case "scale.min":
		return true, asInt(param, v, &s.Min)
	case "scale.max":
		return true, asInt(param, v, &s.Max)
	case "scale.target":
		return true, asShare(param, v, &s.Target)
	case "scale.every":
		return true, asPeriod(param, v, &s.Every)
	case "scale.startup":
		return true, asDist(param, v, &s.Startup)
	case "scale.cooldown":
		return true, asDuration(param, v, &s.Cooldown)
	}
	return false, nil
}

// scaleParams are the parameters of a Scale, for messages.
const scaleParams = "scale.min, scale.max, scale.target, scale.every, scale.startup, scale.cooldown"

// ScaleCount is what an autoscaler did, in the whole run.
type ScaleCount struct {
	Changes int
	Flips   int     // changes the other way than the one before
	Seconds float64 // for which instances were wanted, summed over them
}

// An autoscaler is that of one service.
type autoscaler struct {
	sim     *Sim
	ent     uint32
	service *service
	wanted  int // instances
	changed Time
	since   Time // when the area of instances was last brought up to now
	count   ScaleCount
	rising  bool      // the last change was one up
	started int       // how many were, which tells their times to start apart
	areas   []float64 // of the servers held, by instance, when it last looked
}

func (a *autoscaler) begin() {
	a.sim.engine.At(a.sim.engine.now+Time(a.spec().Every), a.ent, scaleLook, 0)
}

// Handle looks at the load, or brings an instance up: kind scaleLook+1+i is
// instance i.
func (a *autoscaler) Handle(e *Engine, kind uint16, _ uint64) {
	if kind > scaleLook {
		if i := int(kind - scaleLook - 1); i < a.wanted {
			t := a.service.stations[i]
			t.away = false
			t.boot()
			t.turn(t.alive())
			t.startWaiting()
		}
		return
	}
	a.look()
	e.At(e.now+Time(a.spec().Every), a.ent, scaleLook, 0)
}

// spec is how it scales now.
func (a *autoscaler) spec() Scale {
	s := a.service.specs[0].Scale.withDefaults()
	s.Max = min(s.Max, len(a.service.stations))
	return s
}

func (a *autoscaler) look() {
	spec := a.spec()
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
	used /= spec.Every.Seconds()
	each := servers / float64(max(a.up(), 1))
	want := int(math.Ceil(used / (spec.Target * each)))
	want = max(spec.Min, min(spec.Max, want))
	now := a.sim.engine.now
	switch {
	case want > a.wanted:
		startup := newSampler(spec.Startup)
		for i := a.wanted; i < want; i++ {
			a.started++
			u := a.sim.lot(a.service.base.ID, a.started)
			a.sim.engine.At(now+seconds(startup.at(u)), a.ent, scaleLook+1+uint16(i), 0)
		}
	case want < a.wanted && now-a.changed >= Time(spec.Cooldown):
		for i := want; i < a.wanted; i++ {
			a.service.stations[i].retire()
		}
	default:
		return
	}
	if a.sim.tap != nil {
		a.sim.tap.scaled(a.service.base.ID, a.wanted, want)
	}
	a.note(want)
	a.wanted, a.changed = want, now
}

// note counts a change.
func (a *autoscaler) note(want int) {
	a.integrate()
	rising := want > a.wanted
	if a.count.Changes > 0 && rising != a.rising {
		a.count.Flips++
	}
	a.count.Changes++
	a.rising = rising
}

// integrate brings the time that instances were wanted for up to now.
func (a *autoscaler) integrate() {
	now := a.sim.engine.now
	a.count.Seconds += float64(a.wanted) * float64(now-a.since) / 1e9
	a.since = now
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
