package phase

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

// A Watch holds what one consumer believes about the subjects that it selects,
// and decides by it.
type Watch struct {
	client   *Client
	contract *contract.Contract
	name     string // of the contract
	// consumer is new for each watch: what one has acknowledged says nothing about
	// another, nor about a process that had its name before.
	consumer string
	selector string
	role     contract.Consumer
	rules    protocol.BeliefRules
	reads    []string
	writes   []string

	ctx   context.Context
	stop  context.CancelFunc
	again chan struct{} // asks to confirm at once

	mu       sync.Mutex
	subjects map[string]*followed
	// strangers counts what is under way to subjects that nothing was heard of.
	strangers map[string]int
	have      int64         // the revision of the last confirm
	sent      time.Duration // when the last confirm was sent that was answered
	// spread is over how long the mediator wants acknowledgements to be sent, and
	// acking says that one of this watch is waiting for its time.
	spread time.Duration
	acking bool
	// registration is that of the last confirm; another one has no acks.
	registration string
	updates      map[*updates]bool
	unsaved      bool // something has changed since it was written to disk
}

// followed is one subject.
type followed struct {
	belief protocol.Belief
	phases map[Epoch]Name // of the epochs that may still be believed
	last   Name           // of belief.Floor
	record wire.Record
	// confirmed is the epoch that confirms have named last: news may be ahead of it.
	confirmed Epoch
	acked     wire.Ack // what the mediator has
	hint      Name     // what the subject itself said, if that is newer than the belief
	hinted    Epoch
}

// A WatchOption changes a Watch.
type WatchOption func(*Watch)

// WithVersions says which versions of schema, API or payload this consumer can
// read and write, for guards that wait for the last old one to be gone.
func WithVersions(reads, writes []string) WatchOption {
	return func(w *Watch) { w.reads, w.writes = reads, writes }
}

// Watch begins to follow the subjects of a contract that a selector takes: a
// key, a prefix and "*", or "" for all. The role is one of the contract's
// consumers. It returns when the first answer has come, or with an error when
// ctx ends before.
func (c *Client) Watch(ctx context.Context, contractName, selector, role string, options ...WatchOption) (*Watch, error) {
	k, err := c.Contract(ctx, contractName)
	if err != nil {
		return nil, err
	}
	r, ok := k.Consumer(role)
	if !ok {
		return nil, fmt.Errorf("phase: contract %s has no consumer %q", k.ID(), role)
	}
	if !r.Acknowledges() {
		return nil, fmt.Errorf("phase: role %s of %s observes %s, not eddy: it cannot watch", role, k.ID(), r.Observes)
	}
	w := &Watch{
		client: c, contract: k, name: contractName, consumer: c.unique(), selector: selector, role: r, rules: protocol.BeliefRules{TTL: r.BeliefTTL},
		again: make(chan struct{}, 1), subjects: make(map[string]*followed), strangers: make(map[string]int), updates: make(map[*updates]bool),
	}
	for _, option := range options {
		option(w)
	}
	w.ctx, w.stop = context.WithCancel(c.ctx)
	w.remember()
	for {
		err := w.confirm(ctx)
		if err == nil {
			break
		}
		if !elsewhere(err) || !sleep(ctx, k.Propagation.ConfirmEvery) {
			w.stop()
			return nil, fmt.Errorf("phase: watch %s: %w", contractName, err)
		}
	}
	c.work.Go(w.run)
	c.work.Go(w.listen)
	return w, nil
}

// Close ends the watch: nothing is allowed any more. It tells the mediator, so
// that nobody waits for this consumer, unless an action is still under way; then
// the mediator waits until it would have ended.
func (w *Watch) Close() error {
	w.stop()
	if w.busy() {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), w.contract.Propagation.Bound)
	defer stop()
	return w.client.post(ctx, wire.PathConfirm, wire.ConfirmRequest{
		Consumer: w.consumer, Role: w.role.Name, Contract: w.name, Selector: w.selector, Leaving: true,
	}, &wire.Confirm{})
}

// busy reports whether an action is under way.
func (w *Watch) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.subjects {
		if f.belief.Open+f.belief.Older > 0 {
			return true
		}
	}
	return len(w.strangers) > 0
}

// run confirms on the clock, and at once when there is something to say.
func (w *Watch) run() {
	tick := time.NewTicker(w.contract.Propagation.ConfirmEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-w.again:
		case <-w.ctx.Done():
			return
		}
		// An answer that takes longer than a belief lasts is worth nothing.
		ctx, stop := context.WithTimeout(w.ctx, min(w.rules.TTL, askTime))
		err := w.confirm(ctx)
		stop()
		if failed := err != nil && w.ctx.Err() == nil; failed != failing {
			failing = failed
			if failed {
				w.client.config.Log.WarnContext(w.ctx, "phases are not confirmed; beliefs end", "contract", w.contract.ID(), "role", w.role.Name, "error", err)
			} else {
				w.client.config.Log.InfoContext(w.ctx, "phases are confirmed again", "contract", w.contract.ID(), "role", w.role.Name)
			}
		}
		w.tick()
	}
}

// confirmNow asks for a confirm without waiting for the clock.
func (w *Watch) confirmNow() {
	select {
	case w.again <- struct{}{}:
	default: // it has been asked for
	}
}

// confirm asks what is committed, and renews all beliefs from when it asked.
func (w *Watch) confirm(ctx context.Context) error {
	q := wire.ConfirmRequest{
		Consumer: w.consumer, Role: w.role.Name, Contract: w.name, Selector: w.selector, Reads: w.reads, Writes: w.writes,
	}
	q.Have, q.Acks = w.pendingAcks()
	sent := w.client.config.Clock()
	var answer wire.Confirm
	if err := w.client.post(ctx, wire.PathConfirm, q, &answer); err != nil {
		return err
	}
	w.confirmed(sent, q, answer)
	return nil
}

// confirmed takes an answer over.
func (w *Watch) confirmed(sent time.Duration, q wire.ConfirmRequest, answer wire.Confirm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.have, w.sent, w.spread = answer.Revision, sent, time.Duration(answer.AckWithin)*time.Millisecond
	now := w.client.config.Clock()
	for _, ack := range q.Acks {
		if f := w.subjects[ack.Key]; f != nil {
			f.acked = ack
		}
	}
	if answer.Registration != w.registration {
		w.registration = answer.Registration
		for _, f := range w.subjects {
			f.acked = wire.Ack{}
		}
	}
	for _, r := range answer.Changed {
		w.learn(r).confirmed = Epoch(r.Epoch)
	}
	more := false
	for key, f := range w.subjects {
		more = w.step(key, f, protocol.BeliefInput{Event: protocol.BeliefConfirmed, Now: now, Sent: sent, Epoch: f.confirmed}) || more
	}
	w.save()
	if more {
		w.acknowledge()
	}
}

// learn notes a record. The caller holds the lock.
func (w *Watch) learn(r wire.Record) *followed {
	f := w.subjects[r.Key]
	if f == nil {
		if len(w.subjects) >= maxSubjects {
			return &followed{phases: make(map[Epoch]Name)}
		}
		f = &followed{phases: make(map[Epoch]Name)}
		f.belief.Older = w.strangers[r.Key]
		delete(w.strangers, r.Key)
		w.subjects[r.Key] = f
	}
	if r.Epoch < f.record.Epoch {
		return f
	}
	f.record = r
	f.phases[Epoch(r.Epoch)] = Name(r.Phase)
	return f
}

// step moves the belief about one subject at in.Now, and reports whether there is
// an acknowledgement to send. The caller holds the lock.
func (w *Watch) step(key string, f *followed, in protocol.BeliefInput) (ack bool) {
	before := w.view(key, f, in.Now)
	var out protocol.BeliefOutput
	f.belief, out = f.belief.Step(w.rules, in)
	if f.last = cmp.Or(f.phases[f.belief.Floor], f.last); len(f.phases) > 1 {
		maps.DeleteFunc(f.phases, func(e Epoch, _ Name) bool { return e < f.belief.Floor })
	}
	if f.belief.Held && f.belief.Epoch >= f.hinted {
		f.hint = ""
	}
	after := w.view(key, f, in.Now)
	if out.Expired && !out.Changed {
		w.client.signals.ended(w.ctx, w.contract, w.role.Name, w.consumer, after)
	}
	if out.Changed {
		w.client.signals.observed(w.ctx, w.contract, w.role.Name, w.consumer, after, max(time.Since(f.record.CommittedAt), 0))
		ack = true // that it is believed
	}
	if out.Changed || out.Expired {
		w.tell(before, after)
	}
	return ack || out.Ack
}

// tick ends beliefs whose time is over.
func (w *Watch) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.client.config.Clock()
	for key, f := range w.subjects {
		w.step(key, f, protocol.BeliefInput{Event: protocol.BeliefTick, Now: now})
	}
}

// pushed takes news over, which makes a belief newer and never younger.
func (w *Watch) pushed(r wire.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.client.config.Clock()
	fresh := w.subjects[r.Key] == nil
	f := w.learn(r)
	if fresh {
		// The last confirm did not name it: at that time it was not announced yet, so
		// what was confirmed of it is epoch 0.
		f.belief, _ = f.belief.Step(w.rules, protocol.BeliefInput{Event: protocol.BeliefConfirmed, Now: now, Sent: w.sent})
	}
	if w.step(r.Key, f, protocol.BeliefInput{Event: protocol.BeliefPushed, Now: now, Epoch: Epoch(r.Epoch)}) {
		w.acknowledge()
	}
	if !f.belief.Held {
		w.confirmNow() // news alone makes no belief
	}
	w.save()
}

// view is what is believed about a subject at a time. The caller holds the lock.
func (w *Watch) view(key string, f *followed, now time.Duration) View {
	v := View{Subject: Subject{w.name, key}, Last: f.last, Epoch: f.belief.Floor}
	ends, held := f.belief.Expires(w.rules)
	if held && now <= ends {
		v.Phase, v.Known, v.Epoch, v.Age = f.phases[f.belief.Epoch], true, f.belief.Epoch, now-f.belief.Sent
	}
	return v
}

// Get returns what is believed about a subject. One that was never announced is
// not known.
func (w *Watch) Get(key string) View {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.subjects[key]
	if f == nil {
		return View{Subject: Subject{w.name, key}}
	}
	return w.view(key, f, w.client.config.Clock())
}

// Views returns what is believed about all subjects, sorted by key.
func (w *Watch) Views() []View {
	w.mu.Lock()
	defer w.mu.Unlock()
	views := make([]View, 0, len(w.subjects))
	now := w.client.config.Clock()
	for _, key := range slices.Sorted(maps.Keys(w.subjects)) {
		views = append(views, w.view(key, w.subjects[key], now))
	}
	return views
}

// Can reports whether this role may do an action to a subject now: by the phase
// that it believes in, by what the contract says when it is unknown, and by the
// last known phase when so many are unknown that the channel must be what is
// broken.
func (w *Watch) Can(key, action string) (View, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.subjects[key]
	if f == nil {
		return View{Subject: Subject{w.name, key}}, w.role.DoesUnknown(action)
	}
	now := w.client.config.Clock()
	return w.can(key, f, action, now, w.panicking(now))
}

// Allowed returns the subjects to which this role may do an action now, sorted
// by key: what a load balancer chooses from.
func (w *Watch) Allowed(action string) []View {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.client.config.Clock()
	panicking := w.panicking(now)
	var views []View
	for _, key := range slices.Sorted(maps.Keys(w.subjects)) {
		if v, ok := w.can(key, w.subjects[key], action, now, panicking); ok {
			views = append(views, v)
		}
	}
	return views
}

// can decides about one subject. The caller holds the lock.
func (w *Watch) can(key string, f *followed, action string, now time.Duration, panicking bool) (View, bool) {
	v := w.view(key, f, now)
	if w.ctx.Err() != nil {
		return v, false
	}
	if !v.Known && panicking && v.Last != "" {
		v.Panic = true
		return v, w.role.DoesIn(action, v.Last)
	}
	if !v.Known {
		return v, w.role.DoesUnknown(action)
	}
	// What the subject said itself makes the belief stricter, never laxer.
	return v, w.role.DoesIn(action, v.Phase) && (f.hint == "" || w.role.DoesIn(action, f.hint))
}

// panicking reports whether more subjects are unknown than the contract thinks
// can be the subjects' own doing. The caller holds the lock.
func (w *Watch) panicking(now time.Duration) bool {
	if w.role.PanicThreshold == 0 || len(w.subjects) == 0 {
		return false
	}
	unknown := 0
	for _, f := range w.subjects {
		if ends, held := f.belief.Expires(w.rules); !held || now > ends {
			unknown++
		}
	}
	return float64(unknown) > w.role.PanicThreshold*float64(len(w.subjects))
}

// Heard takes over what a subject said about itself in HeaderActual. It makes the
// belief stricter, never laxer, and is confirmed at once.
func (w *Watch) Heard(key, header string) {
	phase, epoch, err := parseActual(header)
	if err != nil {
		return // it said nothing
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.subjects[key]
	if f == nil || epoch <= max(f.belief.Floor, f.hinted) {
		return
	}
	f.hint, f.hinted = phase, epoch
	w.confirmNow()
}

// A Ticket is an action under way.
type Ticket struct {
	// View is what was believed when it began, and Belief what to tell the subject
	// of it.
	View   View
	Belief Belief
	done   func()
}

// Done ends the action. Calling it again does nothing.
func (t Ticket) Done() {
	if t.done != nil {
		t.done()
	}
}

// Begin starts an action if Can allows it, else it returns ErrRefused. Until the
// ticket is done, no newer phase of the subject is acknowledged as quiesced. What
// is believed goes on the span of ctx.
func (w *Watch) Begin(ctx context.Context, key, action string) (Ticket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.subjects[key]
	t := Ticket{View: View{Subject: Subject{w.name, key}}}
	now := w.client.config.Clock()
	ok := f == nil && w.role.DoesUnknown(action)
	if f != nil {
		t.View, ok = w.can(key, f, action, now, w.panicking(now))
	}
	if !ok {
		return t, fmt.Errorf("%w: %s may not %s while it believes %s", ErrRefused, w.role.Name, action, t.View)
	}
	t.Belief = Belief{
		Contract: w.contract.ID(), Subject: wire.Hash(key), Phase: t.View.Phase, Epoch: t.View.Epoch, Age: t.View.Age,
		Role: w.role.Name, Action: action,
	}
	w.client.signals.believes(ctx, w.contract, w.role.Name, action, t.View)
	if f == nil {
		w.strangers[key]++
		t.done = sync.OnceFunc(func() { w.finish(key, false, 0) })
		return t, nil
	}
	w.step(key, f, protocol.BeliefInput{Event: protocol.BeliefBegin, Now: now})
	held, epoch := f.belief.Held, f.belief.Under
	t.done = sync.OnceFunc(func() { w.finish(key, held, epoch) })
	return t, nil
}

// finish ends an action that was begun under an epoch, or under none.
func (w *Watch) finish(key string, held bool, epoch Epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.subjects[key]
	if f == nil {
		if w.strangers[key]--; w.strangers[key] == 0 {
			delete(w.strangers, key)
		}
		return
	}
	if w.step(key, f, protocol.BeliefInput{Event: protocol.BeliefDone, Now: w.client.config.Clock(), WasHeld: held, Epoch: epoch}) {
		w.acknowledge()
	}
}
