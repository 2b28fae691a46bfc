package sim

import "time"

// A Distribution hands settings to instances, as a config or flag service does:
// conditions say with Via that theirs go this way. An instance keeps what it knew
// last until it hears of the change.
type Distribution struct {
	ID    string
	Poll  time.Duration // each instance asks so often, at times of its own; 0: it is told
	Delay Dist          // until it has the answer, or is told
	Loss  float64       // share of answers that get lost; the next one tells
	Down  bool          // nobody hears of anything; a condition sets it
}

// distributionRetry is how often an instance that is told, and was not, asks.
const distributionRetry = Time(1e9)

func (v *validation) distribution(x *Distribution) {
	v.name("distribution", x.ID)
	where := "distribution " + x.ID
	v.period(where, "poll", x.Poll)
	v.check(where, "delay", x.Delay.validate())
	v.share(where, "loss", x.Loss)
	if x.Loss == 1 {
		v.wrong(where, "loss 1: nobody would ever hear of anything; want down: true")
	}
}

// set gives a parameter a value.
func (x *Distribution) set(param string, v any) error {
	switch param {
	case "poll":
		return asPeriod(param, v, &x.Poll)
	case "delay":
		return asDist(param, v, &x.Delay)
	case "loss":
		return asShare(param, v, &x.Loss)
	case "down":
		return asBool(param, v, &x.Down)
	}
	return unknownParam(param, "distribution", "poll", "delay", "loss", "down")
}

// A distribution is one that runs.
type distribution struct {
	sim   *Sim
	base  Distribution
	spec  Distribution
	delay sampler
	asked int // how often, which tells the answers apart
}

func (x *distribution) apply(over func(instance int, set setter)) {
	spec := x.base
	over(0, spec.set)
	x.spec, x.delay = spec, newSampler(spec.Delay)
}

// first is when an instance asks next.
func (x *distribution) first(unit int) Time {
	every := Time(x.spec.Poll)
	if every == 0 {
		return x.sim.engine.now
	}
	return x.sim.asked(x.base.ID, unit, every) + every
}

// again is how much later it asks once more.
func (x *distribution) again() Time {
	if x.spec.Poll == 0 {
		return distributionRetry
	}
	return Time(x.spec.Poll)
}

// hear returns how long it takes until an instance that asks has the answer, and
// whether there is one.
func (x *distribution) hear() (Time, bool) {
	x.asked++
	key := mix(hashText(mix(x.sim.seed), x.base.ID) ^ uint64(x.asked)<<8)
	if x.spec.Down || x.spec.Loss > 0 && unit(key) < x.spec.Loss {
		return 0, false
	}
	return seconds(x.delay.at(unit(mix(key)))), true
}

// spread lets each instance hear of a change of a condition in its time.
func (c *conditions) spread(i int, via *distribution) {
	e := &c.sim.engine
	k := &c.list[i]
	for u := range k.units {
		if k.means(u) {
			e.At(via.first(u), c.ent, conditionAsks, uint64(u)<<32|uint64(i))
		}
	}
	c.apply(k.target) // those that are not meant follow at once
}

// ask lets one instance ask whether a condition is in force.
func (c *conditions) ask(i, unit int) {
	k := &c.list[i]
	state := unitOff
	if k.active {
		state = unitOn
	}
	if k.units[unit] == state {
		return // it has changed back meanwhile
	}
	e := &c.sim.engine
	takes, ok := k.via.hear()
	if !ok {
		e.At(e.now+k.via.again(), c.ent, conditionAsks, uint64(unit)<<32|uint64(i))
		return
	}
	e.At(e.now+takes, c.ent, conditionUnit, uint64(unit)<<40|uint64(state)<<32|uint64(i))
}
