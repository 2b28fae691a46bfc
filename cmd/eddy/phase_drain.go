package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/wire"
)

const (
	// askAgain is how long a drain waits before it asks a mediator again that did
	// not answer, and a service how much it has in flight.
	askAgain = 250 * time.Millisecond
	// inflightTime bounds one such question, and inflightBytes its answer.
	inflightTime  = time.Second
	inflightBytes = 64
)

// phaseDrainCmd drains a subject.
type phaseDrainCmd struct {
	producerFlags
	To       string        `default:"DRAIN" help:"The phase in which callers look elsewhere."`
	Stop     string        `default:"SHUTDOWN" help:"The phase in which nothing new comes."`
	Inflight string        `help:"Ask this URL how many requests are in flight, for the contract's guard. Without it the guard is told 0." placeholder:"URL"`
	Fallback time.Duration `help:"If it cannot be drained in order, return only when the subject has had this long. For hooks: what runs next may be the end of the process."`
}

// Help is shown by --help after the flags.
func (phaseDrainCmd) Help() string {
	return `Examples:
  eddy phase drain rolling-drain shop/checkout/pod-7 --key checkout=checkout.pem
As a preStop hook, with EDDY_SERVER, EDDY_CONTRACT, EDDY_SUBJECT and EDDY_KEY in the
container's env, since Kubernetes expands no variables in hooks:
  lifecycle: {preStop: {exec: {command: [eddy, phase, drain, --wait, 25s, --fallback, 10s]}}}

It returns when nobody who watches sends any more, and stops nothing itself. --wait
has to be shorter than terminationGracePeriodSeconds. The exit status is 1 if the
subject was not drained; then --fallback has passed, and that is all that can be said.`
}

// Run drains, and if that fails takes its time all the same.
func (c *phaseDrainCmd) Run(ctx context.Context, std stdio) error {
	if c.Fallback < 0 || c.Fallback >= c.Wait {
		return fmt.Errorf("--fallback %s: want less than --wait, %s", c.Fallback, c.Wait)
	}
	began := time.Now()
	view, err := c.drain(ctx)
	switch {
	case err == nil && c.JSON:
		return printJSON(std.out, view)
	case err == nil:
		_, err = fmt.Fprintf(std.out, "%s after %s: it may be stopped\n", view, time.Since(began).Round(time.Millisecond))
		return err
	case c.Fallback == 0 || ctx.Err() != nil:
		return no(std, err)
	}
	fmt.Fprintf(std.err, "eddy: not drained: %v\n", err)
	select {
	case <-time.After(c.Fallback - time.Since(began)):
	case <-ctx.Done():
	}
	fmt.Fprintf(std.err, "eddy: %s have passed; requests may still come\n", time.Since(began).Round(time.Millisecond))
	return errNo
}

// drain takes the subject through its phases, and returns where it then is.
func (c *phaseDrainCmd) drain(ctx context.Context) (phase.View, error) {
	limit, stop := context.WithTimeout(ctx, c.Wait-c.Fallback)
	defer stop()
	client, err := c.dial()
	if err != nil {
		return phase.View{}, err
	}
	defer func() { _ = client.Close() }() // it ends goroutines, and cannot fail
	p, err := c.takeUp(limit, client)
	if err != nil {
		return phase.View{}, err
	}
	if c.Inflight != "" {
		err = c.drainBusy(limit, client, p)
	} else {
		err = p.Drain(limit, phase.DrainOptions{Drain: phase.Name(c.To), Stop: phase.Name(c.Stop), Reason: c.Reason})
	}
	if err != nil && limit.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s is what it was given: %w", c.Wait-c.Fallback, err)
	}
	return p.Actual(), err
}

// takeUp returns the producer. A hook gets one chance, so it waits for a mediator
// that is away for a moment; a person is told at once.
func (c *phaseDrainCmd) takeUp(ctx context.Context, client *phase.Client) (*phase.Producer, error) {
	for {
		p, err := client.Producer(ctx, phase.Subject{Contract: c.Contract, Key: c.Subject})
		why, refused := errors.AsType[*wire.Error](err)
		passes := !refused || why.Code == wire.CodeNotActive || why.Code == wire.CodeUnavailable
		if err == nil || c.Fallback == 0 || !passes {
			return p, err
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// drainBusy drains a subject whose service says how much it has in flight. The
// guard decides about that, and may say that it has waited long enough.
func (c *phaseDrainCmd) drainBusy(ctx context.Context, client *phase.Client, p *phase.Producer) error {
	rules, err := client.Contract(ctx, c.Contract)
	if err != nil {
		return err
	}
	if p.Actual().Phase == phase.Name(c.Stop) {
		return nil
	}
	if _, ok := rules.Transition(p.Actual().Phase, phase.Name(c.To)); ok {
		if _, err := p.To(ctx, phase.Name(c.To), phase.WithReason(c.Reason), phase.Urgent()); err != nil {
			return err
		}
	}
	for {
		n, err := askInflight(ctx, c.Inflight)
		if err == nil {
			_, err = p.To(ctx, phase.Name(c.Stop), phase.WithReason(c.Reason), phase.WithFacts(phase.Facts{Inflight: n}))
			why, refused := errors.AsType[*wire.Error](err)
			if err == nil || !refused || why.Code != wire.CodeGuardFalse {
				return err
			}
			err = fmt.Errorf("%d requests are in flight: %w", n, err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return err
		}
	}
}

// askInflight reads a number from a URL.
func askInflight(ctx context.Context, url string) (int, error) {
	ctx, stop := context.WithTimeout(ctx, inflightTime)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("--inflight: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("--inflight: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, inflightBytes))
	if err != nil {
		return 0, fmt.Errorf("--inflight: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(body)))
	if err != nil || n < 0 || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("--inflight: %s answered %s and %.40q: want 200 and a number", url, response.Status, body)
	}
	return n, nil
}
