package sim

// maxHops is how many calls along rings a request may have behind it. A call that
// would be one more fails at once, as a proxy refuses what has been forwarded too
// often; without a bound a request whose callers all gave up would go round for
// ever.
const maxHops = 64

// addRings marks the edges that are part of a ring: whose callee may, through
// others, call whoever calls along the edge.
func (s *Sim) addRings() {
	for _, v := range s.services {
		for i := range v.steps {
			if w, ok := s.nodes[v.steps[i].edge.callee].(*service); ok {
				v.steps[i].edge.ring = w.reaches(v, make(map[*service]bool))
			}
		}
	}
}

// reaches reports whether a service is another one, or calls it through others.
func (v *service) reaches(to *service, seen map[*service]bool) bool {
	if v == to {
		return true
	}
	if seen[v] {
		return false
	}
	seen[v] = true
	for i := range v.steps {
		if w := v.sim.behind(v.steps[i].edge.callee); w != nil && w.reaches(to, seen) {
			return true
		}
	}
	return false
}

// behind returns the service that works on what a node is asked: the node itself,
// or what is behind a cache or stream; nil if there is none.
func (s *Sim) behind(n int32) *service {
	switch n := s.nodes[n].(type) {
	case *service:
		return n
	case *cache:
		return s.behind(s.byName[n.base.Of])
	case *stream:
		return s.behind(n.out.callee)
	}
	return nil
}

// setCall makes a service skip a call, or make it.
func (s *Service) setCall(param, to string, v any) error {
	for i := range s.Calls {
		if to == s.Calls[i].To+".skip" {
			return asBool(param, v, &s.Calls[i].Skip)
		}
	}
	return wrongParam(param, v, "a call that the service makes, as call.ID.skip")
}
