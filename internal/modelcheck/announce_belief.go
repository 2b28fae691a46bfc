package modelcheck

import "example.test/eddy/phase/protocol"

// lateForgotten marks a request of a former life that nobody remembers.
const lateForgotten = 2

// forever is a time to live that does not end within a model.
const forever = 1 << 20

// believe lets something happen to a consumer, by the rules of the protocol less
// those that are left out, and returns the property that this breaks.
func (w *walk) believe(s *announceState, i uint8, in protocol.BeliefInput) Property {
	c := &s.consumers[i]
	breaks := w.m.breaks
	b := c.belief(s.epoch)
	rules := protocol.BeliefRules{TTL: ticks(w.m.ttl[i])}
	if breaks[RuleTTL] {
		rules.TTL = forever
	}
	if breaks[RuleOrder] {
		b.Floor = 0
	}
	held, before := b.Held, b.Epoch
	b, out := b.Step(rules, in)
	if out.Expired && breaks[RuleFloor] {
		b.Floor = 0
	}
	if in.Event == protocol.BeliefPushed && b.Held && breaks[RulePush] {
		b.Sent = in.Now
	}
	if b.Held && breaks[RuleQuiesce] {
		b.Acked = b.Epoch
	}
	c.setBelief(b, s.epoch)
	if held && b.Held && b.Epoch < before {
		return PropertyOrder
	}
	return ""
}

// hear lets news reach a consumer, by an answer or by a push.
func (w *walk) hear(s *announceState, i, epoch uint8, how stepKind) Property {
	in := protocol.BeliefInput{Event: protocol.BeliefPushed, Epoch: protocol.Epoch(epoch)}
	if how == stepConfirm {
		in.Event = protocol.BeliefConfirmed
		if !w.m.breaks[RuleSending] {
			in.Sent = -ticks(s.consumers[i].asked)
		}
	}
	return w.believe(s, i, in)
}

// belief is what the protocol knows of a consumer, at time 0.
func (c *consumerState) belief(epoch uint8) protocol.Belief {
	b := protocol.Belief{Floor: protocol.Epoch(c.floor)}
	if c.believed > 0 {
		b.Held, b.Epoch, b.Sent = true, protocol.Epoch(c.believed-1), -ticks(c.age)
	}
	b.Under = b.Epoch
	if c.acked == 1 {
		b.Acked = protocol.Epoch(epoch)
	}
	switch {
	case c.flight == 0 || c.late == lateForgotten:
	case c.late == 1:
		b.Older = 1
	default:
		b.Open, b.Under = 1, protocol.Epoch(c.under)
	}
	return b
}

// setBelief keeps what the protocol knows, at time 0. Of what was acknowledged
// only the present epoch counts.
func (c *consumerState) setBelief(b protocol.Belief, epoch uint8) {
	c.believed, c.age = 0, 0
	if b.Held {
		c.believed, c.age = uint8(b.Epoch)+1, uint8(-b.Sent)
	}
	c.floor = uint8(b.Floor)
	c.acked = 0
	if epoch > 0 && b.Acked == protocol.Epoch(epoch) {
		c.acked = 1
	}
	c.under = 0
	if c.late == lateForgotten {
		return
	}
	c.late = uint8(b.Older)
	if b.Open > 0 {
		c.under = uint8(b.Under)
	}
}
