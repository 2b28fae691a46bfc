package sim

import "time"

// An Issuer signs the tokens with which one service calls another: who calls keeps
// them for a time, who is called checks them by keys that it asks for now and then.
// A condition rotates the key by setting Key.
type Issuer struct {
	ID       string
	Key      int           // that signs new tokens
	TTL      time.Duration // how long who calls uses a token: 5 min
	Subjects int           // tokens that each calling instance holds, one for so many users: 1
	Overlap  time.Duration // how long after a rotation tokens of the key before are accepted
	Ahead    time.Duration // how long before it signs a new key is published
	Fetch    time.Duration // how often who checks asks for the keys; 0: it knows at once
	Renew    bool          // who is refused gets a new token for the next attempt
}

func (v *validation) issuer(x *Issuer) {
	v.name("issuer", x.ID)
	v.atLeast0("issuer "+x.ID, "ttl, subjects, overlap, ahead, fetch", float64(x.TTL), float64(x.Subjects), float64(x.Overlap),
		float64(x.Ahead), float64(x.Fetch))
}

// set gives a parameter a value.
func (x *Issuer) set(param string, v any) error {
	switch param {
	case "key":
		return asInt(param, v, &x.Key)
	case "ttl":
		return asDuration(param, v, &x.TTL)
	case "overlap":
		return asDuration(param, v, &x.Overlap)
	case "ahead":
		return asDuration(param, v, &x.Ahead)
	case "fetch":
		return asDuration(param, v, &x.Fetch)
	case "renew":
		return asBool(param, v, &x.Renew)
	}
	return unknownParam(param, "issuer", "key", "ttl", "overlap", "ahead", "fetch", "renew")
}

// An issuer is what is known of the keys of one.
type issuer struct {
	sim     *Sim
	base    Issuer
	spec    Issuer
	before  int  // the key before
	rotated Time // when that was; at first, long ago
}

// A token is one that a calling instance holds.
type token struct {
	key   int
	until Time
}

func (x *issuer) apply(over func(instance int, set setter)) {
	spec := x.base
	over(0, spec.set)
	if spec.Key != x.spec.Key {
		x.before, x.rotated = x.spec.Key, x.sim.engine.now
	}
	x.spec = spec
}

func (x *issuer) ttl() Time {
	if x.spec.TTL == 0 {
		return Time(5 * time.Minute)
	}
	return Time(x.spec.TTL)
}

// admits checks the token of a frame that has arrived.
func (x *issuer) admits(d *edge, f *frame) bool {
	now := x.sim.engine.now
	g := d.gate(f.from)
	for len(g.held) < max(x.spec.Subjects, 1) { // as after a long time: of any age
		age := unit(mix(x.sim.seed ^ uint64(d.id)<<40 ^ uint64(f.from+1)<<20 ^ uint64(len(g.held))))
		g.held = append(g.held, token{key: x.base.Key, until: Time(age * float64(x.ttl()))})
	}
	k := &g.held[int(mix(x.sim.requests.at(f.req).key^0x746f6b)%uint64(len(g.held)))]
	if now >= k.until {
		*k = token{key: x.spec.Key, until: now + x.ttl()}
	}
	if x.accepts(k.key, f.station, now) {
		return true
	}
	if x.spec.Renew {
		k.until = now
	}
	return false
}

// accepts reports whether an instance takes tokens of a key.
func (x *issuer) accepts(key int, station int32, now Time) bool {
	if x.rotated == 0 { // no key was rotated yet
		return true
	}
	seen := now
	if every := Time(x.spec.Fetch); every > 0 {
		seen = x.sim.asked(x.base.ID, int(station), every)
	}
	switch key {
	case x.spec.Key:
		return seen >= x.rotated-Time(x.spec.Ahead)
	case x.before:
		return now < x.rotated+Time(x.spec.Overlap) || seen < x.rotated
	}
	return false
}

// enterNode hands a frame that has arrived to its instance, if it has what it needs to
// be let in.
func (d *edge) enterNode(j int32) {
	if d.issuer != nil {
		if f := d.sim.frames.at(j); f.station != none && !d.issuer.admits(d, f) {
			d.answer(j, resultError)
			return
		}
	}
	d.sim.nodes[d.callee].enter(j)
}
