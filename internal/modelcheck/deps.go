package modelcheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/wording"
	"example.test/eddy/phase/contract"
)

// A depsModel is a subject with the subjects that its guards read, and those that
// their guards read. Of each there is only the phase: how it is announced and
// believed is what the other runs are about. A guard is evaluated with the phases
// of all that it reads, and holds or not for whatever else it asks.
type depsModel struct {
	subjects []depSubject
	possible func(guard string, in contract.PhaseName, deps map[string]contract.PhaseName) bool
}

// A depSubject is one subject, with the number of each that it reads by the name
// that its guards use.
type depSubject struct {
	contract *contract.Contract
	key      string
	reads    map[string]int
}

// newDepsModel follows the deps of a contract through others. missing names a
// contract that is not among them, in which case there is no model.
func newDepsModel(c *contract.Contract, o Options) (m *depsModel, missing string) {
	m = &depsModel{subjects: []depSubject{{contract: c, key: c.Subject.Key}}, possible: o.Possible}
	for i := 0; i < len(m.subjects); i++ {
		s := &m.subjects[i]
		s.reads = make(map[string]int, len(s.contract.Deps))
		for name, d := range s.contract.Deps {
			other := o.Contracts[d.Contract]
			if other == nil {
				return nil, d.Contract
			}
			s.reads[name] = m.subject(other, d.Key)
			s = &m.subjects[i] // there may be more of them
		}
	}
	return m, ""
}

// subject returns the number of a subject, which is added if it is new.
func (m *depsModel) subject(c *contract.Contract, key string) int {
	at := slices.IndexFunc(m.subjects, func(s depSubject) bool { return s.contract.Name == c.Name && s.key == key })
	if at < 0 {
		at = len(m.subjects)
		m.subjects = append(m.subjects, depSubject{contract: c, key: key})
	}
	return at
}

func (m *depsModel) size() int { return len(m.subjects) }

func (m *depsModel) initial(state []byte) {
	for i, s := range m.subjects {
		state[i] = s.phase(s.contract.Initial)
	}
}

func (s depSubject) phase(name contract.PhaseName) uint8 {
	return uint8(slices.IndexFunc(s.contract.Phases, func(p contract.Phase) bool { return p.Name == name }))
}

// deps are the phases that the guards of a subject read.
func (m *depsModel) deps(i int, state []byte) map[string]contract.PhaseName {
	deps := make(map[string]contract.PhaseName, len(m.subjects[i].reads))
	for name, other := range m.subjects[i].reads {
		deps[name] = m.subjects[other].contract.Phases[state[other]].Name
	}
	return deps
}

// holds reports whether a transition may be made.
func (m *depsModel) holds(i int, t contract.Transition, state []byte) bool {
	s := m.subjects[i]
	return s.contract.Phases[state[i]].Name == t.From && (m.possible == nil || m.possible(t.Guard, t.From, m.deps(i, state)))
}

func (m *depsModel) steps(state []byte, e *emitter) {
	for i, s := range m.subjects {
		for n, t := range s.contract.Transitions {
			if m.holds(i, t, state) {
				copy(e.next, state)
				e.next[i] = s.phase(t.To)
				e.emit(label(0, uint8(i), uint8(n)), "")
			}
		}
	}
}

// ended reports whether a subject is in a last phase, or has none.
func (s depSubject) ended(phase uint8) bool {
	return s.contract.Phases[phase].Terminal || !slices.ContainsFunc(s.contract.Phases, func(p contract.Phase) bool { return p.Terminal })
}

func (m *depsModel) agreed(state []byte) bool {
	for i, s := range m.subjects {
		if !s.ended(state[i]) {
			return false
		}
	}
	return true
}

// promela has one option for each step and each state of what its guard reads.
func (m *depsModel) promela(title string) string {
	p := &promela{}
	p.line("/* %s, for Spin: spin -a, then pan. */", title)
	first := make([]byte, m.size())
	m.initial(first)
	for i, s := range m.subjects {
		p.line("byte p%d = %d; /* %s %s */", i, first[i], s.contract.Name, plain(s.key))
	}
	p.line("active proctype subjects() {\n\tskip;\n\tdo")
	for i, s := range m.subjects {
		for _, t := range s.contract.Transitions {
			var when []string
			m.readings(i, first, func(state []byte) {
				state[i] = s.phase(t.From)
				if m.holds(i, t, state) {
					when = append(when, m.promelaReads(i, state))
				}
			})
			if len(when) > 0 {
				p.option(plain(string(t.From+" to "+t.To)), fmt.Sprintf("p%d == %d && (%s)", i, s.phase(t.From), strings.Join(when, " || ")), fmt.Sprintf("p%d = %d", i, s.phase(t.To)))
			}
		}
	}
	p.line("\tod")
	p.line("}")
	return p.String()
}

// readings calls each with every state of what a subject reads.
func (m *depsModel) readings(i int, from []byte, each func(state []byte)) {
	var others []int
	for _, other := range m.subjects[i].reads {
		if !slices.Contains(others, other) {
			others = append(others, other)
		}
	}
	slices.Sort(others)
	var walk func(k int, state []byte)
	walk = func(k int, state []byte) {
		if k == len(others) {
			each(slices.Clone(state))
			return
		}
		for phase := range m.subjects[others[k]].contract.Phases {
			state[others[k]] = uint8(phase)
			walk(k+1, state)
		}
	}
	walk(0, slices.Clone(from))
}

// promelaReads is the condition that what a subject reads is as in a state.
func (m *depsModel) promelaReads(i int, state []byte) string {
	terms := []string{"true"}
	for other := range m.subjects {
		for _, read := range m.subjects[i].reads {
			if read == other {
				terms = append(terms, fmt.Sprintf("p%d == %d", other, state[other]))
				break
			}
		}
	}
	return strings.Join(terms, " && ")
}

func (m *depsModel) lanes() []string {
	var lanes []string
	for _, s := range m.subjects {
		lanes = append(lanes, s.contract.Name)
	}
	return lanes
}

func (m *depsModel) tell(_ []byte, l uint32) (lane int, text string) {
	_, i, n := unlabel(l)
	t := m.subjects[i].contract.Transitions[n]
	return int(i), fmt.Sprintf("%s > %s", t.From, t.To)
}

func (m *depsModel) passes(uint32) bool { return false }

func (m *depsModel) explain(_ Property, before []byte, l uint32) (says, fix string) {
	state := slices.Clone(before)
	_, i, n := unlabel(l)
	state[i] = m.subjects[i].phase(m.subjects[i].contract.Transitions[n].To)
	return m.waits(state), depsFix
}

const depsFix = "let the guard also hold in a phase that the other subject can come to"

// ends says whether there is a way on which all come to their ends. If so, a step
// after which there is none is no mistake: a release that failed its tests is
// rolled out nowhere. It is told beside what the run rests on.
func (p plannedRun) ends(ctx context.Context, s *search, run *Run) error {
	m := p.deps
	if !s.any(m.agreed) {
		p.neverEnds(s, run)
		return nil
	}
	stuck, shut, err := s.stuck(ctx)
	if err != nil || !shut {
		return err
	}
	run.Assumptions = append(run.Assumptions, "it can be shut out: "+m.waits(s.state(stuck)))
	return nil
}

// neverEnds shows how far the subjects come.
func (p plannedRun) neverEnds(s *search, run *Run) {
	var deepest []id
	for shard, sh := range s.shards {
		for index := range sh.n {
			if path := s.path(newID(shard, index)); len(path) > len(deepest) {
				deepest = path
			}
		}
	}
	run.Counterexample = p.counterexample(s, p.liveness, deepest, 0)
	if len(deepest) == 1 { // nobody takes a step
		run.Counterexample.Says, run.Counterexample.Fix = p.deps.waits(s.state(deepest[0])), depsFix
	}
}

// any reports whether something holds in a state that was visited.
func (s *search) any(holds func(state []byte) bool) bool {
	for _, sh := range s.shards {
		for index := range sh.n {
			if holds(sh.state(index)) {
				return true
			}
		}
	}
	return false
}

// waits says who waits, for what.
func (m *depsModel) waits(state []byte) string {
	var waits []string
	for i, s := range m.subjects {
		if s.ended(state[i]) {
			continue
		}
		var reads []string
		for _, name := range sorted(s.reads) {
			reads = append(reads, fmt.Sprintf("%s is %s", name, m.deps(i, state)[name]))
		}
		if len(reads) > 0 {
			waits = append(waits, fmt.Sprintf("%s is %s, where %s", s.contract.Name, s.contract.Phases[state[i]].Name, strings.Join(reads, " and ")))
		}
	}
	return strings.Join(waits, "; ")
}

func sorted(reads map[string]int) []string {
	names := make([]string, 0, len(reads))
	for name := range reads {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// planDeps plans the run of a contract with what its guards read, and reports
// whether there is one.
func planDeps(c *contract.Contract, o Options) (plannedRun, bool) {
	if len(c.Deps) == 0 || o.Contracts == nil {
		return plannedRun{}, false
	}
	m, missing := newDepsModel(c, o)
	if missing != "" {
		return plannedRun{}, false
	}
	var others []string
	for _, s := range m.subjects[1:] {
		others = append(others, fmt.Sprintf("%s (%s)", s.key, s.contract.Name))
	}
	return plannedRun{
		name: "deps", model: m, deps: m, tick: time.Second, teller: m, liveness: PropertyEnd, safety: []Property{},
		assumptions: []string{fmt.Sprintf("with %s: %s", wording.Plural(len(others), "other subject"), strings.Join(others, ", "))},
	}, true
}
