package sim

import (
	"fmt"
	"time"
)

// Events of a lease.
const leaseTick uint16 = 1

// A Lease makes one instance of a service the leader for TTL, which it extends
// every Renew. When it has run out by the clock of whoever grants it, another
// instance gets it. A holder goes by its own clock, which may be slow; and one
// that was paused goes by what it knew before.
type Lease struct {
	ID          string
	Of          string // the service
	TTL         time.Duration
	Renew       time.Duration // a third of TTL
	Drift       float64       // clocks of instances are slow by up to this share
	Fencing     bool          // what a holder does whose lease another one has is refused
	Partitioned bool          // no instance reaches who grants it; a condition sets it for some
}

func (v *validation) lease(l *Lease) {
	v.name("lease", l.ID)
	where := "lease " + l.ID
	if v.names[l.Of] != "service" {
		v.wrong(where, "of %q: no service has this id", l.Of)
	}
	if l.TTL <= 0 || l.Renew < 0 || l.Renew >= l.TTL {
		v.wrong(where, "ttl %v, renew %v: want a ttl above 0, and a shorter renew", l.TTL, l.Renew)
	}
	v.share(where, "drift", l.Drift)
}

// set gives a parameter a value.
func (l *Lease) set(param string, v any) error {
	switch param {
	case "partitioned":
		return asBool(param, v, &l.Partitioned)
	case "fencing":
		return asBool(param, v, &l.Fencing)
	case "drift":
		return asShare(param, v, &l.Drift)
	}
	return unknownParam(param, "lease", "partitioned", "fencing", "drift")
}

// A lease is who holds it, and who believes to.
type lease struct {
	sim      *Sim
	ent      uint32
	base     Lease
	specs    []Lease // as each instance has it
	service  *service
	lots     []float64 // how much of the drift the clock of an instance has
	holder   int       // or -1
	before   int       // the one before, or -1
	since    Time
	until    Time   // by the clock of who grants it
	believes []Time // until when each instance believes to hold it, in true time
	count    LeaseCount
}

// LeaseCount is what became of a lease.
type LeaseCount struct {
	Grants int
	Stale  int // requests that were worked on by one who believed to hold it and did not
	Fenced int // of these, that were refused
	Others int // requests that came to an instance which knew that it did not hold it
}

func (l *lease) apply(over func(instance int, set setter)) {
	for i := range l.specs {
		spec := l.base
		over(i, spec.set)
		l.specs[i] = spec
	}
}

func (l *lease) begin() { l.Handle(&l.sim.engine, leaseTick, 0) }

// Handle extends the lease for its holder, or gives it to another.
func (l *lease) Handle(e *Engine, _ uint16, _ uint64) {
	if l.holder >= 0 && l.reaches(l.holder) && e.now < l.until {
		l.extend(l.holder)
	}
	if e.now >= l.until {
		l.grant()
	}
	renew := l.base.Renew
	if renew == 0 {
		renew = l.base.TTL / 3
	}
	e.At(e.now+Time(renew), l.ent, leaseTick, 0)
}

// reaches reports whether an instance can ask for the lease.
func (l *lease) reaches(i int) bool {
	t := l.service.stations[i]
	return t.up && t.speed > 0 && !l.specs[i].Partitioned
}

func (l *lease) extend(i int) {
	now := l.sim.engine.now
	l.until = now + Time(l.base.TTL)
	l.believes[i] = now + Time(float64(l.base.TTL)*(1+l.specs[i].Drift*l.lots[i]))
}

// grant gives the lease to the first instance after the last holder that asks.
func (l *lease) grant() {
	n := len(l.service.stations)
	for k := 1; k <= n; k++ {
		i := (max(l.holder, 0) + k) % n
		if l.holder < 0 {
			i = k - 1
		}
		if !l.reaches(i) {
			continue
		}
		if i != l.holder {
			l.before, l.since = l.holder, l.sim.engine.now
			l.count.Grants++
			if l.sim.tap != nil {
				l.sim.tap.leased(l, i)
			}
		}
		l.holder = i
		l.extend(i)
		return
	}
}

// permits reports whether an instance may go on with a request, and counts it if
// it should not.
func (l *lease) permits(instance int) bool {
	now := l.sim.engine.now
	if now >= l.believes[instance] {
		l.count.Others++
		return false
	}
	if instance == l.holder {
		return true
	}
	l.count.Stale++
	if l.specs[instance].Fencing {
		l.count.Fenced++
		return false
	}
	return true
}

// leader is the instance to which a caller turns that hears of changes late.
func (l *lease) leader(late Time) *station {
	i := l.holder
	if l.before >= 0 && l.sim.engine.now < l.since+late {
		i = l.before
	}
	return l.service.stations[max(i, 0)]
}

// leased tells who holds a lease now.
func (t *tap) leased(l *lease, i int) {
	name := instanceName(l.service.base.ID, i)
	t.log(logRecord{at: t.sim.engine.now, as: t.now[l.service.stations[i].id], severity: severityInfo, body: fmt.Sprintf("lease %s is held by %s", l.base.ID, name)})
}
