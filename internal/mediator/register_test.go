package mediator_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase/wire"
)

var quiesced = wire.Ack{Key: "flags/rounding", Applied: 1, Quiesced: 1}

// A mediator that was just started knows who may believe what, but not what they
// have acknowledged; silence must not read as consent.
func TestAfterARestartSilenceIsNotConsent(t *testing.T) {
	for _, tt := range []struct {
		name string
		back bool // both consumers come back
	}{{"one is gone", false}, {"both come back", true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := &mediator.Memory{}
				first := start(t, state, "flag")
				first.commit(first.announcement("FLAG_OFF", "CANARY", 0))
				for _, name := range []string{"eu", "us"} {
					if _, err := confirm(first, name, quiesced); err != nil {
						t.Fatal(err)
					}
				}
				first.stop()
				second := start(t, state, "flag")
				began := time.Now()
				if _, err := confirm(second, "eu", quiesced); err != nil {
					t.Fatal(err)
				}
				if _, err := second.announce(second.announcement("CANARY", "FLAG_OFF", 1)); code(err) != wire.CodeNotSettled {
					t.Errorf("at once: %v, want not_settled while one has not come back", err)
				}
				if tt.back {
					if _, err := confirm(second, "us", quiesced); err != nil {
						t.Fatal(err)
					}
				} else {
					<-time.After(1400*time.Millisecond - time.Since(began)) // every belief of before has ended
				}
				if _, err := second.announce(second.announcement("CANARY", "FLAG_OFF", 1)); err != nil {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}

// A guard that asks whether all consumers can write a version must not hold since
// nobody is known.
func TestAfterARestartAGuardSeesWhoWasRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &mediator.Memory{}
		edited := []byte(strings.Replace(string(text(t, "flag")), "request.reviewed", "consumers.all(c, c.version_writes.exists(v, v == 'v2'))", 1))
		first := startWith(t, state, "flag", edited)
		first.commit(first.announcement("FLAG_OFF", "CANARY", 0))
		<-time.After(time.Minute)
		q := wire.ConfirmRequest{Consumer: "old", Role: "region", Contract: "flag", Selector: "flags/*", Writes: []string{"v1"}}
		if _, err := first.Confirm(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		first.stop()
		second := startWith(t, state, "flag", edited)
		q.Acks = []wire.Ack{quiesced}
		for _, says := range []string{"it has not come back", "it has acknowledged"} {
			if _, err := second.announce(second.announcement("CANARY", "FLAG_ON", 1)); code(err) == "" {
				t.Errorf("%s, and FLAG_ON is committed with a consumer that writes v1 only", says)
			}
			if _, err := second.Confirm(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := second.announce(second.announcement("CANARY", "FLAG_ON", 1)); code(err) != wire.CodeGuardFalse {
			t.Errorf("%v, want guard_false", err)
		}
		q.Writes = []string{"v2"}
		if _, err := second.Confirm(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if _, err := second.announce(second.announcement("CANARY", "FLAG_ON", 1)); err != nil {
			t.Errorf("%v, want it committed when all write v2", err)
		}
	})
}

func TestWhoLeftOrEndedIsForgottenByTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &mediator.Memory{}
		f := start(t, state, "flag")
		for _, name := range []string{"eu", "us"} {
			if _, err := confirm(f, name); err != nil {
				t.Fatal(err)
			}
		}
		if n := registered(t, state); n != 2 {
			t.Errorf("%d registrations, want 2", n)
		}
		q := wire.ConfirmRequest{Consumer: "eu", Role: "region", Contract: "flag", Selector: "flags/*", Leaving: true}
		if _, err := f.Confirm(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		if n := registered(t, state); n != 1 {
			t.Errorf("after one left: %d registrations, want 1", n)
		}
		<-time.After(time.Minute)
		if n := registered(t, state); n != 0 {
			t.Errorf("after a minute of silence: %d registrations, want none", n)
		}
	})
}

func registered(t *testing.T, state mediator.State) int {
	t.Helper()
	list, _, err := state.List(t.Context(), "c/")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// counted is a State that takes its time for each commit, and counts them.
type counted struct {
	mediator.State
	commits atomic.Int64
}

func (c *counted) Commit(ctx context.Context, ifs []mediator.Condition, puts []mediator.Put, deletes ...string) (int64, bool, error) {
	c.commits.Add(1)
	<-time.After(2 * time.Millisecond)
	return c.State.Commit(ctx, ifs, puts, deletes...)
}

// It runs on the real clock: who waits for a mutex holds up that of a bubble.
func TestManyConsumersRegisterTogether(t *testing.T) {
	state := &counted{State: &mediator.Memory{}}
	f := start(t, state, "flag")
	before := state.commits.Load()
	var all sync.WaitGroup
	const consumers = 300
	for i := range consumers {
		all.Go(func() {
			if _, err := confirm(f, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := state.commits.Load() - before; n > consumers/10 {
		t.Errorf("%d commits for %d consumers, want them to share", n, consumers)
	}
	if n := registered(t, state); n != consumers {
		t.Errorf("%d registrations, want %d", n, consumers)
	}
}
