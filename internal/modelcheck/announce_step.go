package modelcheck

import (
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
)

// A label says which step was made: its kind, a consumer, and an epoch, an action
// or a transition.
func label(kind stepKind, consumer, what uint8) uint32 {
	return uint32(kind)<<16 | uint32(consumer)<<8 | uint32(what)
}

func unlabel(l uint32) (kind stepKind, consumer, what uint8) {
	return stepKind(l >> 16), uint8(l >> 8), uint8(l)
}

// A stepKind is what happens in a step.
type stepKind uint8

// The steps of the announce model.
const (
	stepTick stepKind = iota
	stepCommit
	stepEnforce
	stepAct
	stepAsk
	stepAnswer
	stepConfirm
	stepPush
	stepDuplicate
	stepLose
	stepSend
	stepArrive
	stepCrash
	stepUnregister
	stepLearn
	stepProducerCrash
	stepMediatorCrash
)

// A walk emits the steps out of one state.
type walk struct {
	m      *announceModel
	e      *emitter
	before announceState
}

func (m *announceModel) initial(state []byte) {
	s := announceState{actual: m.start, faults: m.faults}
	for i, r := range m.roles {
		if !r.Acknowledges() {
			s.consumers[i].believed = 1
		}
	}
	m.pack(&s, state)
}

// agreed holds where everyone believes the phase that is in force.
func (m *announceModel) agreed(state []byte) bool {
	var s announceState
	m.unpack(state, &s)
	for i := range m.roles {
		if s.consumers[i].believed != s.epoch+1 {
			return false
		}
	}
	return s.mode == modeStable
}

func (m *announceModel) steps(state []byte, e *emitter) {
	w := walk{m: m, e: e}
	m.unpack(state, &w.before)
	w.producer()
	w.restarts()
	for i, r := range m.roles {
		if r.Acknowledges() {
			w.confirms(uint8(i))
			w.pushes(uint8(i))
			w.crashes(uint8(i))
		} else {
			w.learns(uint8(i))
		}
		w.requests(uint8(i))
	}
	w.tick()
}

func (w *walk) emit(s *announceState, kind stepKind, consumer, what uint8, broken Property) {
	w.m.pack(s, w.e.next)
	w.e.emit(label(kind, consumer, what), broken)
}

// acks are what the mediator knows of the present epoch.
func (w *walk) acks() protocol.Acks {
	if w.m.others || w.m.breaks[RuleAcks] {
		return protocol.Acks{Registered: 1, Quiesced: 1}
	}
	var a protocol.Acks
	for i, r := range w.m.roles {
		if !r.Acknowledges() {
			continue
		}
		a.Registered++
		c := &w.before.consumers[i]
		if c.restarted == restartedUnknown || c.restarted == restartedHadAcked || c.acked == 1 && c.restarted == restartedNot {
			a.Quiesced++
		}
	}
	return a
}

// producer announces, enforces, acts, and commits what it has done.
func (w *walk) producer() {
	m, s := w.m, &w.before
	acks := w.acks()
	if s.mode == modeAnnounced {
		r := m.rules[s.step-1]
		p := protocol.Producer{Stage: protocol.StageWaiting, Epoch: protocol.Epoch(s.epoch), Committed: -ticks(s.since)}
		if _, out := p.Step(r.wait, protocol.ProducerInput{Acks: acks}); out.Enforce {
			after := *s
			after.actual, after.mode, after.step, after.held = r.to, modeStable, 0, 0
			w.emit(&after, stepEnforce, 0, 0, "")
		}
		return
	}
	record := protocol.Record{Epoch: protocol.Epoch(s.epoch), Committed: -ticks(s.since)}
	if s.epoch == m.epochs {
		return
	}
	for i, r := range m.rules {
		under := s.mode == modeActed && int(s.step) == i+1
		if !under && (s.mode != modeStable || s.history[s.epoch] != r.from || !r.possible) {
			continue
		}
		rules := protocol.RecordRules{Wait: ticks(m.settle), Dwell: ticks(r.dwell), SkipSettle: r.skipSettle}
		next, refusal := record.Announce(rules, protocol.Announcement{Expected: record.Epoch, Guard: true, Acks: acks})
		if refusal != "" {
			continue
		}
		after := *s
		switch {
		case under:
			after.mode, after.step = modeStable, 0
		case r.atomic:
			after.actual, after.held = r.to, 0
		case !r.announceFirst:
			after.actual, after.mode, after.step, after.held = r.to, modeActed, uint8(i+1), 0
			w.emit(&after, stepAct, 0, uint8(i), "")
			continue
		default:
			after.mode, after.step = modeAnnounced, uint8(i+1)
		}
		m.commit(&after, uint8(next.Epoch), r.to)
		w.emit(&after, stepCommit, 0, uint8(i), "")
	}
}

// restarts lets the producer or the mediator crash.
//
// A producer that had made something goes on from what is announced, and what it
// had made is not in force. One that waits begins to wait anew, which it may do
// anyway. A mediator knows who is registered, and is told again what they have
// acknowledged. What it was about to answer or to push may be lost anyway, and a
// commit is one transaction.
func (w *walk) restarts() {
	m := w.m
	if w.before.faults == 0 {
		return
	}
	if m.crash[contract.PartyProducer] && w.before.mode == modeActed {
		after := w.before
		after.actual, after.mode, after.step, after.held = after.history[after.epoch], modeStable, 0, 0
		after.faults--
		w.emit(&after, stepProducerCrash, 0, 0, "")
	}
	if !m.crash[contract.PartyMediator] {
		return
	}
	after, changed := w.before, false
	for i, r := range m.roles {
		c := &after.consumers[i]
		if !r.Acknowledges() {
			continue
		}
		changed = changed || c.acked == 1 || c.restarted == restartedHadAcked
		c.acked = 0
		if c.restarted == restartedHadAcked {
			c.restarted = restartedUnacked
		}
		if m.breaks[RuleRoll] {
			changed = changed || c.restarted != restartedUnknown
			c.restarted = restartedUnknown
		}
	}
	if changed {
		after.faults--
		w.emit(&after, stepMediatorCrash, 0, 0, "")
	}
}

// commit makes a phase the announced one and sends word of it.
func (m *announceModel) commit(s *announceState, epoch, phase uint8) {
	s.epoch, s.since, s.history[epoch] = epoch, 0, phase
	for i, r := range m.roles {
		c := &s.consumers[i]
		if !r.Acknowledges() {
			continue
		}
		c.pushed |= 1 << epoch
		c.acked = 0
		if c.restarted == restartedHadAcked {
			c.restarted = restartedUnacked
		}
	}
}

// confirms asks the mediator, which answers with what it knows then.
func (w *walk) confirms(i uint8) {
	after := w.before
	c := &after.consumers[i]
	switch c.confirm {
	case confirmNone:
		c.confirm, c.asked = confirmSent, 0
		w.emit(&after, stepAsk, i, 0, "")
	case confirmSent:
		c.confirm, c.confirmed = confirmAnswered, after.epoch
		if c.restarted == restartedUnknown {
			c.restarted = restartedNot
		}
		w.emit(&after, stepAnswer, i, 0, "")
	case confirmAnswered:
		broken := w.hear(&after, i, c.confirmed, stepConfirm)
		c.confirm, c.confirmed, c.asked = confirmNone, 0, 0
		w.emit(&after, stepConfirm, i, w.before.consumers[i].confirmed, broken)
	}
}

// pushes brings news, in any order unless the contract's model says otherwise.
func (w *walk) pushes(i uint8) {
	m := w.m
	for e := uint8(1); e <= m.epochs; e++ {
		if w.before.consumers[i].pushed&(1<<e) == 0 {
			continue
		}
		after := w.before
		after.consumers[i].pushed &^= 1 << e
		lost := after
		broken := w.hear(&after, i, e, stepPush)
		w.emit(&after, stepPush, i, e, broken)
		if w.before.faults > 0 {
			if m.duplicate {
				after.consumers[i].pushed |= 1 << e
				after.faults--
				w.emit(&after, stepDuplicate, i, e, broken)
			}
			lost.faults--
			w.emit(&lost, stepLose, i, e, "")
		}
		if !m.reorder {
			return
		}
	}
}

// crashes restarts a consumer. What it has sent stays on its way, and its former
// registration stays for as long.
func (w *walk) crashes(i uint8) {
	if w.m.crash[contract.PartyConsumer] && w.before.faults > 0 {
		after := w.before
		c := &after.consumers[i]
		restarted := uint8(restartedUnacked)
		if c.acked == 1 && c.restarted == restartedNot || c.restarted == restartedHadAcked {
			restarted = restartedHadAcked
		}
		switch {
		case w.m.breaks[RuleRestart]:
			restarted = restartedNot
		case c.restarted == restartedUnknown:
			restarted = restartedUnknown
		}
		*c = consumerState{flight: c.flight, flying: c.flying, restarted: restarted}
		if c.flight > 0 {
			c.late = lateForgotten
		}
		after.faults--
		w.emit(&after, stepCrash, i, 0, "")
	}
	if c := w.before.consumers[i]; c.restarted == restartedUnacked && c.flight == 0 {
		after := w.before
		after.consumers[i].restarted = restartedNot
		w.emit(&after, stepUnregister, i, 0, "")
	}
}

// learns is news for a consumer that does not acknowledge: it believes something
// always, and the newest phase within its bound.
func (w *walk) learns(i uint8) {
	for e := w.before.consumers[i].believed; e <= w.before.epoch; e++ {
		after := w.before
		c := &after.consumers[i]
		c.believed = e + 1
		w.m.forget(&after)
		w.emit(&after, stepLearn, i, e, "")
	}
}

// forget drops the ages of epochs that all who do not acknowledge know of.
func (m *announceModel) forget(s *announceState) {
	for e := uint8(1); e <= s.epoch; e++ {
		for i, r := range m.roles {
			if !r.Acknowledges() && s.consumers[i].believed <= e {
				return
			}
		}
		s.ages[e] = 0
	}
}

// overdue reports whether somebody who does not acknowledge has to learn of an
// epoch before time can pass.
func (m *announceModel) overdue(s *announceState) bool {
	for i, r := range m.roles {
		c := &s.consumers[i]
		if !r.Acknowledges() && c.believed <= s.epoch && s.ages[c.believed] >= m.ttl[i] {
			return true
		}
	}
	return false
}

// requests sends an action, or lets the one on its way arrive.
func (w *walk) requests(i uint8) {
	m, s := w.m, &w.before
	c := &s.consumers[i]
	if c.flight > 0 {
		after := *s
		a := &after.consumers[i]
		in := protocol.BeliefInput{Event: protocol.BeliefDone, Epoch: protocol.Epoch(a.under), WasHeld: a.late == 0}
		forgotten := a.late == lateForgotten || !m.roles[i].Acknowledges()
		var broken Property
		if !forgotten {
			broken = w.believe(&after, i, in)
		}
		a.flight, a.flying, a.under, a.late = 0, 0, 0, 0
		switch {
		case m.denies[s.actual][c.flight-1]:
			broken = PropertyPermitted
		case m.overstays(s, i):
			broken = PropertyGrace
		}
		w.emit(&after, stepArrive, i, c.flight-1, broken)
		return
	}
	for x := range m.actions {
		var broken Property
		if c.believed > 0 {
			believed := s.history[c.believed-1]
			if m.does[i][x]&(1<<believed) == 0 {
				continue
			}
			if m.roles[i].Acknowledges() && c.age > m.ttl[i] {
				broken = PropertyFresh
			}
			if m.forbidden[i][s.actual][believed] {
				broken = PropertyPairing
			}
		} else if !m.doesUnknown[i][x] {
			continue
		}
		after := *s
		a := &after.consumers[i]
		a.flight, a.flying = uint8(x+1), 0
		if m.roles[i].Acknowledges() {
			w.believe(&after, i, protocol.BeliefInput{Event: protocol.BeliefBegin})
		} else if m.graced > 0 {
			a.under = c.believed - 1
		}
		w.emit(&after, stepSend, i, uint8(x), broken)
	}
}

// tick lets time pass, unless something has to happen before.
func (w *walk) tick() {
	m := w.m
	after := w.before
	for i := range m.roles {
		if c := &after.consumers[i]; c.flight > 0 && c.flying == m.flight {
			return
		}
	}
	if m.overdue(&after) {
		return
	}
	if after.epoch > 0 {
		after.since = min(after.since+1, m.longest)
	}
	after.held = min(after.held+1, m.graced)
	if m.silent {
		for e := uint8(1); e <= after.epoch; e++ {
			after.ages[e] = min(after.ages[e]+1, m.longest)
		}
		m.forget(&after)
	}
	for i, r := range m.roles {
		c := &after.consumers[i]
		if c.flight > 0 {
			c.flying++
		}
		if !r.Acknowledges() {
			continue
		}
		if c.confirm != confirmNone {
			if c.asked++; c.asked > m.ttl[i] {
				c.confirm, c.confirmed, c.asked = confirmNone, 0, 0
			}
		}
		if c.believed > 0 {
			c.age = min(c.age+1, m.ttl[i]+1)
			w.believe(&after, uint8(i), protocol.BeliefInput{Event: protocol.BeliefTick})
		}
	}
	w.emit(&after, stepTick, 0, 0, "")
}
