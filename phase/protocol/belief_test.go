package protocol_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/phase/protocol"
)

var rules = protocol.BeliefRules{TTL: 900}

// believe runs events on a process that has just started.
func believe(events ...protocol.BeliefInput) (b protocol.Belief, out protocol.BeliefOutput) {
	for _, in := range events {
		b, out = b.Step(rules, in)
	}
	return b, out
}

func confirmed(now, sent time.Duration, e protocol.Epoch) protocol.BeliefInput {
	return protocol.BeliefInput{Event: protocol.BeliefConfirmed, Now: now, Sent: sent, Epoch: e}
}

func pushed(now time.Duration, e protocol.Epoch) protocol.BeliefInput {
	return protocol.BeliefInput{Event: protocol.BeliefPushed, Now: now, Epoch: e}
}

func tick(now time.Duration) protocol.BeliefInput { return protocol.BeliefInput{Now: now} }

func TestABeliefLastsFromWhenItsConfirmWasSent(t *testing.T) {
	if b, _ := believe(confirmed(500, 100, 1), tick(1000)); !b.Held {
		t.Error("it ended within its time")
	}
	if b, out := believe(confirmed(500, 100, 1), tick(1001)); b.Held || !out.Expired {
		t.Error("it outlived its time, counted from the sending")
	}
	if b, out := believe(confirmed(1001, 100, 1)); b.Held || !out.Dropped {
		t.Error("a reply that took longer than a belief lasts was believed")
	}
}

func TestAPushReplacesABeliefAndDoesNotRenewIt(t *testing.T) {
	b, out := believe(confirmed(100, 0, 1), pushed(800, 2))
	if b.Epoch != 2 || !out.Changed {
		t.Errorf("got epoch %d, want 2", b.Epoch)
	}
	if b, _ := b.Step(rules, tick(901)); b.Held {
		t.Error("the push renewed the belief")
	}
	if b, _ := believe(pushed(0, 2)); b.Held {
		t.Error("a push alone was believed")
	}
}

func TestAPhaseThatIsGoneIsNotRevived(t *testing.T) {
	b, out := believe(confirmed(10, 0, 1), pushed(20, 2), tick(1000), confirmed(1100, 1000, 1))
	if b.Held || !out.Dropped {
		t.Errorf("a reply from before epoch 2 was believed: %+v", b)
	}
}

func TestNewsIsAcknowledgedWhenNothingOlderIsOpen(t *testing.T) {
	begin := protocol.BeliefInput{Event: protocol.BeliefBegin, Now: 20}
	done := protocol.BeliefInput{Event: protocol.BeliefDone, Now: 40, Epoch: 1, WasHeld: true}
	b, _ := believe(confirmed(10, 0, 1), begin, pushed(30, 2))
	if b.Acked != 1 {
		t.Errorf("acknowledged epoch %d while a request of epoch 1 was open", b.Acked)
	}
	b, out := b.Step(rules, done)
	if b.Acked != 2 || !out.Ack {
		t.Errorf("acknowledged epoch %d after it had ended, want 2", b.Acked)
	}
	b, _ = believe(confirmed(10, 0, 1), begin, begin, done, pushed(50, 2))
	if b.Acked != 1 {
		t.Error("one of two had ended, and both were taken to have")
	}
}

// Whatever happens in whatever order, these hold.
func TestABeliefKeepsItsInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b protocol.Belief
		type ticket struct {
			epoch protocol.Epoch
			held  bool
		}
		var open []ticket
		now := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 500).Draw(t, "later"))
			in := protocol.BeliefInput{
				Event: protocol.BeliefEvent(rapid.IntRange(0, 4).Draw(t, "event")), Now: now,
				Sent: now - time.Duration(rapid.IntRange(0, 1200).Draw(t, "ago")), Epoch: protocol.Epoch(rapid.IntRange(0, 5).Draw(t, "epoch")),
			}
			if in.Event == protocol.BeliefDone {
				if len(open) == 0 {
					continue
				}
				in.Epoch, in.WasHeld = open[0].epoch, open[0].held
				open = open[1:]
			}
			next, out := b.Step(rules, in)
			if in.Event == protocol.BeliefBegin {
				open = append(open, ticket{next.Epoch, next.Held})
			}
			older := 0
			for _, o := range open {
				if !o.held || o.epoch < next.Under {
					older++
				}
			}
			switch {
			case next.Floor < b.Floor || next.Acked < b.Acked:
				t.Fatalf("%+v became %+v", b, next)
			case next.Held && (next.Epoch != next.Floor || now-next.Sent > rules.TTL):
				t.Fatalf("at %v holds %+v", now, next)
			case next.Open+next.Older != len(open) || next.Older != older:
				t.Fatalf("counts %d open and %d older of %v", next.Open, next.Older, open)
			case out.Ack && (next.Older > 0 || next.Acked != next.Epoch || !next.Held):
				t.Fatalf("acknowledged in %+v", next)
			}
			b = next
		}
	})
}
