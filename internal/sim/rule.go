package sim

// maxAtoms is how many different atoms the rules of a model may have: one bit of
// a request each.
const maxAtoms = 64

// Bits of frame.flags: one for each flag whose variant a request got, and one
// that says that they were evaluated.
const (
	maxFlags       = 15
	flagsEvaluated = 1 << maxFlags
)

// atoms gives each atom that some rule asks for a bit.
type atoms struct {
	list []Atom
}

// bit returns the bit of an atom, or 0 if no rule asks for it.
func (a *atoms) bit(x Atom) uint64 {
	x.Not = false
	for i := range a.list {
		if a.list[i] == x {
			return 1 << i
		}
	}
	return 0
}

// need returns the bit of an atom that a rule asks for.
func (a *atoms) need(x Atom) uint64 {
	x.Not = false
	if b := a.bit(x); b != 0 {
		return b
	}
	a.list = append(a.list, x)
	return 1 << (len(a.list) - 1)
}

// A rule is one that is ready to be judged by.
type rule struct {
	id        int32
	spec      *Rule
	need, not uint64
	prob      float64
	slow      sampler
	harms     *int
}

// evaluate evaluates the flags of a service for a request. Users with the same
// number for a flag are the same ones wherever it is evaluated.
func (v *service) evaluate(spec *Service, q *request, f *frame) {
	if len(spec.Flags) > 0 {
		f.flags |= flagsEvaluated
	}
	for i := range spec.Flags {
		g := &spec.Flags[i]
		variant := g.Default
		if g.Share > 0 && unit(mix(q.key^hashText(uint64(forFlag), g.Key))) < g.Share {
			variant = g.Variant
			f.flags |= 1 << i
		}
		q.met |= v.sim.atoms.bit(Atom{v.base.ID, g.Key, variant, false})
	}
}

// judge applies the rules of a service to a request, and reports whether it has
// ended or goes on working.
func (v *service) judge(j int32) bool {
	s := v.sim
	f := s.frames.at(j)
	q := s.requests.at(f.req)
	t := s.stations[f.station]
	met := q.met | s.inForce
	f.past = pastJudgement
	for i := range v.rules {
		r := &v.rules[i]
		if met&r.need != r.need || met&r.not != 0 ||
			r.prob < 1 && draw(q.key, forRule, int(r.id), int(f.serial)) >= r.prob {
			continue
		}
		if r.harms != nil {
			*r.harms++
		}
		if r.spec.Leak {
			t.leaked++
		}
		if r.spec.Error != "" {
			f.cause = r.id
			t.leave(j, resultRule)
			return true
		}
		if !r.spec.Slow.zero() {
			more := r.slow.at(draw(q.key, forRule, int(r.id)|1<<20, int(f.serial)))
			t.addMore(j, more)
			return true
		}
	}
	return false
}

// setFlag sets the variant of a flag for everybody, or the share who get it.
func (s *Service) setFlag(param, key string, v any) error {
	for i := range s.Flags {
		f := &s.Flags[i]
		switch key {
		case f.Key:
			f.Share = 1
			return asText(param, v, &f.Variant)
		case f.Key + ".share":
			return asShare(param, v, &f.Share)
		}
	}
	return wrongParam(param, v, "a flag that the service has")
}
