package etcd_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/mediator/etcd"
	"example.test/eddy/phase/fence"
	"example.test/eddy/phase/wire"
)

const leaseYAML = `
apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: lease, version: 1, owner: test}
spec:
  subject: {kind: group, key: "{service.name}/{eddy.phase.group}"}
  phases:
    - {name: FOLLOWER,  order: 0, permissions: {may_write: deny}}
    - {name: ACQUIRING, order: 1, permissions: {may_write: deny}}
    - {name: LEADER,    order: 2, permissions: {may_write: allow}}
  initial: FOLLOWER
  actions: {commit_write: {requires: may_write, fenced: true}}
  roles:
    producers: [{name: scheduler, announces: [FOLLOWER, ACQUIRING, LEADER]}]
    consumers: [{name: worker, observes: eddy, does: {commit_write: [LEADER]}, unknown: {does: []}}]
  transitions:
    - {from: FOLLOWER,  to: ACQUIRING, discipline: atomic,    guard: "lease.free || lease.mine"}
    - {from: ACQUIRING, to: LEADER,    discipline: atomic,    guard: "lease.mine && lease.sealed"}
    - {from: ACQUIRING, to: FOLLOWER,  discipline: act_first, guard: "true"}
    - {from: LEADER,    to: FOLLOWER,  discipline: act_first, guard: "lease.expired"}
  exclusivity:
    phases: [ACQUIRING, LEADER]
    scope: subject
    lease: {ttl: 3s, renewEvery: 500ms, renewDeadline: 2s, maxClockDrift: 0.05}
    fencing: {required: true, mode: seal, attribute: eddy.fence.token}
  propagation: {bound: 2s, beliefTTL: 900ms, confirmEvery: 300ms, maxFlight: 400ms, clockDrift: 0.05}
  stability: {flap: {window: 1h, maxFlips: 1000000, onBreach: page}}
  announce:
    quorum: 1
    maxSkew: 30s
    keys: [{id: test, alg: ed25519, publicKey: "KEY", roles: [scheduler]}]
`

// The leader experiment: two candidates, each a process with a clock that runs
// 4 % fast or slow, want to lead many subjects, over a mediator on a real etcd.
// They are stopped with SIGSTOP and cut off, at random, and their writes arrive
// late. EDDY_LEADER=1000 says how often a leader is to be deposed in each mode;
// without it the test does not run, since leases last two seconds.
func TestADeposedLeaderCannotWrite(t *testing.T) {
	depositions, _ := strconv.Atoi(os.Getenv("EDDY_LEADER"))
	if depositions == 0 {
		t.Skip("EDDY_LEADER=N deposes N leaders in each mode: make leader")
	}
	for _, mode := range []string{"seal", "txn", "token"} {
		t.Run(mode, func(t *testing.T) {
			s := lead(t, mode, depositions)
			t.Logf("%s: %d leaders deposed; %d writes accepted, %d refused as stale; %d accepted of a leader whose successor led", mode, s.deposed, s.accepted, s.stale, s.violations)
			if mode == "token" {
				if s.violations == 0 {
					t.Error("with a bare token no late write got in: the experiment shows nothing")
				}
				return
			}
			if s.violations > 0 {
				t.Errorf("%d writes of deposed leaders were accepted", s.violations)
			}
			if s.stale == 0 {
				t.Error("no write was refused: the experiment shows nothing")
			}
			if result, info := porcupine.CheckEventsVerbose(fenceModel(), s.events, time.Minute); result != porcupine.Ok {
				t.Errorf("the history of the store is not linearizable: %v, %v", result, info)
			}
		})
	}
}

// lead runs one mode.
func lead(t *testing.T, mode string, depositions int) *fencedStore {
	const subjects = 16
	state, err := etcd.Start(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	m, err := mediator.New(mediator.Config{State: state, Alone: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	defer running.Wait()
	defer stop()
	public := experimentKey().Key.Public().(ed25519.PublicKey)
	text := strings.Replace(leaseYAML, "KEY", base64.StdEncoding.EncodeToString(public), 1)
	for {
		if _, err := m.AddContract(ctx, "lease.yaml", []byte(text), "test"); err == nil {
			break
		} else if !strings.Contains(err.Error(), wire.CodeNotActive) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
	s := &fencedStore{mode: mode, state: state, random: rand.New(rand.NewPCG(1, 2)), subjects: make(map[string]*fenced)}
	var hosts []*host
	for i, rate := range []string{"1.04", "0.96"} {
		hosts = append(hosts, startHost(t, m.Handler(nil), s, i+1, rate, subjects))
	}
	random := rand.New(rand.NewPCG(3, 4))
	deadline := time.After(time.Duration(depositions/subjects+10) * 30 * time.Second)
	for s.count() < depositions {
		h := hosts[s.leading()-1] // who does not lead cannot be deposed
		if random.IntN(2) == 0 {
			h.signal(syscall.SIGSTOP)
		} else {
			h.cut.Store(true)
		}
		pause := time.Duration(4000+random.IntN(3000)) * time.Millisecond
		select {
		case <-time.After(pause):
		case <-deadline:
			t.Fatalf("%d leaders were deposed in the time for %d", s.count(), depositions)
		}
		h.cut.Store(false)
		h.signal(syscall.SIGCONT)
		<-time.After(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	for _, h := range hosts {
		h.end()
	}
	s.late.Wait()
	return s
}

// A host is one candidate process and its wire.
type host struct {
	t       *testing.T
	command *exec.Cmd
	input   interface{ Close() error }
	server  *httptest.Server
	cut     atomic.Bool
}

// startHost starts a candidate process. Its way to the mediator can be cut, its
// way to the store cannot.
func startHost(t *testing.T, phases http.Handler, s *fencedStore, seed int, rate string, subjects int) *host {
	h := &host{t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("/store/{what}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("what") == "leads" {
			s.leads(seed)
		}
		s.ServeHTTP(w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if h.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		phases.ServeHTTP(w, r)
	})
	h.server = httptest.NewServer(mux)
	h.command = exec.Command(os.Args[0])
	h.command.Env = append(os.Environ(), "EDDY_CANDIDATE="+h.server.URL, "EDDY_CLOCK_RATE="+rate, fmt.Sprintf("EDDY_SUBJECTS=%d", subjects), fmt.Sprintf("EDDY_SEED=%d", seed))
	h.command.Stderr = os.Stderr
	input, err := h.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.input = input
	if err := h.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.command.Process.Kill() })
	return h
}

func (h *host) signal(s syscall.Signal) {
	if err := h.command.Process.Signal(s); err != nil {
		h.t.Error(err)
	}
}

// end lets the process finish, and waits for it.
func (h *host) end() {
	_ = h.input.Close()
	if err := h.command.Wait(); err != nil {
		h.t.Errorf("candidate: %v", err)
	}
	h.server.CloseClientConnections()
	h.server.Close()
}

// fencedStore is the resource. Writes reach it late, and are checked when they do.
type fencedStore struct {
	mode  string
	state mediator.State
	late  sync.WaitGroup

	mu       sync.Mutex
	random   *rand.Rand
	subjects map[string]*fenced
	events   []porcupine.Event

	host                                 int // that began to lead last
	deposed, accepted, stale, violations int
}

// fenced is one subject: the largest token met, and that of the last who led.
type fenced struct{ largest, leads fence.Token }

func (s *fencedStore) leads(host int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = host
}

// leading is the host that began to lead last.
func (s *fencedStore) leading() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.host, 1)
}

func (s *fencedStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deposed
}

// ServeHTTP seals, writes, or notes who leads. A write is done also when its
// sender has gone: it is on its way.
func (s *fencedStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	subject, token, err := fence.ParseHeader(r.Header.Get(fence.Header))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	what := r.PathValue("what")
	done := make(chan bool, 1)
	s.late.Go(func() { done <- s.do(what, subject, token) })
	if !<-done {
		http.Error(w, "stale", http.StatusConflict)
	}
}

// do is one operation, with its call and its return in the history.
func (s *fencedStore) do(what, subject string, t fence.Token) bool {
	s.mu.Lock()
	call := len(s.events)
	s.events = append(s.events, porcupine.Event{Kind: porcupine.CallEvent, Value: operation{what, subject, t}, Id: call})
	delay := time.Duration(0)
	if what == "write" && s.random.IntN(3) == 0 {
		delay = time.Duration(s.random.Int64N(int64(3 * time.Second)))
	}
	s.mu.Unlock()
	<-time.After(delay)
	ok := s.check(what, subject, t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: ok, Id: call})
	return ok
}

// check does one operation.
func (s *fencedStore) check(what, subject string, t fence.Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.subjects[subject]
	if k == nil {
		k = &fenced{}
		s.subjects[subject] = k
	}
	switch what {
	case "leads":
		if t > k.leads {
			if k.leads != 0 {
				s.deposed++
			}
			k.leads = t
		}
		return true
	case "seal":
		if s.mode == "seal" {
			if t < k.largest {
				return false
			}
			k.largest = t
		}
		return true
	}
	if !s.admits(k, subject, t) {
		s.stale++
		return false
	}
	s.accepted++
	k.largest = max(k.largest, t)
	if t < k.leads {
		s.violations++
	}
	return true
}

// admits is the check of the mode.
func (s *fencedStore) admits(k *fenced, subject string, t fence.Token) bool {
	if s.mode != "txn" {
		return t >= k.largest
	}
	lease := mediator.Condition{Key: "lease/lease/" + wire.Hash(subject), Created: int64(t)}
	_, ok, err := s.state.Commit(context.Background(), []mediator.Condition{lease}, []mediator.Put{{Key: "data/" + wire.Hash(subject), Data: []byte("x")}})
	return ok && err == nil
}

// operation is what was asked of the store.
type operation struct {
	what, subject string
	token         fence.Token
}

// fenceModel is what a fenced store must look like from outside: a write that was
// accepted is of a token that is at least that of whoever led, sealed or wrote
// before it.
func fenceModel() porcupine.Model {
	return porcupine.Model{
		PartitionEvent: bySubject,
		Init:           func() any { return fence.Token(0) },
		Step: func(state, input, output any) (bool, any) {
			largest, o, ok := state.(fence.Token), input.(operation), output.(bool)
			switch {
			case o.what == "leads":
				return true, max(largest, o.token)
			case !ok:
				return true, largest // it may be refused for what is not in the history
			}
			return o.token >= largest, max(largest, o.token)
		},
	}
}

// bySubject splits a history, since subjects do not know of each other.
func bySubject(events []porcupine.Event) [][]porcupine.Event {
	parts := make(map[string][]porcupine.Event)
	of := make(map[int]string)
	var order []string
	for _, e := range events {
		if e.Kind == porcupine.CallEvent {
			subject := e.Value.(operation).subject
			of[e.Id] = subject
			if parts[subject] == nil {
				order = append(order, subject)
			}
		}
		parts[of[e.Id]] = append(parts[of[e.Id]], e)
	}
	var list [][]porcupine.Event
	for _, subject := range order {
		list = append(list, parts[subject])
	}
	return list
}
