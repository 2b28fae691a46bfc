package phase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/fence"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

// ErrLeaseLost says that a lease has ended: another may lead by now.
var ErrLeaseLost = errors.New("lease lost")

// LeaseOptions are about one candidate.
type LeaseOptions struct {
	// Guard stands before the resource. A contract whose fencing mode is seal
	// needs it: the token is written to it before this candidate leads.
	Guard fence.Guard
	// Reason goes to the audit log.
	Reason string
}

// A Lease is the exclusive role of one subject for one tenure. It ends when it is
// resigned, or by itself when it could not be renewed in time: this process then
// stops to act before the mediator gives the lease to another. What is on its way
// by then, or sent by a process that does not know yet, is for the resource to
// refuse; see package fence.
type Lease struct {
	producer *Producer
	// holder is new for each campaign: a process that has the name of one before it
	// must not be taken for it, and be given its token.
	holder string
	guard  fence.Guard
	token  fence.Token
	times  contract.LeaseTimes
	rules  protocol.TenureRules

	ctx  context.Context
	lose context.CancelCauseFunc
	gone chan struct{} // closed when the renewals have ended

	mu     sync.Mutex
	tenure protocol.Tenure
	doing  sync.WaitGroup
}

// Campaign waits until this process holds the lease of a subject, announces its
// way into the contract's leading phase, the last one of exclusivity.phases, and
// seals the resource before that. It tries again until ctx ends.
func (c *Client) Campaign(ctx context.Context, s Subject, o LeaseOptions) (*Lease, error) {
	p, err := c.Producer(ctx, s)
	if err != nil {
		return nil, err
	}
	x := p.contract().Exclusivity
	switch {
	case x == nil:
		return nil, fmt.Errorf("phase: contract %s has no exclusivity, and so no lease", p.contract().ID())
	case x.Fencing.Mode == contract.FencingSeal && o.Guard == nil:
		return nil, fmt.Errorf("phase: contract %s seals the resource: give LeaseOptions.Guard", p.contract().ID())
	}
	holder := c.unique()
	for {
		l, err := p.campaign(ctx, holder, o)
		if err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("campaign for %s: %w; the last answer was: %w", s.Key, context.Cause(ctx), err)
		}
		if why, ok := errors.AsType[*wire.Error](err); ok && hopeless(why.Code) {
			return nil, fmt.Errorf("campaign for %s: %w", s.Key, err)
		}
		if !sleep(ctx, x.Lease.RenewEvery/4) {
			return nil, fmt.Errorf("campaign for %s: %w; the last answer was: %w", s.Key, context.Cause(ctx), err)
		}
	}
}

// hopeless reports whether a refusal is about this candidate, and not about the
// moment.
func hopeless(code string) bool {
	return slices.Contains([]string{
		wire.CodeAudience, wire.CodeBadSignature, wire.CodeContract, wire.CodeKeyExpired, wire.CodeMalformed, wire.CodeNotAllowed, wire.CodeTransition,
	}, code)
}

// errHeld says that another holds the lease.
var errHeld = errors.New("lease is held")

// campaign tries once.
func (p *Producer) campaign(ctx context.Context, holder string, o LeaseOptions) (_ *Lease, err error) {
	x := p.contract().Exclusivity
	l := &Lease{
		producer: p, holder: holder, guard: o.Guard, times: x.Lease, gone: make(chan struct{}),
		rules: protocol.TenureRules{RenewDeadline: x.Lease.RenewDeadline, Seal: true},
	}
	sent := p.client.config.Clock()
	var state wire.LeaseState
	if err := p.client.post(ctx, wire.PathLease+"acquire", l.request(), &state); err != nil {
		return nil, err
	}
	if state.Token == 0 {
		return nil, fmt.Errorf("%w by %s", errHeld, state.Holder)
	}
	l.token = fence.Token(state.Token)
	l.ctx, l.lose = context.WithCancelCause(p.client.ctx)
	l.step(protocol.TenureInput{Event: protocol.TenureGranted, Sent: sent, Token: protocol.Token(state.Token)})
	p.client.work.Go(l.renew)
	defer func() {
		if err != nil {
			l.lose(err)
			<-l.gone
		}
	}()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(l.ctx, stop)()
	if err := l.lead(ctx, o); err != nil {
		return nil, err
	}
	if out := l.step(protocol.TenureInput{Event: protocol.TenureSealed}); !out.Leads {
		return nil, ErrLeaseLost
	}
	return l, nil
}

// lead announces the way into the leading phase, and seals before the last step.
func (l *Lease) lead(ctx context.Context, o LeaseOptions) error {
	p, x := l.producer, l.producer.contract().Exclusivity
	if err := p.refresh(ctx); err != nil {
		return err
	}
	p.takeOver(l.token)
	path := route(p.contract(), Name(p.record.Phase), x.Phases[len(x.Phases)-1], x.Phases)
	if path == nil {
		return &wire.Error{Code: wire.CodeTransition, Message: fmt.Sprintf("no way from %s to %s", p.record.Phase, x.Phases[len(x.Phases)-1])}
	}
	for i, next := range path {
		if i == len(path)-1 && l.guard != nil {
			if err := l.guard.Seal(ctx, p.subject.Key, l.token); err != nil {
				return fmt.Errorf("seal: %w", err)
			}
			p.mu.Lock()
			p.sealed = true
			p.mu.Unlock()
		}
		if _, err := p.To(ctx, next, WithReason(o.Reason), Urgent()); err != nil {
			return err
		}
	}
	return nil
}

// takeOver makes the committed phase the one to go on from, whoever announced
// it, with a new token.
func (p *Producer) takeOver(t fence.Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.machine = protocol.Producer{Epoch: Epoch(p.record.Epoch), Enforced: Epoch(p.record.Epoch)}
	p.reported = Epoch(p.record.Enforced)
	p.token, p.sealed = uint64(t), false
	p.put(Name(p.record.Phase))
}

// request is a question about this lease.
func (l *Lease) request() wire.LeaseRequest {
	p := l.producer
	return wire.LeaseRequest{Contract: p.subject.Contract, Key: p.subject.Key, Holder: l.holder, Token: uint64(l.token)}
}

// step moves the tenure, and ends the context when it is lost.
func (l *Lease) step(in protocol.TenureInput) protocol.TenureOutput {
	l.mu.Lock()
	defer l.mu.Unlock()
	in.Now = l.producer.client.config.Clock()
	var out protocol.TenureOutput
	l.tenure, out = l.tenure.Step(l.rules, in)
	if out.Lost {
		l.lose(ErrLeaseLost)
	}
	return out
}

// renew keeps the lease until it is lost or given up.
func (l *Lease) renew() {
	defer close(l.gone)
	next := l.times.RenewEvery
	for {
		timer := time.NewTimer(min(next, l.left()))
		select {
		case <-timer.C:
		case <-l.ctx.Done():
			timer.Stop()
			return
		}
		if out := l.step(protocol.TenureInput{Event: protocol.TenureTick}); out.Lost {
			return
		}
		sent := l.producer.client.config.Clock()
		ctx, stop := context.WithTimeout(l.ctx, l.left())
		var state wire.LeaseState
		err := l.producer.client.post(ctx, wire.PathLease+"renew", l.request(), &state)
		stop()
		next = l.times.RenewEvery
		if why, ok := errors.AsType[*wire.Error](err); ok && why.Code == wire.CodeFenceStale {
			l.lose(fmt.Errorf("%w: %w", ErrLeaseLost, err))
			return
		}
		if err != nil {
			next = l.times.RenewEvery / 4
			continue
		}
		l.step(protocol.TenureInput{Event: protocol.TenureRenewed, Sent: sent, Token: protocol.Token(l.token)})
	}
}

// left is the time until the tenure ends unless it is renewed.
func (l *Lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.tenure.Renewed+l.rules.RenewDeadline-l.producer.client.config.Clock(), 0) + time.Millisecond
}

// Token is what writes must carry.
func (l *Lease) Token() fence.Token { return l.token }

// Context ends when the lease does, with the cause ErrLeaseLost. Everything that
// is done under the lease belongs under it.
func (l *Lease) Context() context.Context { return l.ctx }

// Do runs f under the lease, with a context that ends when ctx or the lease
// does, and through the guard if there is one. The error is ErrLeaseLost if the
// lease has ended before, and fence.ErrStale if the resource has met a larger
// token, upon which the lease counts as lost.
func (l *Lease) Do(ctx context.Context, f func(context.Context, fence.Token) error) error {
	l.mu.Lock()
	if l.ctx.Err() != nil || !l.tenure.MayAct(l.rules, l.producer.client.config.Clock()) {
		l.mu.Unlock()
		l.lose(ErrLeaseLost)
		return fmt.Errorf("%s: %w", l.producer.subject.Key, ErrLeaseLost)
	}
	l.doing.Add(1)
	l.mu.Unlock()
	defer l.doing.Done()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(l.ctx, func() { stop(context.Cause(l.ctx)) })()
	write := func(ctx context.Context) error { return f(ctx, l.token) }
	var err error
	if l.guard != nil {
		err = l.guard.Do(ctx, l.producer.subject.Key, l.token, write)
	} else {
		err = write(ctx)
	}
	if errors.Is(err, fence.ErrStale) {
		l.producer.client.signals.stale(ctx)
		l.lose(fmt.Errorf("%w: %w", ErrLeaseLost, err))
	}
	return err
}

// Resign gives the lease up in order: no Do begins any more, those that run are
// waited for, the subject is announced out of its exclusive phases, and then
// another may acquire the lease. The error is ErrLeaseLost if it had ended
// already.
func (l *Lease) Resign(ctx context.Context) error {
	p, x := l.producer, l.producer.contract().Exclusivity
	if l.ctx.Err() != nil {
		return fmt.Errorf("%s: %w", p.subject.Key, ErrLeaseLost)
	}
	l.mu.Lock()
	l.tenure.Rank = protocol.RankAcquiring // holds the lease, and acts no more
	l.mu.Unlock()
	idle := make(chan struct{})
	go func() { l.doing.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-ctx.Done():
		return fmt.Errorf("resign %s: %w", p.subject.Key, context.Cause(ctx))
	}
	var err error
	for _, next := range route(p.contract(), Name(p.record.Phase), p.contract().Initial, x.Phases) {
		if _, err = p.To(ctx, next, WithReason("the lease is resigned")); err != nil {
			break
		}
	}
	l.lose(fmt.Errorf("%w: it was resigned", ErrLeaseLost))
	<-l.gone
	return errors.Join(err, p.client.post(ctx, wire.PathLease+"resign", l.request(), &struct{}{}))
}
