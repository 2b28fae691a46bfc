package sim_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/fallback"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/sim"
)

// Here policies that are about time are held against the real ones call by call:
// a run is recorded, and then the same calls are made at the same times through
// failsafe-go in a bubble of virtual time, with attempts that take as long and
// end as they did in the run. Each call must end at the same nanosecond, alike.

// A played call is one that a run made.
type played struct {
	begins, ends time.Duration
	ok           bool
	attempts     []answered // those that reached the server, in order
}

// An answered attempt is what the server made of it.
type answered struct {
	takes time.Duration
	ok    bool
}

// play runs a service of any number of servers, whose work is exponential with
// the given mean and fails in a fifth of cases, behind a policy.
func play(t *testing.T, p sim.Policy, mean time.Duration) ([]played, sim.EdgeCount) {
	t.Helper()
	m := one(60, sim.Service{Servers: 1e6, ServiceTime: sim.ExpDist(mean), Error: 0.2})
	m.Horizon = 60 * time.Second
	p.From, p.To, p.Cancel = "u", "s", true
	m.Policies = []sim.Policy{p}
	calls := make(map[string]*played)
	sink := &sim.MemorySink{Form: sim.Protobuf}
	s, err := sim.New(m, 1, sim.Settings{Sink: sink, Ended: func(e sim.Ended) {
		calls[hex.EncodeToString(e.Trace[:])] = &played{begins: e.Start.Duration(), ends: e.End.Duration(), ok: e.OK}
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers(t, sink, calls)
	var out []played
	for _, c := range calls {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b played) int { return int(a.begins - b.begins) })
	if len(out) < 1000 {
		t.Fatalf("%d calls were made, want more", len(out))
	}
	return out, r.Edge("u", "s", 0, m.Horizon)
}

// answers reads off the server's spans how long attempts took. One that was
// cancelled before it was done would have taken longer, and nobody knows how
// long.
func answers(t *testing.T, sink *sim.MemorySink, calls map[string]*played) {
	t.Helper()
	type span struct {
		began uint64
		answered
	}
	spans := make(map[string][]span)
	for _, r := range sink.Requests {
		if r.Signal != sim.Traces {
			continue
		}
		traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, rs := range traces.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					a := answered{time.Duration(s.EndTimestamp() - s.StartTimestamp()), s.Status().Code() != ptrace.StatusCodeError}
					if code, ok := s.Attributes().Get("http.response.status_code"); ok && code.Int() == 499 {
						a.takes = time.Hour
					}
					id := s.TraceID().String()
					spans[id] = append(spans[id], span{uint64(s.StartTimestamp()), a})
				}
			}
		}
	}
	for id, list := range spans {
		slices.SortFunc(list, func(a, b span) int { return int(int64(a.began) - int64(b.began)) })
		if c := calls[id]; c != nil { // else it was under way at the end
			for _, s := range list {
				c.attempts = append(c.attempts, s.answered)
			}
		}
	}
}

// compared is up to when calls are compared: what was under way at the end of the
// run is not known, and stood in the way of what ended just before.
const compared = 59 * time.Second

var errServer = errors.New("the server says no")

// replayed makes the calls through failsafe-go, and reports the first that does
// not end as it did in the run. The policies are built in the bubble, as they
// hold channels.
func replayed(t *testing.T, calls []played, build func() []failsafe.Policy[any]) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		policies, began := build(), time.Now()
		ends := make([]time.Duration, len(calls))
		oks := make([]bool, len(calls))
		var wg sync.WaitGroup
		for i, c := range calls {
			<-time.After(c.begins - time.Since(began))
			wg.Go(func() {
				var mu sync.Mutex
				next := 0
				err := failsafe.With(policies...).WithContext(t.Context()).RunWithExecution(func(e failsafe.Execution[any]) error {
					mu.Lock()
					nth := next
					next++
					mu.Unlock()
					if nth >= len(c.attempts) {
						return errors.New("an attempt that the run did not make")
					}
					return c.attempts[nth].make(e.Context())
				})
				ends[i], oks[i] = time.Since(began), err == nil
				if c.ends < compared && next != len(c.attempts) {
					t.Errorf("the call at %v makes %d attempts, and through failsafe-go %d", c.begins, len(c.attempts), next)
				}
			})
		}
		wg.Wait()
		for i, c := range calls {
			if c.ends < compared && (c.ends != ends[i] || c.ok != oks[i]) {
				t.Fatalf("the call at %v, with attempts %v, ends at %v (ok: %v), and through failsafe-go at %v (ok: %v)", c.begins, c.attempts, c.ends, c.ok, ends[i], oks[i])
			}
		}
	})
}

// make takes as long as the attempt did, or until it is cancelled.
func (a answered) make(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(a.takes):
	}
	if !a.ok {
		return errServer
	}
	return nil
}

func TestTheBulkheadAdmitsAsFailsafeGosDoes(t *testing.T) {
	for name, wait := range map[string]time.Duration{"refuses at once": 0, "waits": 60 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			calls, count := play(t, sim.Policy{Bulkhead: sim.Bulkhead{Max: 6, MaxWait: wait}}, 100*time.Millisecond)
			if count.Shed < 100 || count.OK < 1000 {
				t.Fatalf("%+v; want some refused and some not", count)
			}
			replayed(t, calls, func() []failsafe.Policy[any] {
				return []failsafe.Policy[any]{bulkhead.NewBuilder[any](6).WithMaxWaitTime(wait).Build()}
			})
		})
	}
}

func TestTheTimeoutEndsAttemptsAsFailsafeGosDoes(t *testing.T) {
	calls, count := play(t, sim.Policy{Timeout: 150 * time.Millisecond, Retry: sim.Retry{MaxAttempts: 3, Delay: 20 * time.Millisecond}}, 100*time.Millisecond)
	if count.Timeouts < 500 || count.OK < 1000 {
		t.Fatalf("%+v; want some timeouts", count)
	}
	replayed(t, calls, func() []failsafe.Policy[any] {
		return []failsafe.Policy[any]{
			retrypolicy.NewBuilder[any]().WithMaxAttempts(3).WithDelay(20 * time.Millisecond).Build(),
			timeout.New[any](150 * time.Millisecond),
		}
	})
}

func TestTheHedgeAnswersAsFailsafeGosDoes(t *testing.T) {
	calls, count := play(t, sim.Policy{Hedge: sim.Hedge{Delay: 80 * time.Millisecond}}, 100*time.Millisecond)
	if count.Hedged < 1000 || count.Hedged > count.Calls*6/10 {
		t.Fatalf("%+v; want a hedge for some", count)
	}
	replayed(t, calls, func() []failsafe.Policy[any] {
		return []failsafe.Policy[any]{hedgepolicy.NewWithDelay[any](80 * time.Millisecond)}
	})
}

func TestTheFallbackAnswersAsFailsafeGosDoes(t *testing.T) {
	calls, count := play(t, sim.Policy{Fallback: true, Retry: sim.Retry{MaxAttempts: 2}}, 50*time.Millisecond)
	if count.Fallback < 50 || count.Failed > 0 {
		t.Fatalf("%+v; want failures that were answered from elsewhere", count)
	}
	fell := 0
	var mu sync.Mutex
	replayed(t, calls, func() []failsafe.Policy[any] {
		return []failsafe.Policy[any]{
			fallback.NewBuilderWithResult[any]("elsewhere").OnFallbackExecuted(func(failsafe.ExecutionDoneEvent[any]) {
				mu.Lock()
				fell++
				mu.Unlock()
			}).Build(),
			retrypolicy.NewBuilder[any]().WithMaxAttempts(2).Build(),
		}
	})
	if fell != count.Fallback {
		t.Errorf("%d calls are answered from elsewhere, and through failsafe-go %d", count.Fallback, fell)
	}
}

// All of them at once: the order in which they stand around each other matters.
func TestPoliciesStandAroundEachOtherAsTheyDoInFailsafeGo(t *testing.T) {
	calls, count := play(t, sim.Policy{
		Timeout: 200 * time.Millisecond, Fallback: true, Retry: sim.Retry{MaxAttempts: 2, Delay: 10 * time.Millisecond},
		Bulkhead: sim.Bulkhead{Max: 5, MaxWait: 30 * time.Millisecond}, Hedge: sim.Hedge{Delay: 120 * time.Millisecond},
	}, 100*time.Millisecond)
	if count.Shed < 100 || count.Timeouts < 100 || count.Hedged < 100 || count.Fallback < 100 {
		t.Fatalf("%+v; want some of everything", count)
	}
	replayed(t, calls, func() []failsafe.Policy[any] {
		return []failsafe.Policy[any]{
			fallback.NewWithResult[any]("elsewhere"),
			retrypolicy.NewBuilder[any]().WithMaxAttempts(2).WithDelay(10 * time.Millisecond).Build(),
			bulkhead.NewBuilder[any](5).WithMaxWaitTime(30 * time.Millisecond).Build(),
			timeout.New[any](200 * time.Millisecond),
			hedgepolicy.NewWithDelay[any](120 * time.Millisecond),
		}
	})
}
