package protocol_test

import (
	"testing"
	"time"

	"example.test/eddy/phase/protocol"
)

func TestEpochsAreDense(t *testing.T) {
	var r protocol.Record
	for want := protocol.Epoch(1); want < 4; want++ {
		next, refusal := r.Announce(protocol.RecordRules{Wait: 10}, protocol.Announcement{Now: time.Duration(want) * 20, Expected: r.Epoch, Guard: true})
		if refusal != "" || next.Epoch != want {
			t.Fatalf("got epoch %d, refusal %q; want %d", next.Epoch, refusal, want)
		}
		r = next
	}
}

func TestAnnouncementsThatCannotBeAreRefused(t *testing.T) {
	r := protocol.Record{Epoch: 3, Committed: 100}
	strict := protocol.RecordRules{Wait: 10, Dwell: 50}
	acked := protocol.Acks{Registered: 2, Quiesced: 2}
	for _, test := range []struct {
		name  string
		rules protocol.RecordRules
		in    protocol.Announcement
		want  protocol.Refusal
	}{
		{"replayed", strict, protocol.Announcement{Now: 200, Expected: 2, Guard: true}, protocol.RefusalEpoch},
		{"too early", strict, protocol.Announcement{Now: 110, Expected: 3, Guard: true}, protocol.RefusalSettle},
		{"one has not acknowledged", strict, protocol.Announcement{Now: 105, Expected: 3, Guard: true, Acks: protocol.Acks{Registered: 2, Quiesced: 1}}, protocol.RefusalSettle},
		{"nobody is registered", strict, protocol.Announcement{Now: 105, Expected: 3, Guard: true}, protocol.RefusalSettle},
		{"acknowledged, but not long enough", strict, protocol.Announcement{Now: 149, Expected: 3, Guard: true, Acks: acked}, protocol.RefusalDwell},
		{"guard", strict, protocol.Announcement{Now: 150, Expected: 3, Acks: acked}, protocol.RefusalGuard},
		{"acknowledged", strict, protocol.Announcement{Now: 150, Expected: 3, Guard: true, Acks: acked}, ""},
		{"waited", strict, protocol.Announcement{Now: 150, Expected: 3, Guard: true}, ""},
		{"need not settle", protocol.RecordRules{Wait: 10, SkipSettle: true}, protocol.Announcement{Now: 100, Expected: 3, Guard: true}, ""},
	} {
		next, got := r.Announce(test.rules, test.in)
		if got != test.want || (got == "") != (next.Epoch == 4) || got != "" && next != r {
			t.Errorf("%s: got %q and %+v, want %q", test.name, got, next, test.want)
		}
	}
}

// produce runs events and returns the last output.
func produce(r protocol.ProducerRules, events ...protocol.ProducerInput) (p protocol.Producer, out protocol.ProducerOutput) {
	for _, in := range events {
		p, out = p.Step(r, in)
	}
	return p, out
}

func TestAProducerWithdrawsNothingBeforeTheWaitIsOver(t *testing.T) {
	rules := protocol.ProducerRules{AtMost: 2000, Quiesced: true, MaxFlight: 400}
	announce := protocol.ProducerInput{Event: protocol.ProducerAnnounce}
	committed := protocol.ProducerInput{Event: protocol.ProducerCommitted, Now: 10, Epoch: 1}
	at := func(now time.Duration, acks protocol.Acks) protocol.ProducerInput {
		return protocol.ProducerInput{Now: now, Acks: acks}
	}
	for _, test := range []struct {
		name  string
		rules protocol.ProducerRules
		then  []protocol.ProducerInput
		want  protocol.Cause
	}{
		{"at the bound", rules, []protocol.ProducerInput{at(2010, protocol.Acks{})}, ""},
		{"after the bound", rules, []protocol.ProducerInput{at(2011, protocol.Acks{})}, protocol.CauseBound},
		{"one is missing", rules, []protocol.ProducerInput{at(20, protocol.Acks{Registered: 2, Quiesced: 1})}, ""},
		{"all have quiesced", rules, []protocol.ProducerInput{at(20, protocol.Acks{Registered: 2, Quiesced: 2})}, protocol.CauseAcks},
		{"nobody is registered", rules, []protocol.ProducerInput{at(20, protocol.Acks{})}, ""},
		{"only time counts", protocol.ProducerRules{AtMost: 2000}, []protocol.ProducerInput{at(20, protocol.Acks{Registered: 1, Quiesced: 1})}, ""},
		{"applied, in flight", protocol.ProducerRules{AtMost: 2000, Applied: true, MaxFlight: 400}, []protocol.ProducerInput{at(20, protocol.Acks{Registered: 1, Applied: 1}), at(420, protocol.Acks{Registered: 1, Applied: 1})}, ""},
		{"applied, arrived", protocol.ProducerRules{AtMost: 2000, Applied: true, MaxFlight: 400}, []protocol.ProducerInput{at(20, protocol.Acks{Registered: 1, Applied: 1}), at(421, protocol.Acks{Registered: 1, Applied: 1})}, protocol.CauseAcks},
	} {
		p, out := produce(test.rules, append([]protocol.ProducerInput{announce, committed}, test.then...)...)
		if out.Cause != test.want || out.Enforce != (test.want != "") || out.Enforce != (p.Enforced == 1) {
			t.Errorf("%s: got %+v in %+v, want %q", test.name, out, p, test.want)
		}
	}
	if _, out := produce(protocol.ProducerRules{}, announce, committed); out.Cause != protocol.CauseNone {
		t.Errorf("nothing to wait for: got %+v", out)
	}
}

func TestWhatIsMadeFirstIsAnnouncedUntilItIsCommitted(t *testing.T) {
	p, out := produce(protocol.ProducerRules{}, protocol.ProducerInput{Event: protocol.ProducerAct})
	if !out.Act || out.Announce {
		t.Fatalf("got %+v, want the act and no announcement", out)
	}
	p, out = p.Step(protocol.ProducerRules{}, protocol.ProducerInput{Event: protocol.ProducerActed})
	if !out.Announce {
		t.Fatalf("got %+v, want the announcement", out)
	}
	p, out = p.Step(protocol.ProducerRules{}, protocol.ProducerInput{Event: protocol.ProducerRefused})
	if !out.Announce {
		t.Fatalf("refused: got %+v, want another announcement, since it is made", out)
	}
	p, out = p.Step(protocol.ProducerRules{}, protocol.ProducerInput{Event: protocol.ProducerCommitted, Epoch: 1})
	if !out.Enforce || p.Stage != protocol.StageSteady || p.Enforced != 1 {
		t.Errorf("committed: got %+v in %+v", out, p)
	}
	if again, out := p.Step(protocol.ProducerRules{}, protocol.ProducerInput{Event: protocol.ProducerCommitted, Epoch: 9}); again != p || out != (protocol.ProducerOutput{}) {
		t.Errorf("an answer that nobody waits for: got %+v in %+v", out, again)
	}
}

func TestATenureEndsByItsOwnClock(t *testing.T) {
	rules := protocol.TenureRules{RenewDeadline: 6, Seal: true}
	step := func(tenure protocol.Tenure, in protocol.TenureInput) protocol.Tenure {
		next, _ := tenure.Step(rules, in)
		return next
	}
	holder := step(protocol.Tenure{}, protocol.TenureInput{Event: protocol.TenureGranted, Token: 7})
	if holder.Rank != protocol.RankAcquiring || holder.MayAct(rules, 0) {
		t.Fatalf("before sealing: got %+v", holder)
	}
	holder = step(holder, protocol.TenureInput{Event: protocol.TenureSealed, Now: 1})
	if !holder.MayAct(rules, 6) || holder.MayAct(rules, 7) {
		t.Errorf("sealed: may act at 6: %v, at 7: %v; want only at 6", holder.MayAct(rules, 6), holder.MayAct(rules, 7))
	}
	if renewed := step(holder, protocol.TenureInput{Event: protocol.TenureRenewed, Now: 6, Sent: 4, Token: 7}); !renewed.MayAct(rules, 10) || renewed.MayAct(rules, 11) {
		t.Error("a renewal must count from when it was sent")
	}
	if other := step(holder, protocol.TenureInput{Event: protocol.TenureRenewed, Now: 6, Sent: 4, Token: 6}); other != holder {
		t.Error("a renewal of another token counted")
	}
	if lost, out := holder.Step(rules, protocol.TenureInput{Now: 7}); !out.Lost || lost != (protocol.Tenure{}) {
		t.Errorf("after the deadline: got %+v", lost)
	}
	if late, _ := (protocol.Tenure{}).Step(rules, protocol.TenureInput{Event: protocol.TenureGranted, Token: 8, Now: 10, Sent: 3}); late.Rank != protocol.RankFollower {
		t.Error("a grant that took longer than the deadline made a holder")
	}
}

func TestAResourceRefusesWhoHasBeenOvertaken(t *testing.T) {
	for _, test := range []struct {
		name          string
		check         protocol.Check
		max           protocol.Token
		token, holder protocol.Token
		want          bool
	}{
		{"no check takes all", protocol.CheckNone, 2, 1, 2, true},
		{"a token that was overtaken", protocol.CheckToken, 2, 1, 2, false},
		{"the hole in a bare token", protocol.CheckToken, 1, 1, 2, true},
		{"a transaction has no hole", protocol.CheckTxn, 1, 1, 2, false},
		{"a transaction without holder", protocol.CheckTxn, 1, 1, 0, false},
		{"the holder", protocol.CheckTxn, 1, 2, 2, true},
	} {
		if r, took := (protocol.Resource{Max: test.max}).Write(test.check, test.token, test.holder); took != test.want || r.Max < test.max {
			t.Errorf("%s: got %v, %+v", test.name, took, r)
		}
	}
	r, ok := protocol.Resource{Max: 1}.Seal(2)
	if _, took := r.Write(protocol.CheckToken, 1, 2); !ok || took {
		t.Error("after sealing, the deposed holder's write was taken")
	}
	if _, ok := r.Seal(1); ok {
		t.Error("who has been overtaken sealed")
	}
}
