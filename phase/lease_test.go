package phase_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/fence"
)

var cron = phase.Subject{Contract: "lease", Key: "shop/cron"}

func write(context.Context, fence.Token) error { return nil }

func TestOnlyOneLeadsAndTheNextOneHasALargerToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "lease")
		guard := &fence.Memory{}
		first, err := f.client(t, "one").Campaign(t.Context(), cron, phase.LeaseOptions{Guard: guard})
		if err != nil {
			t.Fatal(err)
		}
		var second *phase.Lease
		var waiting sync.WaitGroup
		waiting.Go(func() {
			second, err = f.client(t, "two").Campaign(t.Context(), cron, phase.LeaseOptions{Guard: guard})
		})
		<-time.After(time.Minute)
		if second != nil {
			t.Fatal("a second candidate leads beside the first")
		}
		if err := first.Do(t.Context(), write); err != nil {
			t.Errorf("after a minute of renewals: %v", err)
		}
		if err := first.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		waiting.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if second.Token() <= first.Token() {
			t.Errorf("tokens %d and %d, want them to grow", first.Token(), second.Token())
		}
		if err := first.Do(t.Context(), write); !errors.Is(err, phase.ErrLeaseLost) {
			t.Errorf("who resigned gets %v, want ErrLeaseLost", err)
		}
	})
}

func TestALeaderThatIsCutOffStopsBeforeAnotherLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "lease")
		guard := &fence.Memory{}
		far := newWire(f)
		first, err := far.client(t, "one").Campaign(t.Context(), cron, phase.LeaseOptions{Guard: guard})
		if err != nil {
			t.Fatal(err)
		}
		far.lose(func(*http.Request) bool { return true })
		cut := time.Now()
		second, err := f.client(t, "two").Campaign(t.Context(), cron, phase.LeaseOptions{Guard: guard})
		if err != nil {
			t.Fatal(err)
		}
		led := time.Since(cut)
		if cause := context.Cause(first.Context()); !errors.Is(cause, phase.ErrLeaseLost) {
			t.Errorf("the first still leads when the second does: cause %v", cause)
		}
		if led < 8*time.Second || led > 11*time.Second {
			t.Errorf("the second leads after %s, want about the lease's ten seconds", led)
		}
		if err := second.Do(t.Context(), write); err != nil {
			t.Error(err)
		}
		// The first was paused: it does not know, and writes past the SDK's check.
		if err := guard.Do(t.Context(), cron.Key, first.Token(), func(context.Context) error { return nil }); !errors.Is(err, fence.ErrStale) {
			t.Errorf("the late write of the first gives %v, want ErrStale", err)
		}
	})
}

// A process that was started anew has the name of the one before, which may still
// have a write on its way.
func TestANamesakeIsAnotherHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "lease")
		guard := &fence.Memory{}
		first, err := f.client(t, "scheduler").Campaign(t.Context(), cron, phase.LeaseOptions{Guard: guard})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		if second, err := f.client(t, "scheduler").Campaign(ctx, cron, phase.LeaseOptions{Guard: guard}); err == nil {
			t.Errorf("its namesake leads with token %d beside token %d", second.Token(), first.Token())
		}
	})
}

func TestAStaleTokenEndsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "lease")
		guard := &fence.Memory{}
		l, err := f.client(t, "one").Campaign(t.Context(), cron, phase.LeaseOptions{Guard: guard})
		if err != nil {
			t.Fatal(err)
		}
		if err := guard.Seal(t.Context(), cron.Key, l.Token()+1); err != nil {
			t.Fatal(err)
		}
		if err := l.Do(t.Context(), write); !errors.Is(err, fence.ErrStale) {
			t.Errorf("Do = %v, want ErrStale", err)
		}
		if l.Context().Err() == nil {
			t.Error("the lease goes on although another one has been at the resource")
		}
	})
}

func TestALeaseNeedsAGuardWhereTheContractSeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "lease", "drain")
		if _, err := f.client(t, "one").Campaign(t.Context(), cron, phase.LeaseOptions{}); err == nil {
			t.Error("a candidate without a guard may lead")
		}
		if _, err := f.client(t, "one").Campaign(t.Context(), pod, phase.LeaseOptions{}); err == nil {
			t.Error("a contract without exclusivity has a lease")
		}
	})
}
