package modelcheck

import (
	"fmt"
	"math"
	"slices"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
)

// These bound what a state has room for.
const (
	maxConsumers = 4
	maxEpochs    = 7 // the bits of a byte, less the initial phase
)

// An announceModel is one subject with its producer, the mediator, and consumers
// that each have one request on its way at most.
//
// The mediator's commit is one step, as it is one transaction; everything between
// it and the consumers may be slow, and out of order. Time is counted in ticks
// since the last commit. It cannot pass while a request has been on its way for
// as long as one can be. Waits are rounded down and beliefs and flights up, so that
// ticks hide no violation.
type announceModel struct {
	contract *contract.Contract
	tick     time.Duration
	roles    []contract.Consumer // by consumer
	actions  []string
	breaks   map[Rule]bool

	epochs    uint8
	faults    uint8
	reorder   bool
	duplicate bool
	crash     map[contract.Party]bool

	flight  uint8   // ticks that a request takes at most
	ttl     []uint8 // by consumer: ticks that a belief lasts; for those that do not acknowledge, ticks that news takes
	settle  uint8   // ticks after which an epoch has settled; 0 if nobody acknowledges
	longest uint8   // ticks beyond which time makes no difference
	silent  bool    // somebody does not acknowledge
	// others acknowledge in this contract, but not in this model. They may have done
	// so at any time.
	others bool
	rules  []stepRules
	start  uint8

	// graces are the ticks for which an action is tolerated after a phase came into
	// force, by consumer, phase and action; noGrace where there is no end to it.
	graces [][][]uint8
	graced uint8 // ticks in force beyond which grace is over everywhere; 0 without any

	denies      [][]bool // by phase and action
	does        [][]uint32
	doesUnknown [][]bool
	forbidden   [][][]bool // by consumer, actual and believed phase
}

// stepRules are a transition in ticks.
type stepRules struct {
	from, to uint8
	// announceFirst and atomic are the discipline; with neither it is act first.
	announceFirst, atomic bool
	dwell                 uint8
	skipSettle            bool
	wait                  protocol.ProducerRules
	possible              bool
}

// An announceState is a state, unpacked.
type announceState struct {
	actual, mode, step, since, epoch, faults uint8
	held                                     uint8 // ticks since the phase came into force, if there is grace
	history                                  [maxEpochs + 1]uint8
	ages                                     [maxEpochs + 1]uint8 // ticks since each epoch was committed, until all who do not acknowledge know of it
	consumers                                [maxConsumers]consumerState
}

// The modes of the transition under way.
const (
	modeStable    = iota
	modeAnnounced // committed, not yet in force
	modeActed     // in force, not yet committed
)

// A consumerState is one consumer. Believed and flight have 0 for none, so an
// epoch or an action is one less.
type consumerState struct {
	believed, floor, age        uint8
	confirm, confirmed, asked   uint8 // confirm: none, sent or answered; the epoch answered; ticks since it was sent
	pushed                      uint8 // a bit for each epoch whose push is on its way
	flight, flying, under, late uint8 // the action on its way, for how long, begun under which epoch, or under an older one
	acked, restarted            uint8
}

// The stages of a confirm.
const (
	confirmNone = iota
	confirmSent
	confirmAnswered
)

// What is known of a consumer's former life.
const (
	restartedNot      = iota
	restartedUnacked  // its registration has not ended, and it has not acknowledged the present epoch
	restartedHadAcked // it had
	restartedUnknown  // the mediator has restarted since, and forgotten the registration
)

// The parts of a packed state: what is before the history, one byte of history for
// each epoch, one of its age if somebody is silent, and the consumers.
const (
	bytesBeforeHistory = 6
	bytesOfConsumer    = 13
)

func (m *announceModel) size() int {
	n := bytesBeforeHistory + int(m.epochs) + bytesOfConsumer*len(m.roles)
	if m.silent {
		n += int(m.epochs)
	}
	if m.graced > 0 {
		n++
	}
	return n
}

func (m *announceModel) pack(s *announceState, to []byte) {
	to[0], to[1], to[2], to[3], to[4], to[5] = s.actual, s.mode, s.step, s.since, s.epoch, s.faults
	n := bytesBeforeHistory + copy(to[bytesBeforeHistory:], s.history[1:m.epochs+1])
	if m.silent {
		n += copy(to[n:], s.ages[1:m.epochs+1])
	}
	if m.graced > 0 {
		to[n] = s.held
		n++
	}
	for i := range m.roles {
		c := &s.consumers[i]
		at := to[n : n+bytesOfConsumer]
		at[0], at[1], at[2], at[3], at[4], at[5], at[6] = c.believed, c.floor, c.age, c.confirm, c.confirmed, c.asked, c.pushed
		at[7], at[8], at[9], at[10], at[11], at[12] = c.flight, c.flying, c.under, c.late, c.acked, c.restarted
		n += bytesOfConsumer
	}
}

func (m *announceModel) unpack(from []byte, s *announceState) {
	s.actual, s.mode, s.step, s.since, s.epoch, s.faults = from[0], from[1], from[2], from[3], from[4], from[5]
	s.history[0] = m.start
	n := bytesBeforeHistory + copy(s.history[1:], from[bytesBeforeHistory:bytesBeforeHistory+int(m.epochs)])
	if m.silent {
		n += copy(s.ages[1:], from[n:n+int(m.epochs)])
	}
	if m.graced > 0 {
		s.held = from[n]
		n++
	}
	for i := range m.roles {
		c := &s.consumers[i]
		at := from[n : n+bytesOfConsumer]
		c.believed, c.floor, c.age, c.confirm, c.confirmed, c.asked, c.pushed = at[0], at[1], at[2], at[3], at[4], at[5], at[6]
		c.flight, c.flying, c.under, c.late, c.acked, c.restarted = at[7], at[8], at[9], at[10], at[11], at[12]
		n += bytesOfConsumer
	}
}

// newAnnounceModel translates a contract for some consumers.
func newAnnounceModel(c *contract.Contract, roles []contract.Consumer, tick time.Duration, o Options) (*announceModel, error) {
	if len(roles) > maxConsumers {
		return nil, fmt.Errorf("%d consumers: want at most %d", len(roles), maxConsumers)
	}
	m := &announceModel{contract: c, tick: tick, roles: roles, actions: c.ActionNames(), breaks: o.breaks()}
	m.epochs = uint8(min(o.epochs(c), maxEpochs))
	m.faults = uint8(o.faults(c))
	m.reorder, m.duplicate = c.Model.Reorder, c.Model.Duplicate
	m.crash = make(map[contract.Party]bool)
	for _, party := range c.Model.Crash {
		m.crash[party] = true
	}
	m.start = m.phase(c.Initial)
	m.silent = slices.ContainsFunc(roles, func(r contract.Consumer) bool { return !r.Acknowledges() })
	m.others = !slices.ContainsFunc(roles, contract.Consumer.Acknowledges) && slices.ContainsFunc(c.Roles.Consumers, contract.Consumer.Acknowledges)
	m.permissions()
	m.grace()
	return m, m.times(o)
}

// noGrace is more ticks than a state has room for.
const noGrace = math.MaxUint8

// grace makes tables of how long late actions are tolerated. Time is rounded down.
func (m *announceModel) grace() {
	for _, r := range m.roles {
		byPhase := make([][]uint8, len(m.contract.Phases))
		for p, phase := range m.contract.Phases {
			byPhase[p] = make([]uint8, len(m.actions))
			for x, action := range m.actions {
				byPhase[p][x] = noGrace
				if m.contract.Permits(phase.Name, action) == contract.Grace && (len(r.Does[action]) > 0 || r.DoesUnknown(action)) {
					byPhase[p][x] = m.down(m.contract.GraceFor(r.Name, phase.Name))
					m.graced = max(m.graced, byPhase[p][x]+1)
				}
			}
		}
		m.graces = append(m.graces, byPhase)
	}
}

// overstays reports whether the action on its way was sent under another phase
// than the one in force, and the time of grace is over.
func (m *announceModel) overstays(s *announceState, i uint8) bool {
	c := &s.consumers[i]
	return s.held > m.graces[i][s.actual][c.flight-1] && (c.late != 0 || s.history[c.under] != s.actual)
}

func (m *announceModel) phase(name contract.PhaseName) uint8 {
	return uint8(slices.IndexFunc(m.contract.Phases, func(p contract.Phase) bool { return p.Name == name }))
}

// permissions makes tables of who does what where.
func (m *announceModel) permissions() {
	c := m.contract
	for _, p := range c.Phases {
		denies := make([]bool, len(m.actions))
		for x, action := range m.actions {
			denies[x] = c.Permits(p.Name, action) == contract.Deny && !c.Exempt(action)
		}
		m.denies = append(m.denies, denies)
	}
	for _, r := range m.roles {
		does, unknown := make([]uint32, len(m.actions)), make([]bool, len(m.actions))
		for x, action := range m.actions {
			unknown[x] = r.DoesUnknown(action) && r.Acknowledges()
			for _, p := range r.Does[action] {
				does[x] |= 1 << m.phase(p)
			}
		}
		m.does, m.doesUnknown = append(m.does, does), append(m.doesUnknown, unknown)
		forbidden := make([][]bool, len(c.Phases))
		for a := range forbidden {
			forbidden[a] = make([]bool, len(c.Phases))
		}
		for _, p := range c.Pairings {
			if p.Role == r.Name && p.Verdict == contract.Forbid {
				forbidden[m.phase(p.Actual)][m.phase(p.Believed)] = true
			}
		}
		m.forbidden = append(m.forbidden, forbidden)
	}
}

// times translates durations into ticks.
func (m *announceModel) times(o Options) error {
	c := m.contract
	flight, err := m.up(c.Propagation.MaxFlight)
	if err != nil {
		return err
	}
	m.flight = flight
	for _, r := range m.roles {
		ttl, err := m.up(c.BeliefBound(r))
		if err != nil {
			return err
		}
		m.ttl = append(m.ttl, ttl)
		m.longest = max(m.longest, ttl+m.flight+1)
		if r.Acknowledges() {
			m.settle = max(m.settle, ttl+m.flight)
		}
	}
	m.longest = max(m.longest, m.settle+1)
	for _, t := range c.Transitions {
		r := stepRules{
			from: m.phase(t.From), to: m.phase(t.To),
			announceFirst: t.Discipline == contract.AnnounceFirst, atomic: t.Discipline == contract.Atomic,
			skipSettle: t.Settle == contract.SettleSkip || m.breaks[RuleSettle],
			possible:   o.Possible == nil || o.Possible(t.Guard, t.From, nil),
		}
		if r.announceFirst && !m.breaks[RuleAwait] && (t.Await.AtMost > 0 || t.Await.Acks != contract.AckNone) {
			wait := m.wait(t)
			if m.breaks[RuleFlight] {
				wait = min(wait, m.longestBelief())
			}
			// Applied counts as quiesced, which comes no later than applied and a flight.
			r.wait = protocol.ProducerRules{AtMost: max(ticks(wait), 1), Quiesced: c.Shortcut(t)}
			m.longest = max(m.longest, wait+1)
		}
		m.rules = append(m.rules, r)
	}
	for i, t := range c.Transitions { // a longer dwell than makes a difference only costs states
		m.rules[i].dwell = min(m.down(c.Dwell(t)), m.longest)
	}
	return nil
}

// longestBelief is that of all consumers.
func (m *announceModel) longestBelief() uint8 { return slices.Max(m.ttl) }

// wait is how many ticks a producer waits at most. It is rounded down, but where
// the contract waits as long as it must, so does the model: belief and flight are
// rounded up, and it is no mistake that their sum is.
func (m *announceModel) wait(t contract.Transition) uint8 {
	wait := m.down(t.Await.AtMost)
	for i, r := range m.roles {
		if r.Acknowledges() && t.Await.AtMost >= m.contract.Wait(r) {
			wait = max(wait, m.ttl[i]+m.flight)
		}
	}
	return wait
}

// ticks are a duration to the protocol.
func ticks(n uint8) time.Duration { return time.Duration(n) }

// mostTicks is how many ticks a state has room for.
const mostTicks = math.MaxUint8 / 4

func (m *announceModel) up(d time.Duration) (uint8, error) {
	n := (d + m.tick - 1) / m.tick
	if n > mostTicks {
		return 0, fmt.Errorf("%v are more than %d ticks of %v: want a longer model.tick", d, mostTicks, m.tick)
	}
	return uint8(n), nil
}

func (m *announceModel) down(d time.Duration) uint8 { return uint8(min(d/m.tick, mostTicks)) }
