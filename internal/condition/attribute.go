package condition

import (
	"strings"

	"example.test/eddy/attr"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/telemetry"
)

// A key is what is known of an attribute's name.
type key struct {
	name      string // current
	role      Role
	ofRequest bool
	ofTarget  bool
	flag      bool // feature_flag.key
	measured  bool // unknown to the table: its values say whether it is a measurement
}

// key returns what is known of an attribute's name.
func (s *Stamper) key(of string) key {
	k, ok := s.keys[of]
	if ok {
		return k
	}
	current := attr.Current(of)
	_, own := s.config.Roles.own.of(current)
	_, builtin := s.config.Roles.builtin.of(current)
	k = key{
		name:      current,
		role:      s.config.Roles.Of(current),
		ofRequest: ofRequest(current),
		ofTarget:  ofTarget(current),
		flag:      current == attr.FeatureFlagKey,
		measured:  !own && !builtin,
	}
	if len(s.keys) >= 20_000 {
		clear(s.keys)
	}
	s.keys[strings.Clone(of)] = k
	return k
}

// attributes adds the span attributes that are conditions.
func (s *Stamper) attributes(spans []*telemetry.Span) {
	for _, span := range spans {
		target := ""
		for _, a := range span.Attributes {
			k := s.key(a.Key)
			if k.role != RoleMeasure && (k.role != RoleCondition || k.measured && fraction(a.Value)) {
				continue
			}
			entity := span.Resource.Service
			switch {
			case k.ofTarget:
				if target == "" {
					target = graph.TargetOf(span).Name
				}
				if target != "" {
					entity = target
				}
			case k.ofRequest:
				entity = ""
			}
			if k.role == RoleMeasure && s.measure(entity, k, a.Value) {
				continue
			}
			s.put(entity, k.name, a.Value)
		}
	}
}

// fraction reports whether v is a number with a decimal point or an exponent:
// a measurement, which is no state. Numbers without are often codes.
func fraction(v string) bool {
	digits, points := 0, 0
	for i := range len(v) {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			points++
		case c == '-' || c == '+' || c == 'e':
		default:
			return false
		}
	}
	return digits > 1 && points == 1
}
