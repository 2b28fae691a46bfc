package sim

// A Startup is what an instance does after it has come up, because it was
// restarted or the autoscaler wanted it, before it can answer: load classes, open
// connections, fetch its configuration. Those that are there from the start of a
// run are ready. The zero Startup is none.
type Startup struct {
	Takes Dist
	// Gate keeps requests away until then, as a readiness probe does. Without it
	// they come at once, and fail.
	Gate bool
}

// set gives a parameter a value, if it is one of a startup.
func (s *Startup) set(param string, v any) (known bool, err error) {
	switch param {
	case "startup.takes":
		return true, asDist(param, v, &s.Takes)
	case "startup.gate":
		return true, asBool(param, v, &s.Gate)
	}
	return false, nil
}

// startupParams are the parameters of a Startup, for messages.
const startupParams = "startup.takes, startup.gate"

// boot begins the startup of an instance.
func (t *station) boot() {
	t.boots++
	t.starting = false
	if t.spec.startup.Takes.zero() || !t.sim.begun {
		return
	}
	t.starting = true
	takes := newSampler(t.spec.startup.Takes)
	u := unit(mix(t.sim.seed ^ uint64(t.id)<<32 ^ uint64(t.boots)))
	t.sim.engine.At(t.sim.engine.now+seconds(takes.at(u)), t.ent, stationReady, uint64(t.boots))
}

// ready ends a startup, unless the instance went down meanwhile.
func (t *station) ready(boot uint64) {
	if t.starting && boot == uint64(t.boots) {
		t.starting = false
		t.turn(t.up)
		t.startWaiting()
	}
}

// unready refuses a frame at an instance that does not take it: it is not there,
// or it is there and not ready.
func (t *station) unready(j int32) {
	if t.listed {
		t.count.Unready++
		t.refuse(j, resultError)
		return
	}
	t.refuse(j, resultUnreachable)
}
