package modelcheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/wording"
	"example.test/eddy/phase/contract"
)

// A plannedRun is a model with what is said about it.
type plannedRun struct {
	name        string
	model       model
	tick        time.Duration
	safety      []Property
	liveness    Property
	assumptions []string
	teller      teller
	deps        *depsModel // if that is the model
	// finer plans the same with another tick, and reports whether a state has room
	// for as many. It is nil where rounding cannot make a violation, or where the
	// tick was asked for.
	finer func(tick time.Duration) (plannedRun, bool)
}

// plan returns the runs that a contract needs: one for its lease, and one for
// each role that may do something that the resource does not refuse by itself.
func plan(c *contract.Contract, o Options) ([]plannedRun, error) {
	for _, p := range c.Lint(contract.LintOptions{}) {
		if p.Code == "L02" || p.Code == "L03" {
			return nil, fmt.Errorf("no model without what is missing: %s", p)
		}
	}
	var plans []plannedRun
	if c.Exclusivity != nil {
		p, err := planLease(c, o)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	for _, roles := range groups(c, o) {
		p, err := planAnnounce(c, roles, o)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	if p, ok := planDeps(c, o); ok {
		plans = append(plans, p)
	}
	return plans, nil
}

// groups returns the consumers of each run.
func groups(c *contract.Contract, o Options) [][]contract.Consumer {
	var alone [][]contract.Consumer
	var together []contract.Consumer
	for _, r := range c.Roles.Consumers {
		matters := slices.ContainsFunc(c.ActionNames(), func(a string) bool {
			return !c.Exempt(a) && (len(r.Does[a]) > 0 || r.DoesUnknown(a))
		})
		if !matters {
			continue
		}
		together = append(together, r)
		alone = append(alone, slices.Repeat([]contract.Consumer{r}, max(o.Consumers, 1)))
	}
	if o.Together && len(together) > 1 {
		return [][]contract.Consumer{together}
	}
	return alone
}

func planAnnounce(c *contract.Contract, roles []contract.Consumer, o Options) (plannedRun, error) {
	tick := announceTick(c, roles, o)
	m, err := newAnnounceModel(c, roles, tick, o)
	if err != nil {
		return plannedRun{}, err
	}
	var names []string
	for _, r := range roles {
		names = append(names, r.Name)
	}
	p := plannedRun{
		name: strings.Join(names, "+"), model: m, tick: tick, teller: m,
		safety:   []Property{PropertyPermitted, PropertyFresh, PropertyOrder, PropertyPairing, PropertyGrace},
		liveness: PropertyAgreement,
	}
	p.assumptions = m.assumptions()
	// Dwell, await and assumedBound are rounded each by itself.
	if o.Tick == 0 && !slices.ContainsFunc(roles, contract.Consumer.Acknowledges) {
		p.finer = func(tick time.Duration) (plannedRun, bool) {
			o.Tick = tick
			finer, err := planAnnounce(c, roles, o)
			return finer, err == nil
		}
	}
	return p, nil
}

// announceTick is the contract's tick, unless a role's bound would be too many of
// them: then a tenth of that bound.
func announceTick(c *contract.Contract, roles []contract.Consumer, o Options) time.Duration {
	tick := c.Model.Tick
	if tick == 0 {
		tick = max(c.Propagation.Bound/4, time.Millisecond)
	}
	for _, r := range roles {
		tick = max(tick, c.BeliefBound(r)/10)
	}
	if o.Tick > 0 {
		return o.Tick
	}
	return tick
}

func (m *announceModel) assumptions() []string {
	c := m.contract
	var beliefs []string
	for i, r := range m.roles {
		what := "believes for"
		if !r.Acknowledges() {
			what = "learns within"
		}
		beliefs = append(beliefs, fmt.Sprintf("%s %s %v (%s)", r.Name, what, c.BeliefBound(r), wording.Plural(int(m.ttl[i]), "tick")))
	}
	channel := "in order"
	if m.reorder {
		channel = "in any order"
	}
	all := []string{
		fmt.Sprintf("a tick is %v; %s; a request takes up to %v (%s)", m.tick, strings.Join(beliefs, ", "), c.Propagation.MaxFlight, wording.Plural(int(m.flight), "tick")),
		fmt.Sprintf("pushes arrive %s or never; %s; at most %d announcements", channel, m.faultsInWords(), m.epochs),
	}
	if guarded := m.guarded(); len(guarded) > 0 {
		all = append(all, "may hold or not at any time: "+strings.Join(guarded, ", "))
	}
	for rule := range m.breaks {
		all = append(all, fmt.Sprintf("without the rule %s", rule))
	}
	slices.Sort(all[2:])
	return all
}

func (m *announceModel) faultsInWords() string {
	var kinds []string
	if m.faults == 0 {
		return "no faults"
	}
	kinds = append(kinds, "lost")
	if m.duplicate {
		kinds = append(kinds, "doubled")
	}
	words := []string{fmt.Sprintf("up to %d of: a push %s", m.faults, strings.Join(kinds, " or "))}
	for _, party := range []contract.Party{contract.PartyConsumer, contract.PartyProducer, contract.PartyMediator} {
		if m.crash[party] {
			words = append(words, fmt.Sprintf("a %s restarted", party))
		}
	}
	return strings.Join(words, ", ")
}

// guarded are the guards that the model does not know the truth of.
func (m *announceModel) guarded() []string {
	var guards []string
	for _, t := range m.contract.Transitions {
		if t.Guard != "true" && !slices.Contains(guards, t.Guard) {
			guards = append(guards, t.Guard)
		}
	}
	return guards
}

func planLease(c *contract.Contract, o Options) (plannedRun, error) {
	tick := c.Model.Tick
	if tick == 0 {
		tick = max(c.Exclusivity.Lease.TTL/5, time.Millisecond)
	}
	if o.Tick > 0 {
		tick = o.Tick
	}
	m, err := newLeaseModel(c, tick, o)
	if err != nil {
		return plannedRun{}, err
	}
	lease := c.Exclusivity.Lease
	faults := "no crashes"
	if m.crash && m.faults > 0 {
		faults = "up to " + wording.Plural(int(m.faults), "crash")
	}
	return plannedRun{
		name: "lease", model: m, tick: tick, teller: m,
		safety: []Property{PropertyWrites, PropertyDeposed, PropertyAlone}, liveness: PropertyLeader,
		assumptions: []string{
			fmt.Sprintf("a tick is %v; %d candidates; the lease lasts %d ticks, a holder acts for %d", tick, m.candidates, m.ttl, m.rules.RenewDeadline),
			fmt.Sprintf("a write may arrive at any time after it was sent; clocks differ by %v; %s", lease.MaxClockDrift, faults),
		},
	}, nil
}
