package mediator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase/wire"
)

// flaky is a State that can be cut off, before a commit or before its answer.
type flaky struct {
	mediator.State
	down, lostAnswer atomic.Bool
}

var errDown = errors.New("no quorum")

func (s *flaky) Get(ctx context.Context, key string) (mediator.Value, int64, error) {
	if s.down.Load() {
		return mediator.Value{}, 0, errDown
	}
	return s.State.Get(ctx, key)
}

func (s *flaky) Commit(ctx context.Context, ifs []mediator.Condition, puts []mediator.Put, deletes ...string) (int64, bool, error) {
	if s.down.Load() {
		return 0, false, errDown
	}
	revision, ok, err := s.State.Commit(ctx, ifs, puts, deletes...)
	if s.lostAnswer.Swap(false) {
		return 0, false, errDown
	}
	return revision, ok, err
}

// silent is a State that does not answer any more once it is told so.
type silent struct {
	mediator.State
	quiet atomic.Bool
}

func (s *silent) Get(ctx context.Context, key string) (mediator.Value, int64, error) {
	if s.quiet.Load() {
		<-ctx.Done()
		return mediator.Value{}, 0, ctx.Err()
	}
	return s.State.Get(ctx, key)
}

func (s *silent) Commit(ctx context.Context, ifs []mediator.Condition, puts []mediator.Put, deletes ...string) (int64, bool, error) {
	if s.quiet.Load() {
		<-ctx.Done()
		return 0, false, ctx.Err()
	}
	return s.State.Commit(ctx, ifs, puts, deletes...)
}

// It runs on the real clock: who waits for a mutex holds up that of a bubble.
func TestAStateThatDoesNotAnswerHoldsNobodyUpForLong(t *testing.T) {
	state := &silent{State: &mediator.Memory{}}
	f := start(t, state, "flag")
	state.quiet.Store(true)
	defer state.quiet.Store(false)
	if _, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0)); code(err) != wire.CodeUnavailable {
		t.Errorf("%v, want unavailable", err)
	}
}

// slow is a State that has taken too long whenever it is told so, without the wait.
// It counts what it is asked.
type slow struct {
	mediator.State
	asleep atomic.Bool
	asked  atomic.Int64
}

func (s *slow) Get(ctx context.Context, key string) (mediator.Value, int64, error) {
	if err := s.late(ctx); err != nil {
		return mediator.Value{}, 0, err
	}
	return s.State.Get(ctx, key)
}

func (s *slow) List(ctx context.Context, prefix string) ([]mediator.Value, int64, error) {
	if err := s.late(ctx); err != nil {
		return nil, 0, err
	}
	return s.State.List(ctx, prefix)
}

func (s *slow) Commit(ctx context.Context, ifs []mediator.Condition, puts []mediator.Put, deletes ...string) (int64, bool, error) {
	if err := s.late(ctx); err != nil {
		return 0, false, err
	}
	return s.State.Commit(ctx, ifs, puts, deletes...)
}

func (s *slow) late(ctx context.Context) error {
	s.asked.Add(1)
	if s.asleep.Load() {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func TestWhoComesAfterACommitWithoutAnAnswerIsToldSoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &slow{State: &mediator.Memory{}}
		f := start(t, state, "flag")
		state.asleep.Store(true)
		for i, more := range []int64{1, 0} {
			before := state.asked.Load()
			_, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0))
			if asked := state.asked.Load() - before; code(err) != wire.CodeUnavailable || asked != more {
				t.Errorf("announcement %d: %v after %d questions to the state, want unavailable after %d", i, err, asked, more)
			}
		}
	})
}

func TestWhoLeavesWhileTheStateIsReadSpoilsItForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &flaky{State: &mediator.Memory{}}
		f := start(t, &slow{State: inner}, "flag")
		inner.lostAnswer.Store(true)
		if _, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0)); code(err) != wire.CodeUnavailable {
			t.Fatalf("%v, want unavailable", err) // and from now on what is committed is not known
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, _ = f.Subjects(gone, "", "")
		if _, err := f.Subjects(t.Context(), "", ""); err != nil {
			t.Errorf("%v, want what is committed", err)
		}
	})
}

func (s *flaky) Renew(ctx context.Context, id mediator.LeaseID) error {
	if s.down.Load() {
		return errDown
	}
	return s.State.Renew(ctx, id)
}

func confirm(f *fixture, consumer string, acks ...wire.Ack) (wire.Confirm, error) {
	return f.Confirm(f.t.Context(), wire.ConfirmRequest{Consumer: consumer, Role: "region", Contract: "flag", Selector: "flags/*", Acks: acks})
}

func TestARestartForgetsNothingThatWasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &mediator.Memory{}
		first := start(t, state, "flag")
		first.commit(first.announcement("FLAG_OFF", "CANARY", 0))
		first.stop()
		second := start(t, state, "flag")
		if r := second.records(); len(r) != 1 || r[0].Epoch != 1 || r[0].Phase != "CANARY" {
			t.Errorf("records %+v, want CANARY at epoch 1", r)
		}
		<-time.After(time.Minute)
		second.commit(second.announcement("CANARY", "FLAG_OFF", 1))
		if err := wire.VerifyChain(second.audit()); err != nil {
			t.Error(err)
		}
	})
}

func TestOneReplicaAtATimeIsTheMediator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &mediator.Memory{}
		cut := &flaky{State: memory}
		first := start(t, cut, "flag")
		second, err := mediator.New(mediator.Config{State: memory})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = second.Run(ctx); close(ended) }()
		<-time.After(time.Minute)
		if _, err := second.Subjects(t.Context(), "", ""); code(err) != wire.CodeNotActive {
			t.Errorf("the second replica answers %v, want not_active", err)
		}
		// The first cannot renew, and does not notice for a moment.
		cut.down.Store(true)
		<-time.After(7 * time.Second)
		if _, err := second.Subjects(t.Context(), "", ""); err != nil {
			t.Errorf("the second replica: %v, want it to have taken over", err)
		}
		cut.down.Store(false)
		if _, err := confirm(first, "eu"); code(err) != wire.CodeNotActive {
			t.Errorf("the first confirms although it was deposed: %v", err)
		}
		if _, err := first.announce(first.announcement("FLAG_OFF", "CANARY", 0)); err == nil {
			t.Error("the first commits although it was deposed")
		}
		if list, err := second.Subjects(t.Context(), "", ""); err != nil || len(list) != 0 {
			t.Errorf("records %v, %v, want none", list, err)
		}
		stop()
		<-ended
	})
}

func TestWithoutAQuorumNothingIsConfirmedOrCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &flaky{State: &mediator.Memory{}}
		f := start(t, state, "flag")
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		state.down.Store(true)
		if _, err := confirm(f, "eu"); code(err) != wire.CodeUnavailable {
			t.Errorf("confirm: %v, want unavailable", err)
		}
		<-time.After(2 * time.Second)
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 1)); code(err) != wire.CodeUnavailable {
			t.Errorf("announce: %v, want unavailable", err)
		}
		state.down.Store(false)
		<-time.After(time.Second) // until then nobody asks again
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 1)); err != nil {
			t.Errorf("with the quorum back: %v", err)
		}
	})
}

func TestACommitWhoseAnswerWasLostIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &flaky{State: &mediator.Memory{}}
		f := start(t, state, "flag")
		state.lostAnswer.Store(true)
		a := f.announcement("FLAG_OFF", "CANARY", 0)
		if _, err := f.announce(a); code(err) != wire.CodeUnavailable {
			t.Fatalf("announce: %v, want unavailable", err)
		}
		if r := f.records(); len(r) != 1 || r[0].Epoch != 1 {
			t.Errorf("records %v, want what was committed", r)
		}
		if _, err := f.announce(a); code(err) != wire.CodeEpochMismatch {
			t.Errorf("the same again: %v, want that it is not committed twice", err)
		}
		if err := wire.VerifyChain(f.audit()); err != nil {
			t.Error(err)
		}
	})
}

func TestAConfirmHoldsWhatIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		all, err := confirm(f, "eu")
		if err != nil || !all.Full || len(all.Changed) != 0 {
			t.Fatalf("%+v, %v, want nothing, and all of it", all, err)
		}
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		news, err := f.Confirm(t.Context(), wire.ConfirmRequest{Consumer: "eu", Role: "region", Contract: "flag", Selector: "flags/*", Have: all.Revision})
		if err != nil || news.Full || len(news.Changed) != 1 || news.Changed[0].Phase != "CANARY" {
			t.Errorf("%+v, %v, want CANARY", news, err)
		}
		other, err := f.Confirm(t.Context(), wire.ConfirmRequest{Consumer: "eu", Role: "region", Contract: "flag", Selector: "flags/other*"})
		if err != nil || len(other.Changed) != 0 {
			t.Errorf("%+v, %v, want nothing of another selector", other, err)
		}
	})
}

func TestNewsGoesOnWhereAStreamEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		first := f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		for _, tt := range []struct {
			from int64
			want int
		}{{0, 1}, {first.Revision - 1, 1}, {f.records()[0].Revision, 0}, {1 << 40, 1}} {
			ctx, stop := context.WithCancel(t.Context())
			err := f.Watch(ctx, "flag", "", tt.from, func(_ int64, changed []*mediator.News) error {
				if len(changed) != tt.want {
					t.Errorf("from %d: %d records, want %d", tt.from, len(changed), tt.want)
				}
				stop()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAnEntryThatWasChangedOrLeftOutIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		log := f.audit()
		if err := wire.VerifyChain(log); err != nil || len(log) != 3 {
			t.Fatalf("%d entries, %v, want contract, committed and enforced", len(log), err)
		}
		changed := append([]wire.Entry(nil), log...)
		changed[1].Sender = "somebody else"
		forged := append([]wire.Entry(nil), log...)
		forged[1].Sender = "somebody else"
		forged[1].Hash = forged[1].Sum()
		for name, bad := range map[string][]wire.Entry{"changed": changed, "forged": forged, "left out": {log[0], log[2]}} {
			if wire.VerifyChain(bad) == nil {
				t.Errorf("a log with an entry that was %s verifies", name)
			}
		}
	})
}

func TestALeaseHasOneHolderAndGrowingTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "lease")
		q := func(holder string, token uint64) wire.LeaseRequest {
			return wire.LeaseRequest{Contract: "lease", Key: "shop/cron", Holder: holder, Token: token}
		}
		one, err := f.Acquire(t.Context(), q("one", 0), "test")
		if err != nil || one.Token == 0 {
			t.Fatalf("%+v, %v, want a token", one, err)
		}
		if two, err := f.Acquire(t.Context(), q("two", 0), "test"); err != nil || two.Token != 0 || two.Holder != "one" {
			t.Errorf("%+v, %v, want that one holds it", two, err)
		}
		if again, err := f.Acquire(t.Context(), q("one", 0), "test"); err != nil || again.Token != one.Token {
			t.Errorf("%+v, %v, want the same tenure", again, err)
		}
		<-time.After(9 * time.Second)
		if _, err := f.Renew(t.Context(), q("one", one.Token)); err != nil {
			t.Error(err)
		}
		<-time.After(11 * time.Second)
		if _, err := f.Renew(t.Context(), q("one", one.Token)); code(err) != wire.CodeFenceStale {
			t.Errorf("renewing after the end: %v, want fence_stale", err)
		}
		two, err := f.Acquire(t.Context(), q("two", 0), "test")
		if err != nil || two.Token <= one.Token {
			t.Errorf("%+v, %v, want a token larger than %d", two, err, one.Token)
		}
		a := f.announcement("FOLLOWER", "ACQUIRING", 0)
		a.Subject, a.Token = "shop/cron", one.Token
		if _, err := f.Announce(t.Context(), f.seal(a, "test"), "test", false); code(err) != wire.CodeFenceStale {
			t.Errorf("announcing with the old token: %v, want fence_stale", err)
		}
		if err := f.Resign(t.Context(), q("two", two.Token), "test"); err != nil {
			t.Error(err)
		}
		if three, err := f.Acquire(t.Context(), q("three", 0), "test"); err != nil || three.Token <= two.Token {
			t.Errorf("%+v, %v, want the lease at once", three, err)
		}
	})
}
