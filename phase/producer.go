package phase

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

// A Producer puts the phases of one subject in force: it is the subject, or
// speaks for it. There must be one at a time for a subject, which its contract's
// lease sees to where more could want to be.
type Producer struct {
	client  *Client
	subject Subject
	current atomic.Pointer[contract.Contract]

	turn chan struct{} // one transition at a time
	// doubt is the epoch that an announcement without an answer may have made; 0 if
	// there is none. Who has the turn has it.
	doubt uint64

	mu       sync.Mutex
	machine  protocol.Producer
	actual   Name // in force
	since    time.Duration
	record   wire.Record // the last that is known to be committed
	reported Epoch
	token    uint64
	sealed   bool
	inflight int
	quiet    chan struct{} // closed when inflight falls to 0
}

// A Receipt says how a transition came into force.
type Receipt struct {
	Epoch               Epoch
	Committed, Enforced time.Time
	// Cause is what ended the wait: acks, bound or none.
	Cause protocol.Cause
	// Missing are consumers that had not acknowledged when the bound ended it.
	Missing []string
}

// Producer returns the producer of a subject. It takes up what an earlier
// process left: a phase that was announced and not put in force is waited for
// and then put in force, before Producer returns.
func (c *Client) Producer(ctx context.Context, s Subject) (*Producer, error) {
	if s.Key == "" || len(s.Key) > wire.MaxKey {
		return nil, fmt.Errorf("phase: key of %d bytes: want 1 to %d", len(s.Key), wire.MaxKey)
	}
	k, err := c.Contract(ctx, s.Contract)
	if err != nil {
		return nil, err
	}
	p := &Producer{client: c, subject: s, turn: make(chan struct{}, 1), quiet: make(chan struct{}), since: c.config.Clock()}
	p.current.Store(k)
	close(p.quiet)
	if err := p.refresh(ctx); err != nil {
		return nil, err
	}
	p.actual = Name(p.record.Phase)
	p.machine.Epoch, p.machine.Enforced = Epoch(p.record.Epoch), Epoch(p.record.Enforced)
	p.reported = p.machine.Enforced
	if p.machine.Enforced < p.machine.Epoch {
		if err := p.resume(ctx); err != nil {
			return p, err
		}
	}
	if k.Exclusivity == nil { // where there is a lease its renewals say who is alive
		c.work.Go(p.keepReporting)
	}
	return p, nil
}

// contract is the version that the producer goes by.
func (p *Producer) contract() *contract.Contract { return p.current.Load() }

// renewed fetches the contract when an announcement was refused for it, and
// reports whether there is another version, which goes on from the same phase.
func (p *Producer) renewed(ctx context.Context, err error) bool {
	why, ok := errors.AsType[*wire.Error](err)
	if !ok || why.Code != wire.CodeContract {
		return false
	}
	k, fault := p.client.fetchContract(ctx, p.subject.Contract)
	if fault != nil || k.ID() == p.contract().ID() {
		return false
	}
	p.client.config.Log.InfoContext(ctx, "another version of the contract is in use", "was", p.contract().ID(), "contract", k.ID())
	p.current.Store(k)
	return true
}

// refresh takes what is committed for what to go on from.
func (p *Producer) refresh(ctx context.Context) error {
	r, err := p.read(ctx)
	if err != nil {
		return err
	}
	p.take(r)
	return nil
}

func (p *Producer) take(r wire.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record = r
}

// read returns what is committed.
func (p *Producer) read(ctx context.Context) (wire.Record, error) {
	var answer struct {
		Subjects []wire.Record `json:"subjects"`
	}
	query := url.Values{"contract": {p.subject.Contract}, "select": {p.subject.Key}}
	if err := p.client.get(ctx, wire.PathSubjects+"?"+query.Encode(), &answer); err != nil {
		return wire.Record{}, fmt.Errorf("phase of %s: %w", p.subject.Key, err)
	}
	for _, r := range answer.Subjects {
		if r.Key == p.subject.Key {
			return r, nil
		}
	}
	return wire.Record{Contract: p.contract().ID(), Key: p.subject.Key, Phase: string(p.contract().Initial)}, nil
}

// resume puts a phase in force that was announced before this process began.
// When is not known, so it waits from now. A subject with a lease is left as it
// is: who holds the lease decides.
func (p *Producer) resume(ctx context.Context) error {
	if p.contract().Exclusivity != nil {
		return nil
	}
	t, ok := p.contract().Transition(Name(p.record.Previous), Name(p.record.Phase))
	if ok && t.Discipline == contract.AnnounceFirst {
		p.actual = Name(p.record.Previous)
	}
	rules := p.rules(t)
	p.machine.Stage, p.machine.Committed = protocol.StageWaiting, p.client.config.Clock()
	receipt, err := p.wait(ctx, rules, Receipt{Epoch: p.machine.Epoch})
	if err != nil {
		return fmt.Errorf("take up %s of %s: %w", p.record.Phase, p.subject.Key, err)
	}
	return p.report(ctx, receipt.Cause)
}

// Actual is the phase that is in force.
func (p *Producer) Actual() View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view()
}

func (p *Producer) view() View {
	return View{Subject: p.subject, Phase: p.actual, Last: p.actual, Epoch: p.machine.Enforced, Known: true, Age: p.client.config.Clock() - p.since}
}

// A To is an option of Producer.To.
type To func(*change)

// A change is a transition with its options.
type change struct {
	act          func(context.Context) error
	reason       string
	deployment   string
	urgent       bool
	signal       bool
	waitForGuard bool
	facts        Facts
}

// WithAct makes true what the next phase promises, in a transition that is acted
// first: apply the DDL, warm the cache. It may run again if To is called again.
func WithAct(f func(context.Context) error) To { return func(c *change) { c.act = f } }

// WithReason says why, for people and the audit log.
func WithReason(reason string) To { return func(c *change) { c.reason = reason } }

// WithDeployment names the deployment that this belongs to.
func WithDeployment(id string) To { return func(c *change) { c.deployment = id } }

// WithFacts are statements for the guard. In-flight requests are counted by
// Enter and need not be given.
func WithFacts(f Facts) To { return func(c *change) { c.facts = f } }

// WaitForGuard tries again while the guard does not hold, until the context
// ends. Without it To returns the refusal.
func WaitForGuard() To { return func(c *change) { c.waitForGuard = true } }

// Urgent passes over debounce and dwell, where the transition allows it.
func Urgent() To { return func(c *change) { c.urgent = true } }

// AsSignal says that a probe or a metric asks, and not an operator or a program:
// the phase is committed only when this has held for the contract's debounce.
func AsSignal() To { return func(c *change) { c.signal = true } }

// To puts the next phase in force, in the order that the contract prescribes,
// and returns when it is. It waits, as long as ctx lets it, where the mediator
// says that it is too early: the change before has not settled, a dwell is not
// over, another key has to sign. Other refusals are returned, as *wire.Error.
//
// When it fails, nothing was withdrawn: either nothing changed, or the phase is
// committed and not in force, and calling To again goes on from there.
func (p *Producer) To(ctx context.Context, to Name, options ...To) (Receipt, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return Receipt{}, context.Cause(ctx)
	}
	var c change
	for _, option := range options {
		option(&c)
	}
	receipt, err := p.change(ctx, to, c)
	if err != nil {
		return receipt, fmt.Errorf("phase %s of %s: %w", to, p.subject.Key, err)
	}
	return receipt, nil
}

// change is one transition. The caller has the turn.
func (p *Producer) change(ctx context.Context, to Name, c change) (Receipt, error) {
	if err := p.settle(ctx); err != nil {
		return Receipt{}, err
	}
	from := Name(p.record.Phase)
	t, ok := p.contract().Transition(from, to)
	if !ok {
		return Receipt{}, &wire.Error{Code: wire.CodeTransition, Message: fmt.Sprintf("contract %s has no transition from %s to %s", p.contract().ID(), from, to)}
	}
	made := p.machine.Stage == protocol.StageAnnouncing // by a call that could not announce it
	if made && p.actual != to {
		return Receipt{}, fmt.Errorf("%s is made and not announced: call To(%s) first", p.actual, p.actual)
	}
	rules := p.rules(t)
	if t.Discipline == contract.ActFirst {
		if !made {
			if _, err := p.announce(ctx, t, c, true); err != nil {
				return Receipt{}, err
			}
			if c.act != nil {
				if err := c.act(ctx); err != nil {
					return Receipt{}, fmt.Errorf("act: %w", err)
				}
			}
			p.step(rules, protocol.ProducerInput{Event: protocol.ProducerAct})
			p.step(rules, protocol.ProducerInput{Event: protocol.ProducerActed})
			p.enforce(to)
		}
	} else {
		p.step(rules, protocol.ProducerInput{Event: protocol.ProducerAnnounce})
	}
	committed, err := p.announce(ctx, t, c, false)
	if err != nil {
		p.step(rules, protocol.ProducerInput{Event: protocol.ProducerRefused})
		return Receipt{}, err
	}
	receipt := Receipt{Epoch: Epoch(committed.Epoch), Committed: committed.CommittedAt}
	if next, ok := p.contract().Transition(from, to); ok {
		rules = p.rules(next) // of the version under which it was committed
	}
	if out := p.step(rules, protocol.ProducerInput{Event: protocol.ProducerCommitted, Epoch: receipt.Epoch}); out.Enforce {
		receipt.Cause, receipt.Enforced = out.Cause, time.Now()
	} else if receipt, err = p.wait(ctx, rules, receipt); err != nil {
		return receipt, err
	}
	return receipt, p.report(ctx, receipt.Cause)
}

// settle finishes what a failed call left: a wait, a report.
func (p *Producer) settle(ctx context.Context) error {
	if p.machine.Stage == protocol.StageWaiting {
		t, _ := p.contract().Transition(Name(p.record.Previous), Name(p.record.Phase))
		receipt, err := p.wait(ctx, p.rules(t), Receipt{Epoch: p.machine.Epoch})
		if err != nil {
			return err
		}
		return p.report(ctx, receipt.Cause)
	}
	p.mu.Lock()
	unreported := p.reported < p.machine.Enforced
	p.mu.Unlock()
	if unreported {
		return p.report(ctx, protocol.CauseNone)
	}
	return nil
}

// rules are the bounds of a transition. How long to wait is what the contract says,
// and its lints (L12, L13) have compared that with how long anybody can be wrong;
// the model checker takes it from the same place.
func (p *Producer) rules(t contract.Transition) protocol.ProducerRules {
	r := protocol.ProducerRules{AtMost: t.Await.AtMost, MaxFlight: p.contract().Propagation.MaxFlight}
	if p.contract().Shortcut(t) {
		r.Quiesced, r.Applied = true, t.Await.Acks == contract.AckApplied
	}
	return r
}

// step moves the machine, and puts in force what it says.
func (p *Producer) step(r protocol.ProducerRules, in protocol.ProducerInput) protocol.ProducerOutput {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.Now = p.client.config.Clock()
	var out protocol.ProducerOutput
	p.machine, out = p.machine.Step(r, in)
	if out.Enforce {
		p.put(Name(p.record.Phase))
	}
	return out
}

// enforce makes a phase the actual one.
func (p *Producer) enforce(to Name) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(to)
}

func (p *Producer) put(to Name) {
	if p.actual != to {
		p.actual, p.since = to, p.client.config.Clock()
	}
}

// announce asks the mediator to commit, again while it is too early. When ctx ends
// it says what the mediator answered last, and not that the question which was
// under way just then had no answer.
func (p *Producer) announce(ctx context.Context, t contract.Transition, c change, dryRun bool) (wire.Receipt, error) {
	var last error
	for {
		receipt, err := p.announceOnce(ctx, t, c, dryRun)
		if err == nil && receipt.Pending == "" {
			return receipt, nil
		}
		if p.renewed(ctx, err) {
			next, ok := p.contract().Transition(t.From, t.To)
			if !ok || next.Discipline != t.Discipline {
				return wire.Receipt{}, fmt.Errorf("%s has no such transition from %s to %s any more", p.contract().ID(), t.From, t.To)
			}
			t = next
			continue
		}
		switch _, answered := errors.AsType[*wire.Error](err); {
		case err == nil:
			last = errors.New(receipt.Pending)
		case !p.early(err, c):
			return wire.Receipt{}, err
		case answered || last == nil || ctx.Err() == nil:
			last = err
		}
		if !p.pause(ctx, last) {
			return wire.Receipt{}, fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), last)
		}
	}
}

// pause waits before the next attempt, and reports whether there may be one.
// Where acknowledgements are missing the mediator tells when one has come.
func (p *Producer) pause(ctx context.Context, why error) bool {
	every := p.contract().Propagation.ConfirmEvery
	if refusal, ok := errors.AsType[*wire.Error](why); !ok || refusal.Code != wire.CodeNotSettled {
		return sleep(ctx, every)
	}
	q := wire.SettledRequest{Contract: p.subject.Contract, Key: p.subject.Key, Epoch: p.record.Epoch, Within: every.Milliseconds()}
	if err := p.client.post(ctx, wire.PathSettled, q, &wire.Settled{}); err != nil {
		return sleep(ctx, every)
	}
	return sleep(ctx, every/10) // all may have acknowledged, and time be what counts
}

// early reports whether a refusal may pass with time.
func (p *Producer) early(err error, c change) bool {
	why, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return true // nobody answered
	}
	switch why.Code {
	case wire.CodeNotSettled, wire.CodeDwell, wire.CodeNotActive, wire.CodeUnavailable, wire.CodeTooMany:
		return true
	case wire.CodeGuardFalse:
		return c.waitForGuard
	}
	return false
}

// announceOnce asks once. A commit whose answer was lost is recognised by its
// envelope when the subject turns out to be ahead. That may be long after, in
// another call of To: without a quorum a commit can be kept, and done when the
// quorum is back.
func (p *Producer) announceOnce(ctx context.Context, t contract.Transition, c change, dryRun bool) (wire.Receipt, error) {
	e, err := p.envelope(t, c)
	if err != nil {
		return wire.Receipt{}, err
	}
	path := wire.PathAnnounce
	if dryRun {
		path += "?dry_run=true"
	}
	var receipt wire.Receipt
	err = p.client.post(ctx, path, e, &receipt)
	why, refused := errors.AsType[*wire.Error](err)
	next := p.record.Epoch + 1
	switch {
	case dryRun || err == nil && receipt.Pending != "":
		return receipt, err
	case err == nil:
		p.committed(t, receipt)
		return receipt, nil
	case refused && why.Code == wire.CodeEpochMismatch && p.doubt == next:
		// What this comes too late for may be what was asked before.
	case refused && why.Code != wire.CodeUnavailable:
		return wire.Receipt{}, err
	default:
		p.doubt = next
	}
	now, again := p.read(context.WithoutCancel(ctx))
	if again != nil || now.Epoch != next || !p.mine(t, now) {
		return wire.Receipt{}, err
	}
	p.take(now)
	return wire.Receipt{Epoch: now.Epoch, Revision: now.Revision, CommittedAt: now.CommittedAt}, nil
}

// mine reports whether a record is of a transition that one of our keys signed,
// with our token.
func (p *Producer) mine(t contract.Transition, r wire.Record) bool {
	if r.Envelope == nil || r.Phase != string(t.To) || r.Previous != string(t.From) || r.Token != p.token {
		return false
	}
	for _, signature := range r.Envelope.Signatures {
		for _, s := range p.client.config.Signers {
			if s.KeyID == signature.KeyID {
				return true
			}
		}
	}
	return false
}

// committed notes what is committed now.
func (p *Producer) committed(t contract.Transition, r wire.Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record.Phase, p.record.Previous = string(t.To), string(t.From)
	p.record.Epoch, p.record.CommittedAt, p.record.Revision = r.Epoch, r.CommittedAt, r.Revision
}

// envelope signs the announcement of a transition.
func (p *Producer) envelope(t contract.Transition, c change) (wire.Envelope, error) {
	const useful = 30 * time.Second
	p.mu.Lock()
	facts := c.facts
	facts.Inflight += p.inflight
	facts.Sealed = facts.Sealed || p.sealed
	now := time.Now().UTC()
	a := wire.Announcement{
		Audience: p.client.audience(), Contract: p.contract().ID(), Digest: p.contract().Digest(),
		Subject: p.subject.Key, From: string(t.From), To: string(t.To), Expected: p.record.Epoch, Token: p.token,
		IssuedAt: now, NotAfter: now.Add(useful), Reason: c.reason, Deployment: c.deployment,
		Urgent: c.urgent, Signal: c.signal, Facts: facts,
	}
	p.mu.Unlock()
	return wire.Seal(a, p.client.config.Signers...)
}

// wait asks who has acknowledged until the machine puts the phase in force.
func (p *Producer) wait(ctx context.Context, r protocol.ProducerRules, receipt Receipt) (Receipt, error) {
	news := make(chan wire.Settled)
	ask, stop := context.WithCancel(ctx)
	defer stop()
	if r.Quiesced || r.Applied {
		q := wire.SettledRequest{
			Contract: p.subject.Contract, Key: p.subject.Key, Epoch: uint64(receipt.Epoch),
			Within: min(r.AtMost, askTime/2).Milliseconds(),
		}
		p.client.work.Go(func() { p.askSettled(ask, q, news) })
	}
	var known wire.Settled
	for {
		out := p.step(r, protocol.ProducerInput{
			Event: protocol.ProducerTick,
			Acks:  protocol.Acks{Registered: known.Registered, Applied: known.Applied, Quiesced: known.Quiesced},
		})
		if out.Enforce {
			receipt.Cause, receipt.Enforced = out.Cause, time.Now()
			if out.Cause == protocol.CauseBound {
				receipt.Missing = known.Missing
			}
			return receipt, nil
		}
		timer := time.NewTimer(p.untilBound(r))
		select {
		case known = <-news:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return receipt, fmt.Errorf("committed at epoch %d and not in force: %w", receipt.Epoch, context.Cause(ctx))
		}
		timer.Stop()
	}
}

// untilBound is how long the machine has nothing to do but wait.
func (p *Producer) untilBound(r protocol.ProducerRules) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.machine.Committed + r.AtMost
	if r.Applied && p.machine.AllApplied {
		until = min(until, p.machine.Applied+r.MaxFlight)
	}
	return max(until-p.client.config.Clock(), 0) + time.Millisecond // past it, not at it
}

// askSettled passes on how far the epoch is acknowledged, until ctx ends. While
// the mediator does not answer, the bound alone counts.
func (p *Producer) askSettled(ctx context.Context, q wire.SettledRequest, news chan<- wire.Settled) {
	for {
		var answer wire.Settled
		if err := p.client.post(ctx, wire.PathSettled, q, &answer); err != nil {
			if !sleep(ctx, p.contract().Propagation.ConfirmEvery) {
				return
			}
			continue
		}
		q.Applied, q.Quiesced = answer.Applied, answer.Quiesced
		select {
		case news <- answer:
		case <-ctx.Done():
			return
		}
		if answer.Registered > 0 && answer.Quiesced == answer.Registered && !sleep(ctx, p.contract().Propagation.ConfirmEvery) {
			return
		}
	}
}

// report tells the mediator what is in force, and tries again until ctx ends.
func (p *Producer) report(ctx context.Context, cause protocol.Cause) error {
	p.mu.Lock()
	q := wire.Enforced{Contract: p.subject.Contract, Key: p.subject.Key, Epoch: uint64(p.machine.Enforced), Cause: string(cause)}
	v, c := p.view(), p.contract()
	p.mu.Unlock()
	p.client.signals.enforced(ctx, c, v, cause)
	for {
		err := p.client.post(ctx, wire.PathEnforced, q, &struct{}{})
		if err == nil {
			p.mu.Lock()
			p.reported = max(p.reported, Epoch(q.Epoch))
			p.mu.Unlock()
			return nil
		}
		if !elsewhere(err) {
			return fmt.Errorf("report %s: %w", v.Phase, err)
		}
		if !sleep(ctx, p.contract().Propagation.ConfirmEvery) {
			return fmt.Errorf("%s is in force and not reported: %w", v.Phase, err)
		}
	}
}

// keepReporting says again and again what is in force, as often as the mediator
// wants, until the client is closed. It makes good a report that was lost.
func (p *Producer) keepReporting() {
	const usual = 10 * time.Second
	next := usual
	for sleep(p.client.ctx, next) {
		next = usual
		p.mu.Lock()
		q := wire.Enforced{Contract: p.subject.Contract, Key: p.subject.Key, Epoch: uint64(p.machine.Enforced)}
		p.mu.Unlock()
		if q.Epoch == 0 {
			continue // nothing that was announced is in force
		}
		var answer wire.Reported
		if err := p.client.post(p.client.ctx, wire.PathEnforced, q, &answer); err != nil {
			continue // without the mediator nothing can be done about it
		}
		p.mu.Lock()
		p.reported = max(p.reported, Epoch(q.Epoch))
		p.mu.Unlock()
		if answer.Again > 0 {
			next = time.Duration(answer.Again) * time.Millisecond
		}
	}
}
