package sim

// A Link carries the messages of all edges whose network names it, one after the
// other in each direction: what is large, or much, makes the others wait. What is
// under way when its bandwidth changes arrives as it would have.
type Link struct {
	ID        string
	Bandwidth float64 // bytes a second, each way
	Take      float64 // share of it that something else takes, such as a copy: 0 to 1
	Buffer    float64 // bytes that may wait for their turn; more are lost. 0: all
}

func (v *validation) link(x *Link) {
	v.name("link", x.ID)
	where := "link " + x.ID
	v.atLeast0(where, "bandwidth, buffer", x.Bandwidth, x.Buffer)
	v.share(where, "take", x.Take)
	if x.Bandwidth == 0 || x.Take == 1 {
		v.wrong(where, "bandwidth %v, of which %v is taken: want some to be left; loss 1 on an edge is a partition", x.Bandwidth, x.Take)
	}
}

// set gives a parameter a value.
func (x *Link) set(param string, v any) error {
	switch param {
	case "bandwidth":
		return asNumber(param, v, &x.Bandwidth)
	case "take":
		return asShare(param, v, &x.Take)
	case "buffer":
		return asNumber(param, v, &x.Buffer)
	}
	return unknownParam(param, "link", "bandwidth", "take", "buffer")
}

// A link is one that runs.
type link struct {
	sim  *Sim
	base Link
	spec Link
	free [2]Time // when each direction will have sent what it has
}

func (x *link) apply(over func(instance int, set setter)) {
	spec := x.base
	over(0, spec.set)
	now := x.sim.engine.now
	for i := range x.free { // what waits is bytes, and not time
		if left := x.free[i] - now; left > 0 && x.spec.Bandwidth > 0 {
			x.free[i] = now + seconds(left.Seconds()*x.spec.rate()/spec.rate())
		}
	}
	x.spec = spec
}

func (x *Link) rate() float64 { return max(1, x.Bandwidth*(1-x.Take)) }

// full reports whether there is no room for another message.
func (x *link) full(way int) bool {
	return x.spec.Buffer > 0 && (x.free[way]-x.sim.engine.now).Seconds()*x.spec.rate() > x.spec.Buffer
}

// send returns how long it takes until a message has gone through.
func (x *link) send(way int, bytes float64) Time {
	now := x.sim.engine.now
	x.free[way] = max(x.free[way], now) + seconds(bytes/x.spec.rate())
	return x.free[way] - now
}
