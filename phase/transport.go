package phase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// Transport sends requests through base as far as the phase of who receives them
// allows it, tells it what is believed, and listens to what it says. A request
// that may not be sent fails with ErrRefused before a byte of it is written, so
// it is safe to try another subject.
//
// key names the subject that a request is for; with "" it passes as it is. action
// is what the requests do.
func (w *Watch) Transport(base http.RoundTripper, action string, key func(*http.Request) string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{watch: w, base: base, action: action, key: key}
}

type transport struct {
	watch  *Watch
	base   http.RoundTripper
	action string
	key    func(*http.Request) string
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	key := t.key(r)
	if key == "" {
		return t.base.RoundTrip(r)
	}
	ticket, err := t.watch.Begin(r.Context(), key, t.action)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	end := func() { ticket.Done(); cancel() }
	out, late := t.annotated(ctx, cancel, r, key, ticket)
	response, err := t.base.RoundTrip(out)
	if err != nil {
		end()
		if late.Load() {
			return nil, fmt.Errorf("%w: %s changed its phase while the request waited for a connection", ErrRefused, key)
		}
		return nil, err
	}
	t.watch.Heard(key, response.Header.Get(HeaderActual))
	response.Body = &body{ReadCloser: response.Body, done: end}
	return response, nil
}

// annotated returns the request with what is believed. Time in which it waits
// for a connection does not count as flight: when it has one, it is looked at
// again, and given up if it may not be sent any more.
func (t *transport) annotated(ctx context.Context, cancel func(), r *http.Request, key string, ticket Ticket) (*http.Request, *atomic.Bool) {
	var late atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if _, ok := t.watch.Can(key, t.action); !ok {
			late.Store(true)
			cancel()
		}
	}})
	out := r.Clone(ctx)
	out.Header.Set(HeaderBelief, ticket.Belief.String())
	return out, &late
}

// body ends the ticket when the response is read or given up.
type body struct {
	io.ReadCloser
	done func()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.done()
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.done()
	return b.ReadCloser.Close()
}
