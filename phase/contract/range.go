package contract

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// fillDefaults sets what the file leaves out.
func (c *Contract) fillDefaults() {
	c.Propagation.fillDefaults(c.written("spec.propagation.clockDrift"))
	if c.Announce.Quorum == 0 {
		c.Announce.Quorum = 1
	}
	if c.Announce.MaxSkew == 0 {
		c.Announce.MaxSkew = 30 * time.Second
	}
	if c.Stability.Flap.Window == 0 {
		c.Stability.Flap.Window = time.Hour
	}
	if !c.written("spec.stability.flap.maxFlips") {
		c.Stability.Flap.MaxFlips = 2
	}
	if c.Stability.Flap.OnBreach == "" {
		c.Stability.Flap.OnBreach = BreachPage
	}
	for i := range c.Roles.Consumers {
		if r := &c.Roles.Consumers[i]; r.Acknowledges() && r.BeliefTTL == 0 {
			r.BeliefTTL = c.Propagation.BeliefTTL
		}
	}
	for i := range c.Transitions {
		c.fillTransition(i)
	}
	if c.Exclusivity != nil && c.Exclusivity.Scope == "" {
		c.Exclusivity.Scope = "subject"
	}
	c.fillModel()
}

// fillModel lets go wrong what can, unless the file says otherwise.
func (c *Contract) fillModel() {
	m := &c.Model
	if !c.written("spec.model.loss") {
		m.Loss = 1
	}
	m.Reorder = m.Reorder || !c.written("spec.model.reorder")
	m.Duplicate = m.Duplicate || !c.written("spec.model.duplicate")
	m.Pause = m.Pause || !c.written("spec.model.pause")
	if !c.written("spec.model.crash") {
		m.Crash = []Party{PartyConsumer, PartyProducer, PartyMediator}
	}
	if m.Candidates == 0 {
		m.Candidates = 2
	}
	if m.MaxEpochs == 0 {
		m.MaxEpochs = 4
	}
}

// fillTransition derives the discipline and the await of a transition.
func (c *Contract) fillTransition(i int) {
	t := &c.Transitions[i]
	if t.Guard == "" {
		t.Guard = "true"
	}
	if t.Settle == "" {
		t.Settle = SettleRequired
	}
	step := c.Derive(t.From, t.To)
	if t.Discipline == "" {
		t.Discipline = step.Discipline
	}
	if t.Discipline != AnnounceFirst {
		return
	}
	if len(step.Loss) == 0 && !c.written(fmt.Sprintf("spec.transitions[%d].await", i)) {
		t.Await.Acks = AckNone // nothing is withdrawn, so there is nothing to wait for
		return
	}
	if t.Await.Acks == "" {
		t.Await.Acks = AckQuiesced
	}
	if !c.written(fmt.Sprintf("spec.transitions[%d].await.atMost", i)) {
		t.Await.AtMost = c.Propagation.Bound
	}
}

func (p *Propagation) fillDefaults(driftWritten bool) {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	fill(&p.Bound, 2*time.Second)
	fill(&p.BeliefTTL, 900*time.Millisecond)
	fill(&p.ConfirmEvery, p.BeliefTTL/3)
	fill(&p.MaxFlight, 400*time.Millisecond)
	if !driftWritten {
		p.ClockDrift = 0.01
	}
}

// written reports whether a field is in the file.
func (c *Contract) written(field string) bool {
	_, ok := c.lines[field]
	return ok
}

// Where returns where a field stands in the file, such as
// spec.transitions[2].await, or the nearest field around it.
func (c *Contract) Where(field string) Position {
	for field != "" {
		if at, ok := c.lines[field]; ok {
			at.File = c.file
			return at
		}
		i := len(field) - 1
		for i > 0 && field[i] != '.' && field[i] != '[' {
			i--
		}
		field = field[:i]
	}
	return Position{File: c.file, Line: 1, Column: 1}
}

// template is a key over attributes: text and {attribute}.
var template = regexp.MustCompile(`^([^{}\s]|\{[a-z][a-z0-9_.]*\})+$`)

// identifier is what roles, actions, permissions and keys may be called: they go
// into messages, headers, metrics and names of files.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// A ranger collects values that are out of range.
type ranger struct {
	c        *Contract
	problems []Problem
}

// ranges checks what a type cannot: ranges, lengths and names that are there
// twice.
func (c *Contract) ranges() []Problem {
	r := &ranger{c: c}
	r.want(len(c.Phases) > 0 && len(c.Phases) <= 32, "spec.phases", fmt.Sprintf("has %d phases", len(c.Phases)), "want 1 to 32")
	for _, n := range []struct {
		field     string
		has, most int
	}{
		{"actions", len(c.Actions), 64},
		{"transitions", len(c.Transitions), 128},
		{"roles.consumers", len(c.Roles.Consumers), 32},
		{"announce.keys", len(c.Announce.Keys), 64},
	} {
		r.want(n.has > 0 && n.has <= n.most, "spec."+n.field, fmt.Sprintf("has %d", n.has), fmt.Sprintf("want 1 to %d", n.most))
	}
	r.want(template.MatchString(c.Subject.Key), "spec.subject.key", fmt.Sprintf("is %q", c.Subject.Key), "want text and attributes in braces, as {service.name}/{service.instance.id}")
	r.names("spec.phases", len(c.Phases), func(i int) string { return string(c.Phases[i].Name) })
	r.names("spec.roles.producers", len(c.Roles.Producers), func(i int) string { return c.Roles.Producers[i].Name })
	r.names("spec.roles.consumers", len(c.Roles.Consumers), func(i int) string { return c.Roles.Consumers[i].Name })
	r.names("spec.announce.keys", len(c.Announce.Keys), func(i int) string { return c.Announce.Keys[i].ID })
	r.identifiers()
	r.names("spec.transitions", len(c.Transitions), func(i int) string {
		return string(c.Transitions[i].From + " to " + c.Transitions[i].To)
	})
	for i, role := range c.Roles.Consumers {
		field := fmt.Sprintf("spec.roles.consumers[%d]", i)
		r.ratio(role.PanicThreshold, field+".panicThreshold")
		r.want(role.Acknowledges() || role.BeliefTTL == 0, field+".beliefTTL", "is for roles that observe eddy", "say assumedBound instead")
		r.want(!role.Acknowledges() || role.AssumedBound == 0, field+".assumedBound", "is for roles that do not observe eddy", "say beliefTTL instead")
		r.want(role.Acknowledges() || role.AssumedBound > 0, field+".assumedBound", "missing", "want how late a role may act that observes "+string(role.Observes)+", as 5s")
	}
	p := c.Propagation
	p.fillDefaults(c.written("spec.propagation.clockDrift"))
	r.want(p.ConfirmEvery <= p.BeliefTTL/3, "spec.propagation.confirmEvery", fmt.Sprintf("is %v", p.ConfirmEvery), fmt.Sprintf("want at most a third of beliefTTL, %v", p.BeliefTTL/3))
	r.want(p.ClockDrift >= 0 && p.ClockDrift < 0.5, "spec.propagation.clockDrift", fmt.Sprintf("is %v", p.ClockDrift), "want a ratio from 0 to 0.5, as 0.01")
	r.keys()
	if e := c.Exclusivity; e != nil {
		r.want(e.Lease.MaxClockDrift >= 0 && e.Lease.MaxClockDrift < 0.5, "spec.exclusivity.lease.maxClockDrift", fmt.Sprintf("is %v", e.Lease.MaxClockDrift), "want a ratio from 0 to 0.5, as 0.05")
		r.want(e.Scope == "" || e.Scope == "subject", "spec.exclusivity.scope", fmt.Sprintf("is %q", e.Scope), "want subject")
	}
	r.want(c.Stability.Flap.MaxFlips >= 0, "spec.stability.flap.maxFlips", "is negative", "want 0 or more")
	r.slo()
	r.model()
	return r.problems
}

func (r *ranger) want(ok bool, field, what, fix string) {
	if !ok {
		r.problems = append(r.problems, Problem{Severity: SeverityError, Position: r.c.Where(field), Field: field, Message: what, Fix: fix})
	}
}

func (r *ranger) ratio(f float64, field string) {
	r.want(f >= 0 && f <= 1, field, fmt.Sprintf("is %v", f), "want a ratio from 0 to 1")
}

// names wants every item of a list to be called differently.
func (r *ranger) names(field string, n int, name func(int) string) {
	seen := map[string]bool{}
	for i := range n {
		r.want(!seen[name(i)], fmt.Sprintf("%s[%d]", field, i), name(i)+" is there twice", "keep one")
		seen[name(i)] = true
	}
}

// identifiers checks the names that are not of phases, which L01 judges.
func (r *ranger) identifiers() {
	want := func(field, name string) {
		r.want(identifier.MatchString(name), field, fmt.Sprintf("is called %q", name), "want letters, digits, _, - and ., at most 63")
	}
	for i, p := range r.c.Roles.Producers {
		want(fmt.Sprintf("spec.roles.producers[%d]", i), p.Name)
	}
	for i, c := range r.c.Roles.Consumers {
		want(fmt.Sprintf("spec.roles.consumers[%d]", i), c.Name)
	}
	for _, name := range r.c.ActionNames() {
		want("spec.actions."+name, name)
	}
	for _, name := range r.c.permissionNames() {
		want("spec.phases", name)
	}
	for i, k := range r.c.Announce.Keys {
		want(fmt.Sprintf("spec.announce.keys[%d]", i), k.ID)
	}
}

func (r *ranger) keys() {
	a := r.c.Announce
	r.want(a.Quorum >= 0, "spec.announce.quorum", "is negative", "want a number of keys")
	r.want(max(a.Quorum, 1) <= len(a.Keys), "spec.announce.quorum", fmt.Sprintf("is %d with %d keys", a.Quorum, len(a.Keys)), "want as many keys at least")
	for i, k := range a.Keys {
		field := fmt.Sprintf("spec.announce.keys[%d]", i)
		raw, err := base64.StdEncoding.DecodeString(k.PublicKey)
		r.want(err == nil && len(raw) == 32, field+".publicKey", fmt.Sprintf("is %q", k.PublicKey), "want the 32 bytes of an Ed25519 public key in base64")
		r.want(k.Alg == "ed25519", field+".alg", fmt.Sprintf("is %q", k.Alg), "want ed25519")
		r.want(k.NotAfter.IsZero() || k.NotAfter.After(k.NotBefore), field+".notAfter", "is not after notBefore", "want a later time")
	}
}

func (r *ranger) slo() {
	s := r.c.SLO
	for i, ratio := range []float64{s.M1, s.M2, s.M3, s.M4} {
		r.ratio(ratio, fmt.Sprintf("spec.slo.M%d", i+1))
	}
	r.ratio(s.M9, "spec.slo.M9")
	for i, rate := range []float64{s.M6, s.M7, s.M8} {
		r.want(rate >= 0, fmt.Sprintf("spec.slo.M%d", i+6), "is negative", "want 0 or more")
	}
}

func (r *ranger) model() {
	m := r.c.Model
	for _, n := range []struct {
		field string
		value int
		most  int
	}{{"candidates", m.Candidates, 4}, {"loss", m.Loss, 3}, {"maxEpochs", m.MaxEpochs, 8}} {
		r.want(n.value >= 0 && n.value <= n.most, "spec.model."+n.field, fmt.Sprintf("is %d", n.value), fmt.Sprintf("want 0 to %d", n.most))
	}
	r.want(m.Tick == 0 || m.Tick >= time.Millisecond, "spec.model.tick", fmt.Sprintf("is %v", m.Tick), "want at least 1ms")
	r.want(len(slices.Compact(slices.Sorted(slices.Values(m.Crash)))) == len(m.Crash), "spec.model.crash", "names a party twice", "keep one")
}
