package phase_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/contract"
)

// An action that is decided on in time and flies for no longer than maxFlight
// arrives in a phase that permits it, whatever the wire loses, delays or
// reorders: this is what the protocol is for. The model checker shows it for the
// pure functions; here it is the SDK and the mediator as they are shipped, with
// what each process saw recorded and judged.
func TestNoActionArrivesInAPhaseThatDeniesIt(t *testing.T) {
	const routers = 3
	seeds, sent, bounds := 40, 0, 0
	if testing.Short() {
		seeds = 8
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, "drain")
				p := active(t, f.client(t, "pod"))
				run := &interleaving{t: t, p: p, stop: make(chan struct{})}
				var wires []*fixture
				for i := range routers {
					r := rand.New(rand.NewPCG(seed, uint64(i)))
					far := newWire(f)
					wires = append(wires, far)
					w, err := far.client(t, fmt.Sprintf("router-%d", i)).Watch(t.Context(), "drain", "cart/*", "router")
					if err != nil {
						t.Fatal(err)
					}
					far.lose(chance(r))
					far.hold(delays(rand.New(rand.NewPCG(seed, uint64(50+i)))))
					run.workers.Go(func() { run.follow(w) })
					run.workers.Go(func() { run.act(w, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
				}
				<-time.After(time.Duration(seed%7) * 100 * time.Millisecond)
				to(t, p, "DRAIN")
				if seed%3 == 0 { // the worst case: cut off with a belief that is fresh
					<-time.After(2 * time.Second)
					wires[0].hold(nil)
					wires[0].lose(nil)
					<-time.After(time.Second)
					wires[0].lose(func(*http.Request) bool { return true })
				}
				if r, _ := to(t, p, "SHUTDOWN"); r.Cause == "bound" {
					bounds++
				}
				<-time.After(time.Second)
				close(run.stop)
				run.workers.Wait()
				sent += run.sent
			})
		})
	}
	if !testing.Short() && (sent < 15*seeds || bounds == 0 || bounds == seeds) {
		t.Errorf("%d actions, and %d of %d waits ended by the bound: want both ways to be taken", sent, bounds, seeds)
	}
}

// interleaving is one run.
type interleaving struct {
	t       *testing.T
	p       *phase.Producer
	workers sync.WaitGroup
	stop    chan struct{}

	mu   sync.Mutex
	sent int
}

// act does what the role may do, again and again, each time after a flight that
// is as long as the contract assumes at most.
func (i *interleaving) act(w *phase.Watch, r *rand.Rand) {
	for {
		action := []string{"new_request", "continue"}[r.IntN(2)]
		ticket, err := w.Begin(i.t.Context(), pod.Key, action)
		if err == nil {
			<-time.After(time.Duration(r.Int64N(int64(400 * time.Millisecond))))
			i.arrive(action, ticket)
			ticket.Done()
		}
		select {
		case <-time.After(time.Duration(r.Int64N(int64(30 * time.Millisecond)))):
		case <-i.stop:
			return
		}
	}
}

func (i *interleaving) arrive(action string, ticket phase.Ticket) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sent++
	done, v, err := i.p.Enter(i.t.Context(), action, &ticket.Belief)
	if ticket.View.Panic {
		if err == nil {
			done()
		}
		return // panic mode is outside of what is promised
	}
	if err != nil || v == contract.VerdictRefused {
		i.t.Errorf("%s, begun while %s was believed, arrives in %s: %s", action, ticket.View, i.p.Actual(), v)
		return
	}
	done()
}

// follow checks that what one process believes never goes back.
func (i *interleaving) follow(w *phase.Watch) {
	var last phase.Epoch
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for {
		if v := w.Get(pod.Key); v.Epoch < last {
			i.t.Errorf("%s after epoch %d", v, last)
		} else {
			last = v.Epoch
		}
		select {
		case <-ticks.C:
		case <-i.stop:
			return
		}
	}
}

// delays are mostly short, and now and then longer than a belief lasts.
func delays(r *rand.Rand) func() time.Duration {
	var mu sync.Mutex
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		longest := 20 * time.Millisecond
		if r.IntN(8) == 0 {
			longest = 1200 * time.Millisecond
		}
		return time.Duration(r.Int64N(int64(longest)))
	}
}

// chance loses some requests, and now and then all of a stretch.
func chance(r *rand.Rand) func(*http.Request) bool {
	var mu sync.Mutex
	var until time.Time
	return func(*http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().Before(until) {
			return true
		}
		if r.IntN(20) == 0 {
			until = time.Now().Add(time.Duration(r.Int64N(int64(3 * time.Second))))
		}
		return r.IntN(10) == 0
	}
}
