package scenario

import (
	"cmp"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// mostInstances bounds the instances of which the connections in use are kept.
const mostInstances = 1 << 10

// A seenPool is the connections from a service to another, by its metrics.
type seenPool struct {
	most  float64            // that an instance may have
	inUse map[string]float64 // the most of each instance
}

func (p *seenPool) used() (most float64) {
	for _, n := range p.inUse {
		most = max(most, n)
	}
	return most
}

// AddPoints takes metric points in: what they say of connection pools.
func (l *Learner) AddPoints(points []*telemetry.Point) {
	for _, p := range points {
		if p == nil || p.Resource == nil {
			continue
		}
		name := attr.Current(p.Name)
		if name != attr.DBClientConnectionCount && name != attr.DBClientConnectionMax {
			continue
		}
		key := [2]string{identifier(p.Resource.Service), identifier(attributeOf(p.Attributes, attr.DBClientConnectionPoolName))}
		if key[1] == "" {
			continue
		}
		if l.pools == nil {
			l.pools = make(map[[2]string]*seenPool)
		}
		pool := l.pools[key]
		if pool == nil {
			pool = &seenPool{inUse: make(map[string]float64)}
			l.pools[key] = pool
		}
		switch {
		case name == attr.DBClientConnectionMax:
			pool.most = max(pool.most, p.Value)
		case cmp.Or(attributeOf(p.Attributes, attr.DBClientConnectionState), "used") == "used":
			if _, known := pool.inUse[p.Resource.Instance]; known || len(pool.inUse) < mostInstances {
				pool.inUse[p.Resource.Instance] = max(pool.inUse[p.Resource.Instance], p.Value)
			}
		}
	}
}

// attributeOf returns the value of an attribute, by its current name, or "".
func attributeOf(list telemetry.Attributes, key string) string {
	for _, a := range list {
		if attr.Current(a.Key) == key {
			return a.Value
		}
	}
	return ""
}
