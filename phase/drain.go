package phase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"example.test/eddy/phase/contract"
)

// minHard is the least time that a server is given to close: net/http takes a
// connection that has not sent anything for busy during five seconds.
const minHard = 6 * time.Second

// DrainOptions are the phases of a drain and its bounds. The zero value fits a
// contract with phases ACTIVE, DRAIN and SHUTDOWN.
type DrainOptions struct {
	// Active is announced when the server accepts requests, Drain when it is to
	// stop, Stop when nothing new comes. Defaults ACTIVE, DRAIN, SHUTDOWN.
	Active, Drain, Stop Name
	// Grace bounds all of it up to Stop being in force. Default 60 s.
	Grace time.Duration
	// Hard bounds what is in flight after that; at least 6 s, the default.
	Hard time.Duration
	// Reason goes to the audit log. Default: the server was told to stop.
	Reason string
}

// ServeAndDrain serves on l, announces that the subject is active, and when ctx
// ends drains so that no request is lost:
//
//   - It announces the drain. Callers that believe it look elsewhere. What still
//     comes is served, and each response closes its connection.
//   - It waits until everyone has acknowledged, or nobody can believe otherwise any
//     more, and until the contract's dwell and guard let the subject stop.
//   - Then it is in force: requests are refused with 503 before anything is done,
//     and the server shuts down.
//
// The server's handler must be, or contain, Producer.HTTP. ServeAndDrain returns
// nil after a drain in order. Without the mediator it drains all the same, by
// time, and says so in the error.
func (p *Producer) ServeAndDrain(ctx context.Context, srv *http.Server, l net.Listener, o DrainOptions) error {
	o.Active, o.Drain, o.Stop = cmp.Or(o.Active, "ACTIVE"), cmp.Or(o.Drain, "DRAIN"), cmp.Or(o.Stop, "SHUTDOWN")
	o.Grace, o.Hard = cmp.Or(o.Grace, time.Minute), max(o.Hard, minHard)
	for _, name := range []Name{o.Active, o.Drain, o.Stop} {
		if _, ok := p.contract().Phase(name); !ok {
			return fmt.Errorf("phase: contract %s has no phase %s", p.contract().ID(), name)
		}
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	started := make(chan error, 1)
	starting, stop := context.WithCancel(ctx)
	defer stop()
	go func() { started <- p.start(starting, o.Active) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		if err := <-started; err != nil {
			p.client.config.Log.WarnContext(ctx, "told to stop before the server was announced", "error", err)
		}
	case err := <-started:
		if err != nil {
			return errors.Join(err, srv.Close(), ignoreClosed(<-served))
		}
		select {
		case err := <-served:
			return fmt.Errorf("serve: %w", err)
		case <-ctx.Done():
		}
	}
	return p.drain(context.WithoutCancel(ctx), srv, o, served)
}

// start announces that requests are accepted, unless they are already.
func (p *Producer) start(ctx context.Context, active Name) error {
	if p.Actual().Phase == active {
		return nil
	}
	facts := Facts{Probe: map[string]bool{"ready": true}}
	_, err := p.To(ctx, active, WithFacts(facts), WaitForGuard(), WithReason("the server accepts requests"))
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it is to stop before it was active, which is no failure
	}
	return err
}

// drain goes through the phases and closes the server.
func (p *Producer) drain(ctx context.Context, srv *http.Server, o DrainOptions, served <-chan error) error {
	grace, stop := context.WithTimeout(ctx, o.Grace)
	defer stop()
	err := p.Drain(grace, o)
	if err != nil {
		// Nothing could be announced, so all that is left is time: everyone who
		// watches has lost the mediator too, or has no belief older than this.
		sleep(grace, p.longestWait())
		p.enforce(o.Stop)
	}
	hard, stop := context.WithTimeout(ctx, o.Hard)
	defer stop()
	if fault := srv.Shutdown(hard); fault != nil {
		err = errors.Join(err, fmt.Errorf("shut down: %w", fault), srv.Close())
	}
	return errors.Join(err, ignoreClosed(<-served))
}

// Drain announces the drain, waits for what the contract wants waited for, and
// announces the stop; when it returns nil, that is in force and nobody sends any
// more. It is for subjects that are stopped by somebody else, as by an
// orchestrator. A subject that has drained already has nothing to do. Of the options
// it uses the names.
func (p *Producer) Drain(ctx context.Context, o DrainOptions) error {
	o.Drain, o.Stop = cmp.Or(o.Drain, "DRAIN"), cmp.Or(o.Stop, "SHUTDOWN")
	reason := WithReason(cmp.Or(o.Reason, "the server was told to stop"))
	if p.Actual().Phase == o.Stop {
		return nil
	}
	if _, ok := p.contract().Transition(p.Actual().Phase, o.Drain); ok {
		if _, err := p.To(ctx, o.Drain, reason, Urgent()); err != nil {
			return err
		}
	}
	_, err := p.To(ctx, o.Stop, reason, WaitForGuard())
	return err
}

// longestWait is how long after now somebody may act on what was before.
func (p *Producer) longestWait() time.Duration {
	var longest time.Duration
	for _, r := range p.contract().Roles.Consumers {
		longest = max(longest, p.contract().Wait(r))
	}
	return longest
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// PreStop answers an orchestrator's hook before it stops the process: it begins
// the drain, and answers when the subject may stop, or when the request is given
// up. A process that uses ServeAndDrain as well has drained by the time it is told
// to stop, and only shuts down then.
func (p *Producer) PreStop(o DrainOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.Drain(r.Context(), o); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// Ready answers readiness probes: 200 while the actual phase allows an action,
// 503 while it does not, so that balancers which only probe look elsewhere too.
func (p *Producer) Ready(action string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		v := p.Actual()
		w.Header().Set(HeaderActual, v.Header())
		if p.contract().Permits(v.Phase, action) != contract.Allow {
			http.Error(w, "phase "+string(v.Phase), http.StatusServiceUnavailable)
		}
	})
}
