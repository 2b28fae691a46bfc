package condition

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// states adds what the timeline says was in force on the path.
func (s *Stamper) states(at time.Time) {
	if s.timeline == nil || len(s.timeline.entities) == 0 {
		return
	}
	for _, entity := range s.path {
		s.path = append(s.path, s.timeline.parts[entity]...)
	}
	slices.Sort(s.path)
	s.path = slices.Compact(s.path)
	slices.SortFunc(s.instances, func(a, b name) int {
		return cmp.Or(strings.Compare(a.entity, b.entity), strings.Compare(a.dimension, b.dimension))
	})
	s.instances = slices.Compact(s.instances)
	s.statesOf("", "", at)
	for _, entity := range s.path {
		if entity == "" || len(s.timeline.entities[entity]) == 0 {
			continue
		}
		found := false
		for _, in := range s.instances {
			if in.entity == entity {
				s.statesOf(entity, in.dimension, at)
				found = true
			}
		}
		if !found {
			s.statesOf(entity, "", at)
		}
	}
}

func (s *Stamper) statesOf(entity, instance string, at time.Time) {
	for _, st := range s.timeline.InForce(entity, instance, at) {
		if s.said(entity, st.Dimension) {
			continue
		}
		c := st.Condition()
		// A person or a tool reported the state, so it is one, however many
		// values there were: it is not counted in the ledger.
		id, ok := s.ledger.dictionary.ID(c)
		if !ok {
			s.stats.RefusedByDictionary++
			continue
		}
		s.ids = append(s.ids, id)
	}
}

// said reports whether the request's spans say the state themselves. A state
// that holds everywhere is said by any service's span.
func (s *Stamper) said(entity, dim string) bool {
	if entity != "" {
		return s.ledger.met(entity, dim)
	}
	return slices.ContainsFunc(s.names, func(c Condition) bool { return c.Dimension == dim })
}
