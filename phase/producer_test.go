package phase_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

var pod = phase.Subject{Contract: "drain", Key: "cart/1"}

// active returns a producer of pod that is ACTIVE.
func active(t *testing.T, c *phase.Client) *phase.Producer {
	t.Helper()
	p, err := c.Producer(t.Context(), pod)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.To(t.Context(), "ACTIVE", phase.WithFacts(phase.Facts{Probe: map[string]bool{"ready": true}})); err != nil {
		t.Fatal(err)
	}
	return p
}

// to makes a transition and returns how, and how long it took.
func to(t *testing.T, p *phase.Producer, name phase.Name) (phase.Receipt, time.Duration) {
	t.Helper()
	began := time.Now()
	r, err := p.To(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return r, time.Since(began)
}

func watch(t *testing.T, c *phase.Client) *phase.Watch {
	t.Helper()
	w, err := c.Watch(t.Context(), "drain", "cart/*", "router")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAcknowledgementsEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		w := watch(t, f.client(t, "router"))
		to(t, p, "DRAIN")
		r, took := to(t, p, "SHUTDOWN")
		if r.Cause != protocol.CauseAcks || took > 300*time.Millisecond {
			t.Errorf("SHUTDOWN came by %s after %s, want by acks, sooner than a confirm comes by the clock", r.Cause, took)
		}
		if v := w.Get(pod.Key); v.Phase != "SHUTDOWN" || v.Epoch != 3 {
			t.Errorf("the consumer believes %s, want SHUTDOWN at epoch 3", v)
		}
	})
}

func TestATicketThatIsOpenDelaysTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		w := watch(t, f.client(t, "router"))
		ticket, err := w.Begin(t.Context(), pod.Key, "new_request")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, ticket.Done)
		to(t, p, "DRAIN")
		r, took := to(t, p, "SHUTDOWN")
		if r.Cause != protocol.CauseAcks || took < 900*time.Millisecond || took > 1100*time.Millisecond {
			t.Errorf("SHUTDOWN came by %s after %s, want by acks once the request of one second had ended", r.Cause, took)
		}
		if _, err := w.Begin(t.Context(), pod.Key, "new_request"); !errors.Is(err, phase.ErrRefused) {
			t.Errorf("a new request gives %v, want ErrRefused", err)
		}
	})
}

// Whatever is lost, no consumer acts on the old phase once the new one is in
// force: its belief has ended by then.
func TestAConsumerThatIsCutOffStopsBeforeTheProducerEnforces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		far := newWire(f)
		w := watch(t, far.client(t, "router"))
		to(t, p, "DRAIN")
		<-time.After(time.Second)
		far.lose(func(*http.Request) bool { return true })
		cut := time.Now()
		var stopped time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 4000 {
				if !w.Get(pod.Key).Known {
					stopped = time.Since(cut)
					return
				}
				<-time.After(time.Millisecond)
			}
		}()
		r, took := to(t, p, "SHUTDOWN")
		<-done
		if r.Cause != protocol.CauseBound || len(r.Missing) != 1 {
			t.Errorf("SHUTDOWN came by %s with %v missing, want by the bound with one", r.Cause, r.Missing)
		}
		if stopped == 0 || stopped > 901*time.Millisecond || took <= stopped+400*time.Millisecond {
			t.Errorf("the belief ended after %s and the phase was in force after %s: want a belief of at most 900ms, and the flight of 400ms beyond it", stopped, took)
		}
	})
}

// A hook drains before the process is told to stop, and then ServeAndDrain does.
func TestWhoHasDrainedHasNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		for range 2 {
			if err := p.Drain(t.Context(), phase.DrainOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if v := p.Actual(); v.Phase != "SHUTDOWN" || v.Epoch != 3 {
			t.Errorf("it is in %s, want SHUTDOWN at epoch 3", v)
		}
	})
}

func TestALostAnswerDoesNotCommitTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		c := f.client(t, "pod")
		p := active(t, c)
		lost := 0
		f.answerLost(func(r *http.Request) bool {
			lost++
			return r.URL.Path == wire.PathAnnounce && lost == 1
		})
		r, _ := to(t, p, "DRAIN")
		if r.Epoch != 2 || p.Actual().Phase != "DRAIN" {
			t.Errorf("epoch %d, %s, want the one commit to be recognised as epoch 2", r.Epoch, p.Actual())
		}
	})
}

// Without a quorum a commit can be kept, and done when the quorum is back. By then
// whoever asked may have given up.
func TestACommitThatIsDoneAfterEverybodyGaveUpIsTakenUpByTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		<-time.After(2 * time.Second) // it has settled
		var kept []byte
		whole := f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == wire.PathAnnounce && kept == nil {
				kept, _ = io.ReadAll(r.Body) // if it fails, the mediator will refuse it
			}
			noQuorum(w)
		}))
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := p.To(ctx, "DRAIN"); err == nil {
			t.Fatal("there is no quorum, and it is announced")
		}
		f.serve(whole)
		late, err := http.NewRequestWithContext(t.Context(), http.MethodPost, wire.PathAnnounce, bytes.NewReader(kept))
		if err != nil {
			t.Fatal(err)
		}
		unheard(whole, late)
		if r, _ := to(t, p, "DRAIN"); r.Epoch != 2 || p.Actual().Phase != "DRAIN" {
			t.Errorf("epoch %d, %s, want DRAIN at epoch 2, which the first call made", r.Epoch, p.Actual())
		}
		if r, _ := to(t, p, "SHUTDOWN"); r.Epoch != 3 {
			t.Errorf("epoch %d, want 3", r.Epoch)
		}
	})
}

func TestWhatTheMediatorAnsweredLastIsSaidWhenTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		var asked atomic.Int64
		f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == wire.PathAnnounce {
				if asked.Add(1) > 1 {
					<-r.Context().Done()
					return
				}
			}
			noQuorum(w)
		}))
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := p.To(ctx, "DRAIN")
		why, ok := errors.AsType[*wire.Error](err)
		if !ok || why.Code != wire.CodeUnavailable || !errors.Is(err, context.DeadlineExceeded) || asked.Load() != 2 {
			t.Errorf("after %d questions: %v, want that the time is over, and what the mediator said while it answered", asked.Load(), err)
		}
	})
}

func TestATransitionThatTheContractDoesNotHaveChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		_, err := p.To(t.Context(), "INIT")
		var why *wire.Error
		if !errors.As(err, &why) || why.Code != wire.CodeTransition || p.Actual().Phase != "ACTIVE" {
			t.Errorf("To(INIT) = %v, and %s, want a refusal and ACTIVE", err, p.Actual())
		}
	})
}

func TestAWaitThatIsGivenUpGoesOnWithTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		w := watch(t, f.client(t, "router"))
		to(t, p, "DRAIN")
		<-time.After(time.Second)
		ticket, err := w.Begin(t.Context(), pod.Key, "continue")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if _, err := p.To(ctx, "SHUTDOWN"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("To = %v, want that the time was over", err)
		}
		if got := p.Actual().Phase; got != "DRAIN" {
			t.Errorf("%s is in force though nobody has waited for it", got)
		}
		ticket.Done()
		_, err = p.To(t.Context(), "SHUTDOWN") // there is no way from SHUTDOWN to SHUTDOWN
		var why *wire.Error
		if !errors.As(err, &why) || why.Code != wire.CodeTransition || p.Actual().Phase != "SHUTDOWN" {
			t.Errorf("To = %v, and %s, want that the wait is finished first", err, p.Actual())
		}
	})
}

func TestANewProcessTakesUpWhatTheOldOneAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		w := watch(t, f.client(t, "router"))
		p := active(t, f.client(t, "pod"))
		to(t, p, "DRAIN")
		<-time.After(time.Second)
		ticket, err := w.Begin(t.Context(), pod.Key, "continue")
		if err != nil {
			t.Fatal(err)
		}
		defer ticket.Done()
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		_, _ = p.To(ctx, "SHUTDOWN") // and here the process dies
		began := time.Now()
		again, err := f.client(t, "pod").Producer(t.Context(), pod)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); again.Actual().Phase != "SHUTDOWN" || took < 1400*time.Millisecond {
			t.Errorf("the new process has %s after %s, want SHUTDOWN after the whole bound", again.Actual(), took)
		}
	})
}

func TestAProducerGoesOnWithTheNextVersionOfItsContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		next := strings.Replace(string(contractText(t, "drain")), "version: 1,", "version: 2,", 1)
		if _, err := f.mediator.AddContract(t.Context(), "drain", []byte(next), "test"); err != nil {
			t.Fatal(err)
		}
		if r, _ := to(t, p, "DRAIN"); r.Epoch != 2 {
			t.Errorf("epoch %d, want 2", r.Epoch)
		}
	})
}

func TestEnterRefusesAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		done, v, err := p.Enter(t.Context(), "new_request", nil)
		if err != nil || v != "unannotated" || p.Inflight() != 1 {
			t.Errorf("Enter = %s, %v with %d in flight, want one that is admitted unannotated", v, err, p.Inflight())
		}
		select {
		case <-p.Quiesced():
			t.Error("quiesced with one in flight")
		default:
		}
		done()
		done()
		<-p.Quiesced()
		to(t, p, "DRAIN")
		b := &phase.Belief{Role: "router", Action: "new_request", Phase: "ACTIVE", Epoch: 1}
		if done, v, err := p.Enter(t.Context(), "new_request", b); err != nil || v != "tolerated" {
			t.Errorf("at once: %s, %v, want a late request to be tolerated", v, err)
		} else {
			done()
		}
		<-time.After(3 * time.Second)
		if _, v, err := p.Enter(t.Context(), "new_request", b); err != nil || v != "mismatch" {
			t.Errorf("after the bound: %s, %v, want a mismatch that is served", v, err)
		}
		to(t, p, "SHUTDOWN")
		if _, v, err := p.Enter(t.Context(), "new_request", b); !errors.Is(err, phase.ErrRefused) || v != "refused" {
			t.Errorf("in SHUTDOWN: %s, %v, want a refusal", v, err)
		}
	})
}

// Whoever called To has given up, and the mediator learns of it all the same.
func TestAReportThatWasLostIsMadeGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		far := newWire(f)
		p := active(t, far.client(t, "pod"))
		<-time.After(2 * time.Second) // it has settled
		far.lose(func(r *http.Request) bool { return r.URL.Path == wire.PathEnforced })
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := p.To(ctx, "DRAIN"); err == nil || !strings.Contains(err.Error(), "in force and not reported") {
			t.Fatalf("To = %v, want that it was not reported in time", err)
		}
		far.lose(nil)
		<-time.After(11 * time.Second)
		list, err := f.mediator.Subjects(t.Context(), "drain", "")
		if err != nil || len(list) != 1 || list[0].Enforced != 2 {
			t.Errorf("%+v, %v, want epoch 2 to be reported in force", list, err)
		}
	})
}
