package modelcheck

import (
	"fmt"
	"time"

	"example.test/eddy/phase/contract"
)

func (m *announceModel) lanes() []string {
	lanes := []string{"subject (" + string(m.contract.Subject.Kind) + ")", "mediator"}
	for i := range m.roles {
		lanes = append(lanes, m.consumerName(uint8(i)))
	}
	return lanes
}

// consumerName is the role, with a number where there are several of it.
func (m *announceModel) consumerName(i uint8) string {
	name := m.roles[i].Name
	for k, r := range m.roles {
		if uint8(k) != i && r.Name == name {
			return fmt.Sprintf("%s %d", name, i+1)
		}
	}
	return name
}

func (m *announceModel) passes(l uint32) bool {
	kind, _, _ := unlabel(l)
	return kind == stepTick
}

// phaseName and epochName are a phase, and an epoch with its phase.
func (m *announceModel) phaseName(p uint8) contract.PhaseName { return m.contract.Phases[p].Name }

func (m *announceModel) epochName(s *announceState, e uint8) string {
	return fmt.Sprintf("%s @%d", m.phaseName(s.history[e]), e)
}

// The columns of the subject and the mediator; consumers follow.
const (
	laneSubject = iota
	laneMediator
	laneConsumers
)

func (m *announceModel) tell(before []byte, l uint32) (lane int, text string) {
	var s announceState
	m.unpack(before, &s)
	kind, i, what := unlabel(l)
	c := &s.consumers[i]
	consumer := laneConsumers + int(i)
	switch kind {
	case stepTick:
		return m.expiry(&s)
	case stepCommit:
		return laneMediator, fmt.Sprintf("commits %s @%d", m.contract.Transitions[what].To, s.epoch+1)
	case stepEnforce:
		return laneSubject, fmt.Sprintf("enforces %s", m.phaseName(m.rules[s.step-1].to))
	case stepAct:
		t := m.contract.Transitions[what]
		return laneSubject, fmt.Sprintf("makes %s > %s", t.From, t.To)
	case stepAsk:
		return consumer, "asks the mediator"
	case stepAnswer:
		return laneMediator, fmt.Sprintf("answers %s with %s", m.consumerName(i), m.epochName(&s, s.epoch))
	case stepConfirm:
		return consumer, m.news(&s, i, c.confirmed, stepConfirm)
	case stepPush:
		return consumer, m.news(&s, i, what, stepPush)
	case stepDuplicate:
		return consumer, m.news(&s, i, what, stepPush) + " (another such push is on its way)"
	case stepLose:
		return consumer, fmt.Sprintf("the push of @%d is lost", what)
	case stepSend:
		return consumer, fmt.Sprintf("sends %s, believing %s", m.actions[what], m.beliefName(&s, i))
	case stepArrive:
		verdict := "is served"
		if m.denies[s.actual][what] {
			verdict = "is denied"
		}
		return laneSubject, fmt.Sprintf("%s of %s arrives in %s and %s", m.actions[what], m.consumerName(i), m.phaseName(s.actual), verdict)
	case stepCrash:
		return consumer, "crashes and restarts"
	case stepUnregister:
		return laneMediator, fmt.Sprintf("the former registration of %s ends", m.consumerName(i))
	case stepLearn:
		return consumer, "believes " + m.epochName(&s, what)
	case stepProducerCrash:
		return laneSubject, fmt.Sprintf("crashes; what it made is not in force, %s is", m.phaseName(s.history[s.epoch]))
	case stepMediatorCrash:
		return laneMediator, "crashes and restarts"
	default:
		panic(fmt.Sprintf("BUG: step %d is none of this model", kind))
	}
}

// news says what a consumer makes of an epoch it hears of.
func (m *announceModel) news(s *announceState, i, epoch uint8, how stepKind) string {
	from := "a push"
	if how == stepConfirm {
		from = "the answer"
	}
	after := *s
	w := walk{m: m}
	w.hear(&after, i, epoch, how)
	switch before, c := s.consumers[i], after.consumers[i]; {
	case c.believed == 0 && c.floor == before.floor, c.believed > 0 && c.believed != epoch+1:
		return fmt.Sprintf("drops @%d from %s", epoch, from)
	case c.believed == 0:
		return fmt.Sprintf("notes @%d from %s", epoch, from)
	case c.acked > before.acked:
		return fmt.Sprintf("believes %s from %s, acks", m.epochName(s, epoch), from)
	default:
		return fmt.Sprintf("believes %s from %s", m.epochName(s, epoch), from)
	}
}

// expiry says whose belief ends with a tick. Of several it tells the first.
func (m *announceModel) expiry(s *announceState) (lane int, text string) {
	for i, r := range m.roles {
		if c := &s.consumers[i]; r.Acknowledges() && c.believed > 0 && c.age == m.ttl[i] && !m.breaks[RuleTTL] {
			return laneConsumers + i, fmt.Sprintf("no longer believes %s", m.epochName(s, c.believed-1))
		}
	}
	return laneSubject, ""
}

func (m *announceModel) beliefName(s *announceState, i uint8) string {
	c := &s.consumers[i]
	if c.believed == 0 {
		return "nothing"
	}
	return m.epochName(s, c.believed-1)
}

// explain says what is wrong, and which rule or field would exclude it.
func (m *announceModel) explain(p Property, before []byte, l uint32) (says, fix string) {
	var s announceState
	m.unpack(before, &s)
	_, i, what := unlabel(l)
	name := m.consumerName(i)
	switch p {
	case PropertyPermitted:
		says = fmt.Sprintf("%s of %s arrives in %s, which denies %s", m.actions[what], name, m.phaseName(s.actual), m.contract.Actions[m.actions[what]].Requires)
		return says, m.repair(i, m.actions[what])
	case PropertyFresh:
		return fmt.Sprintf("%s acts on a belief in %s that was not confirmed for %v", name, m.beliefName(&s, i), m.contract.BeliefBound(m.roles[i])), m.withRules("let beliefs end")
	case PropertyOrder:
		return fmt.Sprintf("%s goes back from %s", name, m.beliefName(&s, i)), m.withRules("drop news that is older than the newest seen")
	case PropertyPairing:
		return fmt.Sprintf("%s acts while it believes %s and %s is in force, which the contract forbids", name, m.beliefName(&s, i), m.phaseName(s.actual)), "drop the pairing, or put a phase between"
	case PropertyGrace:
		role := m.roles[i]
		actual := m.phaseName(s.actual)
		return fmt.Sprintf("%s of %s arrives %v after %s came into force, which tolerates it for %v", m.actions[what], name, time.Duration(s.held)*m.tick, actual, m.contract.GraceFor(role.Name, actual)),
			m.withRules(fmt.Sprintf("tolerate it longer, by a pairing with for, or propagation.bound: %s believes for up to %v, and a request takes up to %v", role.Name, m.contract.BeliefBound(role), m.contract.Propagation.MaxFlight))
	default:
		return "from here on they cannot agree any more", "let a consumer learn the last announcement"
	}
}

// repair is the first thing that would exclude that a denied action arrives.
func (m *announceModel) repair(i uint8, action string) string {
	r := m.roles[i]
	if len(m.breaks) > 0 {
		return m.withRules("")
	}
	if problems := contract.Errors(m.contract.Lint(contract.LintOptions{})); len(problems) > 0 {
		return fmt.Sprintf("%s (%s): %s", problems[0].Code, problems[0].Position, problems[0].Fix)
	}
	if r.Acknowledges() && r.DoesUnknown(action) {
		return fmt.Sprintf("%s does %s without a belief: drop it from unknown.does, or let every phase permit it", r.Name, action)
	}
	for _, t := range m.contract.Transitions {
		if t.Settle == contract.SettleSkip {
			return fmt.Sprintf("say settle: required for %s to %s", t.From, t.To)
		}
	}
	return "await longer, or shorten beliefTTL, maxFlight or assumedBound"
}

// withRules says to keep the rules that were left out.
func (m *announceModel) withRules(otherwise string) string {
	for _, r := range Rules() {
		if m.breaks[r.Rule] {
			return fmt.Sprintf("keep the rule %s: %s", r.Rule, r.Says)
		}
	}
	return otherwise
}
