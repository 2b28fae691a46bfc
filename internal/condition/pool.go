package condition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// A poolKey names one connection pool of one instance of a service.
type poolKey struct{ service, instance, name string }

// A pool is what its metrics last said.
type pool struct {
	entity    string
	used, max float64
	seen      time.Time
	above     bool
}

// A poolState is the state of all pools that share an entity: above as long as
// one is.
type poolState struct{ above bool }

// stale is how long a pool may say nothing before it is forgotten.
const stale = 5 * time.Minute

// Observe reads metric points and returns the changes that follow, by time:
// a connection pool that came above 90 % of its maximum, or left it. Call it
// once a step, with no points if there are none: pools that fall silent no
// longer are above.
//
// The state is one of the pool, by its name. A pool whose name says nothing
// ("HikariPool-1", "default") is named after its service. The requests that
// pass through the service meet the state.
func (f *Inferrer) Observe(now time.Time, points []*telemetry.Point) []*telemetry.Change {
	fresh := false
	for _, p := range points {
		if p == nil || p.Resource == nil {
			continue
		}
		name := attr.Current(p.Name)
		if name != attr.DBClientConnectionCount && name != attr.DBClientConnectionMax {
			continue
		}
		f.point(now, name, p)
		fresh = true
	}
	if len(f.pools) == 0 || (!fresh && now.Sub(f.swept) < stale/30) {
		return nil
	}
	f.swept = now
	return f.judge(now)
}

// judge compares all pools with their maximum.
func (f *Inferrer) judge(now time.Time) []*telemetry.Change {
	var out []*telemetry.Change
	above := make(map[string]bool)
	keys := slices.SortedFunc(maps.Keys(f.pools), func(a, b poolKey) int {
		return slices.Compare([]string{a.service, a.instance, a.name}, []string{b.service, b.instance, b.name})
	})
	for _, k := range keys {
		p := f.pools[k]
		if now.Sub(p.seen) > stale {
			delete(f.pools, k)
		} else if p.max > 0 {
			share := p.used / p.max
			p.above = share > f.config.High || (p.above && share > f.config.Low)
		}
		above[p.entity] = above[p.entity] || (p.above && f.pools[k] != nil)
	}
	for _, entity := range slices.Sorted(maps.Keys(above)) {
		state := f.owners[entity]
		if state == nil {
			_, was := f.inForce(entity, connections, now) // from before a restart
			state = &poolState{above: was}
			f.owners[entity] = state
		}
		if state.above == above[entity] {
			continue
		}
		state.above = above[entity]
		out = append(out, f.crossed(now, entity, state.above))
	}
	for entity := range f.owners {
		if _, ok := above[entity]; !ok {
			delete(f.owners, entity)
		}
	}
	return f.apply(out)
}

const (
	connections = "connections"
	nearlyAll   = "above 90 %"
)

func (f *Inferrer) crossed(now time.Time, entity string, above bool) *telemetry.Change {
	c := &telemetry.Change{
		Time: now, Kind: telemetry.ChangeScale, Entity: entity, Dimension: connections, Origin: telemetry.OriginDerived,
	}
	if above {
		c.Value = nearlyAll
		c.Summary = fmt.Sprintf("a connection pool of %s is more than %.0f %% in use", entity, 100*f.config.High)
	} else {
		c.Ends, c.Previous = true, nearlyAll
		c.Summary = fmt.Sprintf("no connection pool of %s is more than %.0f %% in use any more", entity, 100*f.config.Low)
	}
	return inferred(c)
}

// point notes one value. A pool's used connections are those whose state is
// "used"; its idle ones say nothing.
func (f *Inferrer) point(now time.Time, metric string, p *telemetry.Point) {
	k := poolKey{service: p.Resource.Service, instance: p.Resource.Instance}
	state := ""
	for _, a := range p.Attributes {
		switch {
		case attr.Current(a.Key) == attr.DBClientConnectionPoolName:
			k.name = a.Value
		case attr.Current(a.Key) == attr.DBClientConnectionState, a.Key == "state":
			state = a.Value
		}
	}
	if metric == attr.DBClientConnectionCount && state != "used" {
		return
	}
	x := f.pools[k]
	if x == nil {
		if len(f.pools) >= f.config.MaxServices {
			return
		}
		x = &pool{entity: poolEntity(k.service, k.name)}
		f.pools[k] = x
		f.timeline.Attach(k.service, x.entity)
	}
	x.seen = now
	if metric == attr.DBClientConnectionMax {
		x.max = p.Value
	} else {
		x.used = p.Value
	}
}

// poolEntity is what a pool is called.
func poolEntity(service, name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return service
	case lower == "default" || lower == "main" || lower == "primary" || lower == "datasource" || strings.Contains(lower, "pool"):
		return service + " " + name
	}
	return name
}
