package main

import (
	"context"
	"crypto/ed25519"
	_ "embed"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase"
)

//go:embed contract.yaml
var contractYAML string

// A fleet is a mediator, and how much load there is.
type fleet struct {
	workers int
	lag     time.Duration
	near    *phase.Client // of the servers
	far     *phase.Client // of the router, which learns late
	url     string
	signer  phase.Signer
	stop    func()
	serial  atomic.Int64
}

// newFleet starts a mediator, on loopback and in memory.
func newFleet(ctx context.Context, workers int, lag time.Duration) (*fleet, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	m, err := mediator.New(mediator.Config{State: &mediator.Memory{}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	server := httptest.NewServer(m.Handler(nil))
	f := &fleet{workers: workers, lag: lag, url: server.URL, signer: phase.Signer{KeyID: "run", Key: private}}
	f.stop = func() { cancel(); server.CloseClientConnections(); server.Close(); running.Wait() }
	text := strings.ReplaceAll(contractYAML, "KEY", base64.StdEncoding.EncodeToString(public))
	for { // the mediator begins in a moment
		if _, err = m.AddContract(ctx, "contract.yaml", []byte(text), "example"); err == nil || !strings.Contains(err.Error(), "not_active") {
			break
		}
		wait(ctx, time.Millisecond)
	}
	if err == nil {
		f.near, err = f.client("server", http.DefaultTransport)
	}
	if err == nil {
		f.far, err = f.client("router", late{lag})
	}
	if err != nil {
		f.stop()
		return nil, err
	}
	// A mediator that has just begun does not know who believed what before, and
	// lets acknowledgements count when every such belief has ended.
	wait(ctx, 1500*time.Millisecond)
	return f, nil
}

func (f *fleet) client(name string, transport http.RoundTripper) (*phase.Client, error) {
	return phase.Dial(phase.Config{
		URLs: []string{f.url}, Identity: name, Signers: []phase.Signer{f.signer},
		HTTP: &http.Client{Transport: transport}, Log: slog.New(slog.DiscardHandler),
	})
}

func (f *fleet) close() {
	for _, c := range []*phase.Client{f.far, f.near} {
		if err := c.Close(); err != nil {
			slog.Error("client not closed", "error", err)
		}
	}
	f.stop()
}

// late is a transport whose answers, and each part of them, arrive late.
type late struct{ lag time.Duration }

// RoundTrip implements http.RoundTripper.
func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	wait(r.Context(), l.lag)
	response.Body = lateBody{response.Body, r.Context(), l.lag}
	return response, nil
}

type lateBody struct {
	io.ReadCloser
	ctx context.Context
	lag time.Duration
}

// Read implements io.Reader.
func (b lateBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.ctx.Err() == nil {
		wait(b.ctx, b.lag)
	}
	return n, err
}

// An instance is one server.
type instance struct {
	key, url string
	server   *http.Server
	listener net.Listener
}

// start listens on a free port of loopback.
func start(key string) (*instance, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &instance{
		key: key, url: "http://" + l.Addr().String(), listener: l,
		server: &http.Server{Handler: http.HandlerFunc(work), ReadHeaderTimeout: 5 * time.Second},
	}, nil
}

// work is what the servers do.
func work(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(w, io.LimitReader(r.Body, 1<<10)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// tally counts requests.
type tally struct{ sent, failed int }

// load posts with all workers while stop stops the first server, and for a while
// before and after.
func (f *fleet) load(ctx context.Context, transport http.RoundTripper, send func(*http.Client) error, stop func() error) (tally, error) {
	client := &http.Client{Transport: transport}
	loaded, end := context.WithCancel(ctx)
	defer end()
	var sent, failed atomic.Int64
	var workers sync.WaitGroup
	for range f.workers {
		workers.Go(func() {
			for loaded.Err() == nil {
				sent.Add(1)
				if err := send(client); err != nil {
					failed.Add(1)
				}
				wait(loaded, time.Millisecond)
			}
		})
	}
	wait(ctx, warm)
	err := stop()
	wait(ctx, warm)
	end()
	workers.Wait()
	return tally{int(sent.Load()), int(failed.Load())}, err
}

// post says what went wrong with a request, if anything did.
func post(client *http.Client, url string) error {
	response, err := client.Post(url, "text/plain", strings.NewReader("one order"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return err
}

// wait lets time pass, or less if ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
