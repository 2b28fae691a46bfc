package sim

import "time"

// DNS is how a calling instance finds the address of what it calls. The zero DNS
// needs no look-up.
type DNS struct {
	TTL        time.Duration // how long an answer is used; 0: there is no DNS
	Latency    Dist          // of a look-up
	Error      float64       // probability that it fails, after Timeout
	Timeout    time.Duration // of a look-up, with all its tries: 10 s
	Negative   time.Duration // how long a failure is remembered, and attempts then fail at once
	ServeStale time.Duration // how long after its TTL an answer is used if none can be had
}

func (v *validation) dns(where string, d *DNS) {
	v.atLeast0(where, "dns", float64(d.TTL), float64(d.Timeout), float64(d.Negative), float64(d.ServeStale))
	v.share(where, "dns.error", d.Error)
	v.check(where, "dns.latency", d.Latency.validate())
}

// set gives a parameter of the DNS a value.
func (d *DNS) set(param string, v any) (known bool, err error) {
	switch param {
	case "dns.ttl":
		return true, asDuration(param, v, &d.TTL)
	case "dns.latency":
		return true, asDist(param, v, &d.Latency)
	case "dns.error":
		return true, asShare(param, v, &d.Error)
	case "dns.timeout":
		return true, asDuration(param, v, &d.Timeout)
	case "dns.negative":
		return true, asDuration(param, v, &d.Negative)
	case "dns.serve_stale":
		return true, asDuration(param, v, &d.ServeStale)
	}
	return false, nil
}

// A resolver is what one calling instance knows of an address.
type resolver struct {
	until  Time // the answer holds; 0: there was none
	failed Time // until then a failure is remembered
}

// resolve returns how long the look-up for an attempt takes, and whether there is
// an address after it.
func (d *edge) resolve(c *call, g *gate) (Time, bool) {
	now, spec, r := d.sim.engine.now, &d.spec.DNS, &g.resolver
	if now < r.until {
		return 0, true
	}
	stale := r.until > 0 && now < r.until+Time(spec.ServeStale)
	if now < r.failed {
		return 0, stale
	}
	key := d.sim.requests.at(c.req).key
	if spec.Error == 0 || draw(key, forResolve, int(d.id), int(c.serial)) >= spec.Error {
		takes := seconds(d.lookup.at(draw(key, forResolve, int(d.id)|1<<20, int(c.serial))))
		r.until = now + takes + Time(spec.TTL)
		return takes, true
	}
	takes := Time(spec.Timeout)
	if takes == 0 {
		takes = Time(10 * time.Second)
	}
	r.failed = now + takes + Time(spec.Negative)
	if stale {
		return 0, true // what was known serves while a new answer is asked for
	}
	return takes, false
}
