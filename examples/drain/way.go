package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"example.test/eddy/phase"
)

// A way is one procedure by which the first server stops.
type way struct {
	name string
	sdk  bool
	// notReady is how long the server says that it is not ready before it shuts
	// down. The router learns of it late.
	notReady time.Duration
}

// ways are what is compared; the last one is what may lose nothing.
func ways(lag time.Duration) []way {
	return []way{
		{name: "Shutdown at once"},
		{name: "not ready for half the lag, then Shutdown", notReady: lag / 2},
		{name: "not ready for longer than the lag, then Shutdown", notReady: lag + lag/2},
		{name: "phase.Producer.ServeAndDrain", sdk: true},
	}
}

// warm is how long there is load before the first server stops, and after.
const warm = 150 * time.Millisecond

// try runs one way under load.
func (f *fleet) try(ctx context.Context, w way) (tally, error) {
	place := fmt.Sprintf("shop/run-%d/", f.serial.Add(1))
	first, err := start(place + "first")
	if err != nil {
		return tally{}, err
	}
	second, err := start(place + "second")
	if err != nil {
		return tally{}, err
	}
	defer second.server.Close()
	if w.sdk {
		return f.tryPhases(ctx, place, first, second)
	}
	return f.tryPlain(ctx, w, first, second)
}

// tryPlain stops the first server without telling anyone but by its readiness.
func (f *fleet) tryPlain(ctx context.Context, w way, first, second *instance) (tally, error) {
	for _, i := range []*instance{first, second} {
		go func() { _ = i.server.Serve(i.listener) }() // it ends with the server
	}
	var learned atomic.Bool
	var turn atomic.Uint64
	send := func(client *http.Client) error {
		if learned.Load() || turn.Add(1)%2 == 0 {
			return post(client, second.url)
		}
		return post(client, first.url)
	}
	return f.load(ctx, keepAlive(), send, func() error {
		router := time.AfterFunc(f.lag, func() { learned.Store(true) })
		defer router.Stop()
		wait(ctx, w.notReady)
		err := first.server.Shutdown(ctx)
		wait(ctx, f.lag)
		return err
	})
}

// tryPhases stops the first server by ServeAndDrain. The router sends where its
// Watch allows it, and learns late.
func (f *fleet) tryPhases(ctx context.Context, place string, first, second *instance) (tally, error) {
	told, tell := context.WithCancel(ctx)
	defer tell()
	drained, err := f.serve(told, first)
	if err != nil {
		return tally{}, err
	}
	if _, err := f.serve(ctx, second); err != nil {
		return tally{}, err
	}
	router, err := f.far.Watch(ctx, "drain", place+"*", "router")
	if err != nil {
		return tally{}, err
	}
	defer router.Close()
	for len(router.Allowed("new_request")) < 2 && ctx.Err() == nil {
		wait(ctx, 10*time.Millisecond)
	}
	byKey := map[string]string{first.key: first.url, second.key: second.url}
	byHost := map[string]string{first.listener.Addr().String(): first.key, second.listener.Addr().String(): second.key}
	var turn atomic.Uint64
	send := func(client *http.Client) error {
		for {
			allowed := router.Allowed("new_request")
			if len(allowed) == 0 {
				return errors.New("the router knows of no server")
			}
			err := post(client, byKey[allowed[turn.Add(1)%uint64(len(allowed))].Key])
			if !errors.Is(err, phase.ErrRefused) { // else nothing was sent
				return err
			}
		}
	}
	transport := router.Transport(keepAlive(), "new_request", func(r *http.Request) string { return byHost[r.URL.Host] })
	return f.load(ctx, transport, send, func() error {
		tell()
		return <-drained
	})
}

// serve serves an instance by its phases, and tells how that ended.
func (f *fleet) serve(ctx context.Context, i *instance) (<-chan error, error) {
	p, err := f.near.Producer(ctx, phase.Subject{Contract: "drain", Key: i.key})
	if err != nil {
		return nil, err
	}
	i.server.Handler = p.HTTP(func(*http.Request) string { return "new_request" }, i.server.Handler)
	ended := make(chan error, 1)
	go func() { ended <- p.ServeAndDrain(ctx, i.server, i.listener, phase.DrainOptions{}) }()
	return ended, nil
}

// keepAlive is a transport that keeps a connection for every worker.
func keepAlive() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 256, MaxIdleConns: 1024, IdleConnTimeout: time.Second}
}
