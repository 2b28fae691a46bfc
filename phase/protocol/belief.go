package protocol

import "time"

// A Belief is what one consumer process holds true of one subject. The zero value
// is that of a process that has just started. Keep it for the life of the
// process: it remembers the highest epoch seen.
type Belief struct {
	// Held says whether there is a belief, and Epoch which. Without one the
	// consumer does what its role does when the phase is unknown.
	Held  bool
	Epoch Epoch
	// Sent is when the confirm that established the belief was sent.
	Sent time.Duration
	// Floor is the highest epoch ever seen.
	Floor Epoch
	// Acked is the highest epoch acknowledged as quiesced. Send it with every
	// confirm, since an acknowledgement may be lost.
	Acked Epoch
	// Open requests were begun under the belief in Under, Older ones under an
	// earlier belief or none, and none of them has ended.
	Open, Older int
	Under       Epoch
}

// BeliefRules are the bounds of a belief.
type BeliefRules struct {
	// TTL is how long a belief lasts.
	TTL time.Duration
}

// A BeliefEvent is what happens to a consumer.
type BeliefEvent uint8

// The events.
const (
	// BeliefTick is the passing of time.
	BeliefTick BeliefEvent = iota
	// BeliefConfirmed is the reply to a confirm: Sent, Epoch.
	BeliefConfirmed
	// BeliefPushed is news without a question: Epoch.
	BeliefPushed
	// BeliefBegin is the start of a request under the present belief.
	BeliefBegin
	// BeliefDone is the end of a request that was begun under Epoch, if WasHeld.
	BeliefDone
)

// BeliefInput is an event with what belongs to it.
type BeliefInput struct {
	Event   BeliefEvent
	Now     time.Duration
	Sent    time.Duration
	Epoch   Epoch
	WasHeld bool
}

// BeliefOutput is what follows.
type BeliefOutput struct {
	// Changed says that another epoch is believed than before, Expired that none is
	// any more, Dropped that the news was too old to count.
	Changed, Expired, Dropped bool
	// Ack says that Belief.Acked has grown: tell the mediator.
	Ack bool
}

// Step returns the belief after an event. Whatever the event, a belief that is
// too old at Now ends first, so nothing is ever begun under one.
func (b Belief) Step(r BeliefRules, in BeliefInput) (Belief, BeliefOutput) {
	var out BeliefOutput
	if b.Held && elapsed(in.Now, b.Sent, r.TTL) {
		b.Held, b.Epoch, b.Sent = false, 0, 0
		out.Expired = true
	}
	switch in.Event {
	case BeliefTick:
	case BeliefConfirmed:
		if in.Epoch < b.Floor || elapsed(in.Now, in.Sent, r.TTL) {
			out.Dropped = true
			break
		}
		// The confirm that was sent last still counts if an earlier one brings newer
		// news: nothing had replaced the phase before when it was answered.
		if !b.Held || in.Sent > b.Sent {
			b.Sent = in.Sent
		}
		out.Changed = b.adopt(in.Epoch)
	case BeliefPushed:
		if in.Epoch < b.Floor {
			out.Dropped = true
			break
		}
		if b.Held { // without a belief there is none whose age the news could share
			out.Changed = b.adopt(in.Epoch)
		}
		b.Floor = in.Epoch
	case BeliefBegin:
		if b.Held {
			b.Under = b.Epoch
			b.Open++
		} else {
			b.Older++
		}
	case BeliefDone:
		if in.WasHeld && in.Epoch == b.Under {
			b.Open--
		} else {
			b.Older--
		}
	}
	if b.Held && b.Older == 0 && b.Epoch > b.Acked {
		b.Acked = b.Epoch
		out.Ack = true
	}
	return b, out
}

// adopt makes an epoch, which is no lower than Floor, the one believed, and
// reports whether that is another than before.
func (b *Belief) adopt(e Epoch) (changed bool) {
	changed = !b.Held || e != b.Epoch
	if e > b.Under {
		b.Older += b.Open
		b.Open, b.Under = 0, e
	}
	b.Held, b.Epoch, b.Floor = true, e, e
	return changed
}

// Expires is when the belief ends unless it is confirmed, and false without one.
func (b Belief) Expires(r BeliefRules) (time.Duration, bool) { return b.Sent + r.TTL, b.Held }
