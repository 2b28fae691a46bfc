package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

const (
	// GateCondition is the readiness gate that a pod names in spec.readinessGates to
	// be ready only while its phase allows new work.
	GateCondition = "eddy.dev/phase-active"
	// fieldManager owns the condition, and nothing else of a pod.
	fieldManager = "eddy-phase"

	// These annotations of the pod say which phase. Only the contract must be given:
	// the subject's key follows from the contract and from what the pod is called in
	// telemetry, and the action is new_request.
	annotationContract = "eddy.dev/contract"
	annotationSubject  = "eddy.dev/subject"
	annotationAction   = "eddy.dev/action"

	defaultAction = "new_request"
	// gateWorkers write conditions at once, and maxContracts are watched.
	gateWorkers  = 4
	maxContracts = 100
)

// Phases is the mediator, as a gate needs it.
type Phases interface {
	// Contract returns the YAML of the current version of a contract.
	Contract(ctx context.Context, name string) ([]byte, error)
	// Watch tells first of all subjects of a contract, then of what changes, until ctx
	// ends, tell fails, or this process is not the mediator.
	Watch(ctx context.Context, contract string, tell func(changed []wire.Record) error) error
}

// A gate keeps the condition of each pod that has one as its phase wants it.
type gate struct {
	phases  Phases
	client  *client
	log     *slog.Logger
	metrics *metrics
	queue   workqueue.TypedRateLimitingInterface[podKey]

	mu        sync.Mutex
	watched   map[string]*rules // by the contract's name
	pods      map[podKey]gated
	bySubject map[subject]map[podKey]bool
	begin     chan string // contracts to watch
}

// rules are what is known of a contract and its subjects. While current is false
// nothing is decided by them.
type rules struct {
	contract *contract.Contract
	unknown  string // why there is no such contract, if there is none
	current  bool
	records  map[string]wire.Record
}

// A subject names one in the mediator.
type subject struct{ contract, key string }

// A gated is what is kept of a pod with a gate.
type gated struct {
	annotations map[string]string
	parts       map[string]string // what a key may be made of
	subject     subject           // in whose list the pod is
	condition   *corev1.PodCondition
}

func newGate(p Phases, c *client, log *slog.Logger, m *metrics) *gate {
	return &gate{
		phases: p, client: c, log: log, metrics: m,
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[podKey](firstTry, lastTry)),
		watched: make(map[string]*rules), pods: make(map[podKey]gated), bySubject: make(map[subject]map[podKey]bool),
		begin: make(chan string, maxContracts),
	}
}

// hasGate reports whether a pod names the gate.
func hasGate(p corev1.PodSpec) bool {
	return slices.ContainsFunc(p.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == GateCondition })
}

// setPod takes a pod in, if it has the gate.
func (g *gate) setPod(p *corev1.Pod, k podKey) {
	if !hasGate(p.Spec) {
		return
	}
	next := gated{annotations: p.Annotations, parts: keyParts(p)}
	for _, c := range p.Status.Conditions {
		if c.Type == GateCondition {
			next.condition = &c
		}
	}
	g.mu.Lock()
	next.subject = g.pods[k].subject
	g.pods[k] = next
	g.want(next.annotations[annotationContract])
	g.mu.Unlock()
	g.queue.Add(k)
}

// want begins to watch a contract. The caller holds the lock.
func (g *gate) want(name string) {
	if name == "" || g.watched[name] != nil || len(g.watched) >= maxContracts {
		return
	}
	g.watched[name] = &rules{records: make(map[string]wire.Record)}
	g.begin <- name // it has room for all of them
}

// podGone forgets a pod.
func (g *gate) podGone(k podKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.move(k, g.pods[k].subject, subject{})
	delete(g.pods, k)
}

// move puts a pod into the list of another subject. The caller holds the lock.
func (g *gate) move(k podKey, from, to subject) {
	if from == to {
		return
	}
	delete(g.bySubject[from], k)
	if len(g.bySubject[from]) == 0 {
		delete(g.bySubject, from)
	}
	if to == (subject{}) {
		return
	}
	if g.bySubject[to] == nil {
		g.bySubject[to] = make(map[podKey]bool)
	}
	g.bySubject[to][k] = true
}

// run sets conditions until ctx ends.
func (g *gate) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for range gateWorkers {
		running.Go(func() {
			for g.next(ctx) {
			}
		})
	}
	running.Go(func() { <-ctx.Done(); g.queue.ShutDown() })
	for {
		select {
		case name := <-g.begin:
			running.Go(func() { g.follow(ctx, name) })
		case <-ctx.Done():
			return
		}
	}
}

// follow keeps up with the subjects of a contract until ctx ends.
func (g *gate) follow(ctx context.Context, name string) {
	wait := firstTry
	for ctx.Err() == nil {
		err := g.load(ctx, name)
		if err == nil {
			wait = firstTry
			err = g.phases.Watch(ctx, name, func(changed []wire.Record) error { return g.tell(name, changed) })
		}
		g.suspend(name, err)
		if ctx.Err() != nil {
			return
		}
		g.log.DebugContext(ctx, "phases of readiness gates are not followed; they are again soon", "contract", name, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, lastTry)
	}
}

// load reads the contract.
func (g *gate) load(ctx context.Context, name string) error {
	text, err := g.phases.Contract(ctx, name)
	if err != nil {
		return err
	}
	c, err := contract.Parse(name, text)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watched[name] = &rules{contract: c, records: make(map[string]wire.Record)}
	return nil
}

// errNextVersion ends a watch that tells of a later version of the contract than was
// read.
var errNextVersion = errors.New("a later version of the contract is in use")

// tell takes records in, and looks at the pods whose they are. The first call has all
// of them.
func (g *gate) tell(name string, changed []wire.Record) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.watched[name]
	for _, record := range changed {
		if r.current && version(record.Contract) > r.contract.Version {
			return errNextVersion
		}
		r.records[record.Key] = record
		for k := range g.bySubject[subject{name, record.Key}] {
			g.queue.Add(k)
		}
	}
	if !r.current {
		r.current = true
		g.lookAtAll(name)
	}
	return nil
}

// version is that of a contract's id, as 2 of rolling-drain@2.
func version(id string) int {
	_, number, _ := strings.Cut(id, "@")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}

// suspend leaves the pods of a contract as they are until it is followed again. Only
// that there is no such contract is a reason to tell them.
func (g *gate) suspend(name string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.watched[name]
	r.current = false
	r.unknown = ""
	if why, ok := errors.AsType[*wire.Error](err); ok && why.Code == wire.CodeContract {
		r.unknown = why.Message
		g.lookAtAll(name)
	}
}

// lookAtAll looks at all pods of a contract. The caller holds the lock.
func (g *gate) lookAtAll(name string) {
	for k, p := range g.pods {
		if p.annotations[annotationContract] == name {
			g.queue.Add(k)
		}
	}
}

// next writes one condition, and reports whether there may be more.
func (g *gate) next(ctx context.Context) bool {
	k, stopped := g.queue.Get()
	if stopped {
		return false
	}
	defer g.queue.Done(k)
	condition, ok := g.decide(k, time.Now())
	if !ok {
		g.queue.Forget(k)
		return true
	}
	err := g.client.applyCondition(ctx, k, condition)
	switch {
	case err == nil:
		g.metrics.gates.WithLabelValues(string(condition.Status)).Inc()
		g.log.DebugContext(ctx, "readiness gate", "pod", k.String(), "status", condition.Status, "message", condition.Message)
		g.queue.Forget(k)
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err) || ctx.Err() != nil:
		g.queue.Forget(k) // it is gone, or another pod has its name
	default:
		g.metrics.gates.WithLabelValues("error").Inc()
		if apierrors.IsForbidden(err) {
			err = deniedError(err)
		}
		g.log.WarnContext(ctx, "readiness gate not written; it is tried again", "pod", k.String(), "status", condition.Status, "error", err)
		g.queue.AddRateLimited(k)
	}
	return true
}
