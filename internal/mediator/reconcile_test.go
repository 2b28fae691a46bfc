package mediator_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase/wire"
)

// trouble is what the mediator says of the only subject, or nothing.
func (f *fixture) trouble() wire.Trouble {
	f.t.Helper()
	list := f.records()
	if len(list) != 1 || len(list[0].Troubles) > 1 {
		f.t.Fatalf("%+v, want one subject with one trouble at most", list)
	}
	if len(list[0].Troubles) == 0 {
		return wire.Trouble{}
	}
	return list[0].Troubles[0]
}

func (f *fixture) enforced(epoch uint64) {
	f.t.Helper()
	q := wire.Enforced{Contract: f.contract.Name, Key: "flags/rounding", Epoch: epoch, Cause: "none"}
	if _, err := f.Enforced(f.t.Context(), q, "test"); err != nil {
		f.t.Error(err)
	}
}

func TestAPhaseThatIsNotPutInForceIsAskedForAndThenToldToPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		if _, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second) // the contract's bound
		if got := f.trouble(); got.Cause != "" {
			t.Errorf("within the bound: %+v, want no trouble", got)
		}
		<-time.After(3 * time.Second)
		if got := f.trouble(); got.Cause != wire.CauseNotEnforced || got.Attempts == 0 || got.Stuck || got.Detail == "" {
			t.Errorf("after it: %+v, want that it is asked for", got)
		}
		<-time.After(time.Minute)
		if got := f.trouble(); got.Attempts != 5 || !got.Stuck {
			t.Errorf("after a minute: %+v, want five attempts and no more", got)
		}
		want := []string{"asked", "asked", "asked", "asked", "asked", "gave_up"}
		if got := f.told(attr.EventPhaseReconcile, attr.PhaseOutcome); !slices.Equal(got, want) {
			t.Errorf("outcomes %q, want %q", got, want)
		}
		if got, want := f.told(attr.EventPhaseReconcile, attr.PhaseBackoff), []string{"1000", "2000", "4000", "8000", "16000", "0"}; !slices.Equal(got, want) {
			t.Errorf("pauses %q, want %q", got, want)
		}
		if got := f.told(attr.EventPhasePaged, attr.AlertName); !slices.Equal(got, []string{"stuck"}) {
			t.Errorf("paged %q, want once", got)
		}
		f.enforced(1)
		<-time.After(5 * time.Second)
		if got := f.trouble(); got.Cause != "" {
			t.Errorf("in force: %+v, want no trouble", got)
		}
		if got := f.told(attr.EventPhaseReconcile, attr.PhaseOutcome); got[len(got)-1] != "settled" {
			t.Errorf("outcomes %q, want settled at the end", got)
		}
	})
}

// A subject that differs again and again is not asked for without end: attempts
// count together until it was in order for a minute.
func TestAttemptsAreBoundedAlsoWhenADifferenceComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		names := []string{"FLAG_OFF", "CANARY"}
		for epoch := range uint64(2) {
			if _, err := f.announce(f.announcement(names[epoch%2], names[(epoch+1)%2], epoch)); err != nil {
				t.Fatal(err)
			}
			<-time.After(10*time.Second + time.Duration(epoch)*30*time.Second)
			f.enforced(epoch + 1)
			<-time.After(5 * time.Second)
		}
		if got, want := f.told(attr.EventPhaseReconcile, attr.PhaseAttempt), []string{"1", "2", "3", "3", "4", "5", "5", "5"}; !slices.Equal(got, want) {
			t.Errorf("attempts %q, want %q", got, want)
		}
		<-time.After(2 * time.Minute)
		if _, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 2)); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		if got := f.told(attr.EventPhaseReconcile, attr.PhaseAttempt)[8:]; len(got) == 0 || got[0] != "1" {
			t.Errorf("after two minutes in order: attempts %q, want the count to begin anew", got)
		}
	})
}

// One look may fall between a commit and its report.
func TestAReportThatIsALittleLateIsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		if _, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(2900 * time.Millisecond) // the bound, and less than two looks
		f.enforced(1)
		<-time.After(time.Minute)
		if got := f.told(attr.EventPhaseReconcile, attr.PhaseOutcome); len(got) > 0 {
			t.Errorf("outcomes %q, want none", got)
		}
	})
}

func TestALeaderWhoseLeaseHasEndedIsNamedUntilAnotherLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "lease")
		lead := func(holder string, from string, epoch uint64) {
			t.Helper()
			q := wire.LeaseRequest{Contract: "lease", Key: "shop/cron", Holder: holder}
			held, err := f.Acquire(t.Context(), q, "test")
			if err != nil {
				t.Fatal(err)
			}
			a := f.announcement(from, "ACQUIRING", epoch)
			a.Subject, a.Token = "shop/cron", held.Token
			receipt, err := f.Announce(t.Context(), f.seal(a, "test"), "test", false)
			if err == nil {
				_, err = f.Enforced(t.Context(), wire.Enforced{Contract: "lease", Key: "shop/cron", Epoch: receipt.Epoch}, "test")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		lead("one", "FOLLOWER", 0)
		<-time.After(8 * time.Second)
		if got := f.trouble(); got.Cause != "" {
			t.Errorf("while the lease is held: %+v, want no trouble", got)
		}
		<-time.After(6 * time.Second)
		if got := f.trouble(); got.Cause != wire.CauseOrphan {
			t.Errorf("after its end: %+v, want orphan", got)
		}
		out := f.announcement("ACQUIRING", "FOLLOWER", 1)
		out.Subject = "shop/cron"
		if _, err := f.Announce(t.Context(), f.seal(out, "test"), "test", false); err != nil {
			t.Fatal(err)
		}
		lead("two", "FOLLOWER", 2)
		<-time.After(5 * time.Second)
		if got := f.trouble(); got.Cause != "" {
			t.Errorf("with another holder: %+v, want no trouble", got)
		}
	})
}

func TestFlappingAndRefusalsAreToldAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		names := []string{"FLAG_OFF", "CANARY"}
		for epoch := range uint64(3) {
			f.commit(f.announcement(names[epoch%2], names[(epoch+1)%2], epoch))
			<-time.After(time.Minute)
		}
		if got := f.told(attr.EventPhaseFlap, attr.PhaseHeld); !slices.Equal(got, []string{"true"}) {
			t.Errorf("held %q, want it once", got)
		}
		if got := f.trouble(); got.Cause != wire.CauseFlapping || got.Flips != 2 || got.HeldUntil == nil || got.HeldUntil.Before(time.Now()) {
			t.Errorf("%+v, want that it flaps, and until when it is held", got)
		}
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 3)); err == nil {
			t.Error("a held subject moves")
		}
		if got := f.told(attr.EventPhaseRejected, attr.PhaseCode); !slices.Equal(got, []string{wire.CodeHeld}) {
			t.Errorf("rejected %q, want held", got)
		}
		<-time.After(time.Hour)
		if got := f.trouble(); got.Cause != "" {
			t.Errorf("after the window: %+v, want no trouble", got)
		}
	})
}
