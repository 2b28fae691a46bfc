package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A kit is what an instance of a service is given to do its work with.
type kit struct {
	identity
	emit     *emitter
	client   *http.Client // instrumented; finds services by name
	patience *patience
	flags    *flags
	stock    *stockroom
	dice     *dice
	plan     plan
	ledger   string // path of the orders database
}

func (s *Shop) kitFor(in *instance) *kit {
	transport := otelhttp.NewTransport(s.directory,
		otelhttp.WithTracerProvider(in.emit.traces),
		otelhttp.WithMeterProvider(in.emit.metrics),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Host }))
	return &kit{
		identity: in.identity,
		emit:     in.emit,
		client:   &http.Client{Transport: transport},
		patience: s.patience[in.service],
		flags:    s.flags,
		stock:    s.stock,
		dice:     newDice(s.cfg.Seed, in.instance+"@"+in.version),
		plan:     s.plan,
		ledger:   s.ledger,
	}
}

// patience is a service's setting for how long it waits for another one. All
// of its instances read it for each call.
type patience struct{ nanoseconds atomic.Int64 }

func newPatience() *patience {
	p := &patience{}
	p.set(5 * time.Second)
	return p
}

func (p *patience) set(d time.Duration) { p.nanoseconds.Store(int64(d)) }
func (p *patience) get() time.Duration  { return time.Duration(p.nanoseconds.Load()) }

// A handler answers a request with a value to be sent as JSON, or says why it
// could not.
type handler func(ctx context.Context, r *http.Request) (any, error)

// errOverloaded is the shop's background noise: now and then an instance has no
// worker free, whatever runs on it.
var errOverloaded = errors.New("no worker is free")

// routes serves each handler at its pattern, instrumented as otelhttp's
// documentation says: one wrapped handler a route.
func (k *kit) routes(handlers map[string]handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range handlers {
		mux.Handle(pattern, otelhttp.NewHandler(k.serve(h), pattern,
			otelhttp.WithTracerProvider(k.emit.traces),
			otelhttp.WithMeterProvider(k.emit.metrics),
			otelhttp.WithPropagators(propagation.TraceContext{})))
	}
	return mux
}

func (k *kit) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		answer, err := k.answer(ctx, r, h)
		status := http.StatusOK
		if err != nil {
			status = statusOf(err)
			answer = map[string]string{"error": err.Error()}
			trace.SpanFromContext(ctx).RecordError(err)
			k.emit.note(ctx, log.SeverityError, err.Error(), semconv.HTTPResponseStatusCode(status))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		// The only error is a caller that went away; its own span says so.
		_ = json.NewEncoder(w).Encode(answer)
	})
}

func (k *kit) answer(ctx context.Context, r *http.Request, h handler) (any, error) {
	if err := k.work(ctx); err != nil {
		return nil, err
	}
	if k.dice.hit(k.plan.noise) {
		return nil, errOverloaded
	}
	return h(ctx, r)
}

// work is the time that this instance's own part of a request takes.
func (k *kit) work(ctx context.Context) error {
	t := time.NewTimer(k.dice.pause(k.plan.work))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An upstreamError is a service's answer that was not a success.
type upstreamError struct {
	service string
	status  int
}

func (e *upstreamError) Error() string {
	return fmt.Sprintf("%s answered %d", e.service, e.status)
}

// A replyError is a service's answer that the caller could not read.
type replyError struct {
	service string
	err     error
}

func (e *replyError) Error() string { return fmt.Sprintf("reply of %s: %v", e.service, e.err) }
func (e *replyError) Unwrap() error { return e.err }

// An inputError is a request that the service could not read.
type inputError struct{ err error }

func (e *inputError) Error() string { return "request: " + e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// statusOf is the one place that knows what an error means in HTTP.
func statusOf(err error) int {
	var (
		upstream *upstreamError
		reply    *replyError
		input    *inputError
	)
	switch {
	case errors.As(err, &input):
		return http.StatusBadRequest
	case errors.As(err, &upstream), errors.As(err, &reply):
		return http.StatusBadGateway
	case errors.Is(err, errOverloaded), errors.Is(err, errNoInstance):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// call posts in to a path of a service and reads its answer into out. Bodies,
// not paths, carry what is asked, so that a URL tells nothing about a customer.
func (k *kit) call(ctx context.Context, service, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, k.patience.get())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+service+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := k.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	reply, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return &replyError{service, err}
	}
	if res.StatusCode != http.StatusOK {
		return &upstreamError{service, res.StatusCode}
	}
	if err := json.Unmarshal(reply, out); err != nil {
		return &replyError{service, err}
	}
	return nil
}

// read decodes the body of r into in.
func read(r *http.Request, in any) error {
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(in); err != nil {
		return &inputError{err}
	}
	return nil
}

// tag sets attributes on the span that is being served.
func tag(ctx context.Context, attributes ...attribute.KeyValue) {
	trace.SpanFromContext(ctx).SetAttributes(attributes...)
}
