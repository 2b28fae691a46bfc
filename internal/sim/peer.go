package sim

import (
	"math"
	"time"
)

// An Ejection takes an instance out of the balance of one caller for a while after
// it has failed so many attempts of that caller in a row. The zero Ejection takes
// none out. It is Envoy's outlier detection by consecutive failures, with its
// defaults.
type Ejection struct {
	Failures int           // in a row; 0: off
	For      time.Duration // times the number of ejections so far: 30 s
	Max      float64       // share of the instances that may be out at once, though one may always: 0.1
}

// ewmaDecay is how fast what was seen of an instance is forgotten.
const ewmaDecay = 10.0 // seconds

// A peer is what a caller has seen of one instance.
type peer struct {
	latency   float64 // seconds, as it was lately
	at        Time    // when that was
	failures  int     // in a row
	ejections int
	until     Time // it is out
}

// peer returns what a caller has seen of an instance.
func (d *edge) peer(caller int32, t *station) *peer {
	g := d.gate(caller)
	for len(g.peers) <= t.instance {
		g.peers = append(g.peers, peer{})
	}
	return &g.peers[t.instance]
}

// observe notes how an attempt went at an instance.
func (d *edge) observe(c *call, t *station, ok bool) {
	now := d.sim.engine.now
	p := d.peer(c.caller, t)
	// A peak is believed at once, and forgotten slowly.
	took := float64(now-c.sent) / 1e9
	keep := math.Exp(-float64(now-p.at) / 1e9 / ewmaDecay)
	p.latency = max(took, p.latency*keep+took*(1-keep))
	p.at = now
	e := &d.spec.Balance.Ejection
	if ok || e.Failures == 0 {
		p.failures = 0
		return
	}
	if p.failures++; p.failures < e.Failures || now < p.until || !d.mayEject(c.caller) {
		return
	}
	length := Time(e.For)
	if length == 0 {
		length = Time(30 * time.Second)
	}
	p.failures = 0
	p.ejections++
	p.until = now + length*Time(p.ejections)
	d.count.Ejected++
}

// mayEject reports whether one more may be out.
func (d *edge) mayEject(caller int32) bool {
	most := d.spec.Balance.Ejection.Max
	if most == 0 {
		most = 0.1
	}
	out, g := 0, d.gate(caller)
	for i := range g.peers {
		if d.sim.engine.now < g.peers[i].until {
			out++
		}
	}
	n := 1
	if v, ok := d.sim.nodes[d.callee].(*service); ok {
		n = len(v.stations)
	}
	return out < max(1, int(most*float64(n)))
}

// ejected reports whether an instance is out for a caller.
func (d *edge) ejected(caller int32, t *station) bool {
	return d.spec.Balance.Ejection.Failures > 0 && d.sim.engine.now < d.peer(caller, t).until
}
