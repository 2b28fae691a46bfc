package phase_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"example.test/eddy/attr"
	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/phase"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

// traceTick divides all times of testdata/trace.yaml.
const traceTick = 18 * time.Millisecond

// What the SDK and the mediator did in a run is what the model that is checked
// could have done: each commit, each confirm, each belief, each action. Otherwise
// what the model checker proves would be about another program.
func TestWhatWasRecordedIsARunOfTheModel(t *testing.T) {
	seeds := 24
	if testing.Short() {
		seeds = 6
	}
	observations := 0
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := newTracedRun(t, seed, defect{})
				if err := run.follow(run.contract); err != nil {
					t.Error(err)
				}
				observations += run.observed()
			})
		})
	}
	if !testing.Short() && observations < 80*seeds {
		t.Errorf("%d observations in %d runs: want more to happen", observations, seeds)
	}
}

// Each of these programs is broken in one place, and its runs are none of the
// model.
func TestARunOfABrokenProgramIsNoRunOfTheModel(t *testing.T) {
	for _, tt := range []struct {
		name string
		defect
		want string
	}{
		{"a mediator that counts acknowledgements that nobody sent", defect{forgesAcks: true}, "enforced @3"},
		{"a consumer whose clock is slow", defect{consumerClock: 0.5}, "consumer 0 sent"},
		{"a producer whose clock is fast", defect{producerClock: 3}, "enforced @3"},
		{"a mediator that confirms what is not true any more", defect{staleAnswers: true}, "nobody came to believe what was heard"},
		{"a mediator that restarts and forgets who is registered", defect{forgetsRoll: true}, "enforced @3"},
		{"a mediator that commits before the last commit has settled", defect{unsettled: true}, "committed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.cut = true
				run := newTracedRun(t, 1, tt.defect)
				c, err := contract.Parse("trace", contractText(t, "trace"))
				if err != nil {
					t.Fatal(err)
				}
				if err := run.follow(c); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q named", err, tt.want)
				}
			})
		})
	}
}

// A defect is what is broken in a run. cut has the first consumer cut off before
// the last transition, which is when it matters.
type defect struct {
	forgesAcks, staleAnswers, unsettled, forgetsRoll, cut bool
	consumerClock, producerClock                          float64 // rates; 0 is right
}

// A tracedRun is a run with what was observed of it.
type tracedRun struct {
	contract *contract.Contract
	began    time.Time
	workers  sync.WaitGroup
	stop     chan struct{}

	mu   sync.Mutex
	seen []modelcheck.Observation
}

const tracedConsumers = 2

func (h *tracedRun) note(o modelcheck.Observation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o.At = time.Since(h.began)
	h.seen = append(h.seen, o)
}

func (h *tracedRun) observed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

func (h *tracedRun) follow(c *contract.Contract) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return modelcheck.Follow(c, "router", tracedConsumers, traceTick, h.seen)
}

// newTracedRun lets a pod become active, drain and shut down while routers send to
// it, over wires that lose and delay.
func newTracedRun(t *testing.T, seed uint64, d defect) *tracedRun {
	t.Helper()
	h := &tracedRun{stop: make(chan struct{})}
	f := newFixtureWith(t, mediator.Config{Committed: func(r wire.Record) {
		h.note(modelcheck.Observation{Event: modelcheck.EventCommitted, Epoch: r.Epoch, Phase: contract.PhaseName(r.Phase)})
	}, Log: slog.New(slog.DiscardHandler)})
	text := contractText(t, "trace")
	if d.unsettled {
		text = []byte(strings.Replace(string(text), `to: DRAIN,    discipline: announce_first, guard: "true"`, `to: DRAIN,    discipline: announce_first, guard: "true", settle: skip`, 1))
	}
	var err error
	if h.contract, err = f.mediator.AddContract(t.Context(), "trace", text, "test"); err != nil {
		t.Fatal(err)
	}
	h.began = time.Now()
	traced := phase.Subject{Contract: "trace", Key: pod.Key}
	near := newWire(f)
	if d.forgesAcks {
		near.handler = forging(near.handler)
	}
	p, err := near.clientWith(t, phase.Config{
		Identity: "pod", LoggerProvider: h.events(-1), Log: slog.New(slog.DiscardHandler), Clock: clock(d.producerClock),
	}).Producer(t.Context(), traced)
	if err != nil {
		t.Fatal(err)
	}
	var wires []*fixture
	for i := range tracedConsumers {
		far, r := newWire(f), rand.New(rand.NewPCG(seed, uint64(i)))
		far.handler = h.answers(i, far.handler, d.staleAnswers && i == 0)
		far.hold(delays(r))
		client := far.clientWith(t, phase.Config{
			Identity: "router", LoggerProvider: h.events(i), Log: slog.New(slog.DiscardHandler), Clock: clock(d.consumerClock),
			HTTP: &http.Client{Transport: asking{far.direct, h, i}},
		})
		w, err := client.Watch(t.Context(), "trace", pod.Key, "router")
		if err != nil {
			t.Fatal(err)
		}
		far.lose(chance(rand.New(rand.NewPCG(seed, uint64(20+i)))))
		wires = append(wires, far)
		h.workers.Go(func() { h.act(t, w, p, i, rand.New(rand.NewPCG(seed, uint64(40+i)))) })
	}
	if seed%3 == 2 {
		moment := time.Duration(rand.New(rand.NewPCG(seed, 60)).Int64N(int64(4 * time.Second)))
		h.workers.Go(func() {
			<-time.After(moment)
			f.restart()
		})
	}
	h.transitions(t, p, f, wires, d)
	<-time.After(time.Second)
	close(h.stop)
	h.workers.Wait()
	return h
}

// transitions are the life of the pod.
func (h *tracedRun) transitions(t *testing.T, p *phase.Producer, f *fixture, wires []*fixture, d defect) {
	t.Helper()
	acted := phase.WithAct(func(context.Context) error {
		h.note(modelcheck.Observation{Event: modelcheck.EventActed, Phase: "ACTIVE"})
		return nil
	})
	if _, err := p.To(t.Context(), "ACTIVE", acted, phase.WithFacts(phase.Facts{Probe: map[string]bool{"ready": true}})); err != nil {
		t.Fatal(err)
	}
	if !d.unsettled {
		<-time.After(700 * time.Millisecond)
	}
	to(t, p, "DRAIN")
	if d.cut { // with a belief that is fresh
		<-time.After(3 * time.Second)
		wires[0].hold(nil)
		wires[0].lose(func(r *http.Request) bool { return d.staleAnswers && r.URL.Path == wire.PathWatch })
		<-time.After(time.Second)
		if !d.staleAnswers {
			wires[0].lose(func(*http.Request) bool { return true })
		}
	}
	if d.forgetsRoll {
		wires[1].hold(nil)
		wires[1].lose(nil)
		f.forget(t)
		f.restart()
	}
	to(t, p, "SHUTDOWN")
}

// forget deletes who is registered from the state.
func (f *fixture) forget(t *testing.T) {
	t.Helper()
	list, _, err := f.state.List(t.Context(), "c/")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if _, _, err := f.state.Commit(t.Context(), nil, nil, v.Key); err != nil {
			t.Fatal(err)
		}
	}
}

// act sends what the role may, one after the other, each for as long as the
// contract takes it to fly at most.
func (h *tracedRun) act(t *testing.T, w *phase.Watch, p *phase.Producer, consumer int, r *rand.Rand) {
	for {
		action := []string{"new_request", "continue"}[r.IntN(2)]
		if ticket, err := w.Begin(t.Context(), pod.Key, action); err == nil {
			h.note(modelcheck.Observation{Event: modelcheck.EventSent, Consumer: consumer, Action: action, Epoch: uint64(ticket.View.Epoch)})
			<-time.After(time.Duration(r.Int64N(int64(396 * time.Millisecond))))
			done, _, err := p.Enter(t.Context(), action, &ticket.Belief)
			h.note(modelcheck.Observation{Event: modelcheck.EventArrived, Consumer: consumer, Action: action})
			if err == nil {
				done()
			}
			ticket.Done()
		}
		select {
		case <-time.After(time.Duration(r.Int64N(int64(90 * time.Millisecond)))):
		case <-h.stop:
			return
		}
	}
}

// clock runs at a rate; nil is for the right one.
func clock(rate float64) func() time.Duration {
	if rate == 0 {
		return nil
	}
	began := time.Now()
	return func() time.Duration { return time.Duration(float64(time.Since(began)) * rate) }
}

// events notes what a process tells of itself: a consumer what it comes to
// believe, the producer, which is -1, what it has put in force.
func (h *tracedRun) events(consumer int) *sdklog.LoggerProvider {
	return sdklog.NewLoggerProvider(sdklog.WithProcessor(&noting{run: h, consumer: consumer}))
}

type noting struct {
	recorder

	run      *tracedRun
	consumer int
}

// OnEmit implements sdklog.Processor.
func (n *noting) OnEmit(_ context.Context, record *sdklog.Record) error {
	o := modelcheck.Observation{Event: modelcheck.EventBelieved, Consumer: n.consumer}
	switch record.EventName() {
	case attr.EventPhaseObserved:
	case attr.EventPhaseEnforced:
		o = modelcheck.Observation{Event: modelcheck.EventEnforced}
	default:
		return nil
	}
	record.WalkAttributes(func(kv attribute.KeyValue) bool {
		if kv.Key == attr.PhaseEpoch {
			o.Epoch = uint64(kv.Value.AsInt64())
		}
		return true
	})
	n.run.note(o)
	return nil
}

// asking notes when a consumer sends a confirm, and when it has the answer.
type asking struct {
	*direct

	run      *tracedRun
	consumer int
}

// RoundTrip implements http.RoundTripper.
func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != wire.PathConfirm {
		return a.direct.RoundTrip(r)
	}
	a.run.note(modelcheck.Observation{Event: modelcheck.EventAsked, Consumer: a.consumer})
	response, err := a.direct.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusOK {
		response.Body = &hearing{response.Body, func() {
			a.run.note(modelcheck.Observation{Event: modelcheck.EventHeard, Consumer: a.consumer})
		}}
	}
	return response, err
}

// hearing calls heard when all was read.
type hearing struct {
	io.ReadCloser

	heard func()
}

// Read implements io.Reader.
func (h *hearing) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if err == io.EOF && h.heard != nil {
		h.heard()
		h.heard = nil
	}
	return n, err
}

// answers notes when the mediator answers a confirm that is still waited for. A
// stale one leaves out what has changed.
func (h *tracedRun) answers(consumer int, next http.Handler, stale bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wire.PathConfirm {
			next.ServeHTTP(w, r)
			return
		}
		a := &answering{ResponseWriter: w}
		next.ServeHTTP(a, r)
		if r.Context().Err() == nil && a.status == http.StatusOK {
			h.note(modelcheck.Observation{Event: modelcheck.EventAnswered, Consumer: consumer})
		}
		body := a.body
		if i := strings.Index(string(body), `"changed":[`); stale && i >= 0 && strings.Contains(string(body), `"phase":"SHUTDOWN"`) {
			end := strings.LastIndex(string(body), `],"registration"`)
			body = slices.Concat(body[:i], body[end+2:])
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(body) // a client that left has nobody to tell
	})
}

// answering keeps an answer back.
type answering struct {
	http.ResponseWriter

	status int
	body   []byte
}

// WriteHeader implements http.ResponseWriter.
func (a *answering) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answering) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

// forging says that everyone has acknowledged.
func forging(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathSettled {
			_, _ = io.WriteString(w, `{"registered":2,"applied":2,"quiesced":2}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}
