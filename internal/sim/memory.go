package sim

import "time"

// Memory is what an instance has of it, in megabytes. The zero Memory is enough.
type Memory struct {
	Limit   float64 // from which on it is killed; 0: it has enough
	Base    float64 // that it needs in any case
	Request float64 // for each request that is present
	Leak    float64 // that each request leaves behind
	// Collector makes it slower the fuller its memory is: its speed is divided by
	// 1 + Collector*used/(Limit-used), since a collector has the less to show for
	// its work the less is free.
	Collector float64
	// Recycle replaces what has leaked after so many requests, as servers do whose
	// workers live for so many. 0: never.
	Recycle int
	Restart time.Duration // until it is up again after it was killed: 10 s
}

func (v *validation) memory(where string, m *Memory) {
	v.atLeast0(where, "memory", m.Limit, m.Base, m.Request, m.Leak, m.Collector, float64(m.Recycle), float64(m.Restart))
	if m.Limit > 0 && m.Base >= m.Limit {
		v.wrong(where, "memory.base %v of %v: want less than the limit", m.Base, m.Limit)
	}
}

// set gives a parameter a value, if it is one of a memory.
func (m *Memory) set(param string, v any) (known bool, err error) {
	switch param {
	case "memory.limit":
		return true, asNumber(param, v, &m.Limit)
	case "memory.base":
		return true, asNumber(param, v, &m.Base)
	case "memory.request":
		return true, asNumber(param, v, &m.Request)
	case "memory.leak":
		return true, asNumber(param, v, &m.Leak)
	case "memory.collector":
		return true, asNumber(param, v, &m.Collector)
	case "memory.recycle":
		return true, asInt(param, v, &m.Recycle)
	}
	return false, nil
}

// memoryParams are the parameters of a Memory, for messages.
const memoryParams = "memory.limit, memory.base, memory.request, memory.leak, memory.collector, memory.recycle"

// A used is what an instance uses of its memory.
type used struct {
	leaked float64
	served int  // since it was last recycled
	killed bool // and not up again yet
}

// use is how much of its memory an instance uses.
func (t *station) use() float64 {
	m := &t.spec.memory
	return m.Base + t.used.leaked + m.Request*float64(t.present)
}

// strain is told that the number of requests present has changed, where that
// matters to how fast the instance is.
func (t *station) strain(change int) {
	m := &t.spec.memory
	if m.Limit == 0 {
		if a := t.spec.slowdown.Above; max(t.present, t.present-change) > a {
			t.respeed()
		}
		return
	}
	if change < 0 {
		t.used.leaked += m.Leak
		if t.used.served++; m.Recycle > 0 && t.used.served >= m.Recycle {
			t.used.leaked, t.used.served = 0, 0
		}
	}
	if m.Collector > 0 || t.spec.slowdown.Above > 0 {
		t.respeed()
	}
	if change != 0 && t.use() >= m.Limit && !t.used.killed {
		t.used.killed = true
		t.sim.engine.At(t.sim.engine.now, t.ent, stationKilled, 0)
	}
}

// collect is by how much the collector makes an instance slower.
func (t *station) collect() float64 {
	m := &t.spec.memory
	free := max(m.Limit-t.use(), m.Limit/1000)
	return 1 + m.Collector*(m.Limit-free)/free
}

// kill takes an instance that has used up its memory down, and up again later.
func (t *station) kill() {
	t.count.Killed++
	t.turn(false)
	restart := t.spec.memory.Restart
	if restart == 0 {
		restart = 10 * time.Second
	}
	t.sim.engine.At(t.sim.engine.now+Time(restart), t.ent, stationRevived, 0)
}

// revive brings an instance up that was killed.
func (t *station) revive() {
	t.used = used{}
	t.turn(t.alive())
	t.startWaiting()
}

// alive reports whether nothing keeps an instance down.
func (t *station) alive() bool { return !t.spec.down && !t.used.killed }
