package phase_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase"
)

// signer is the key of the contracts in testdata, which have KEY for its public
// half.
func signer(id string) phase.Signer {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, id)
	return phase.Signer{KeyID: id, Key: ed25519.NewKeyFromSeed(seed)}
}

// contractText reads a contract of testdata, with the public key filled in.
func contractText(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	public := signer("test").Key.Public().(ed25519.PublicKey)
	return []byte(strings.ReplaceAll(string(text), "KEY", base64.StdEncoding.EncodeToString(public)))
}

// A fixture is a mediator with its contracts, and a wire to it that a test can
// cut.
type fixture struct {
	*direct
	mediator *mediator.Mediator
	state    *mediator.Memory
	restart  func() // stops the mediator, and starts another on its state
}

// newFixture starts a mediator, and stops it with the test. It is for use in a
// synctest bubble.
func newFixture(t *testing.T, contracts ...string) *fixture {
	t.Helper()
	return newFixtureWith(t, mediator.Config{}, contracts...)
}

// newFixtureWith is newFixture with a config, whose state it sets.
func newFixtureWith(t *testing.T, config mediator.Config, contracts ...string) *fixture {
	t.Helper()
	state := &mediator.Memory{}
	config.State = state
	current := &current{}
	f := &fixture{direct: &direct{handler: current}, state: state}
	f.restart = func() {
		current.stop()
		f.mediator = current.begin(t, config)
	}
	f.mediator = current.begin(t, config)
	t.Cleanup(current.stop)
	for _, name := range contracts {
		text := contractText(t, name)
		for {
			if _, err := f.mediator.AddContract(t.Context(), name, text, "test"); err == nil {
				break
			} else if !strings.Contains(err.Error(), "not_active") {
				t.Fatal(err)
			}
			<-time.After(time.Millisecond)
		}
	}
	<-time.After(10 * time.Second)
	return f
}

// current is the mediator that runs at present.
type current struct {
	mu      sync.Mutex
	handler http.Handler
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (c *current) begin(t *testing.T, config mediator.Config) *mediator.Mediator {
	t.Helper()
	m, err := mediator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.running.Go(func() { _ = m.Run(ctx) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handler, c.cancel = m.Handler(nil), cancel
	return m
}

// stop ends it, and waits for that.
func (c *current) stop() {
	c.cancel()
	c.running.Wait()
}

// ServeHTTP implements http.Handler.
func (c *current) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	handler := c.handler
	c.mu.Unlock()
	handler.ServeHTTP(w, r)
}

// client returns a client of the fixture's mediator, closed with the test.
func (f *fixture) client(t *testing.T, identity string) *phase.Client {
	t.Helper()
	return f.clientWith(t, phase.Config{Identity: identity})
}

// direct is a round tripper that calls the handler, without a network. cut, if
// it is not nil, decides which requests are lost.
type direct struct {
	mu      sync.Mutex
	handler http.Handler
	cut     func(*http.Request) bool
	delay   func() time.Duration
}

var errCut = errors.New("the wire is cut")

// lose sets which requests are lost from now on.
func (d *direct) lose(cut func(*http.Request) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = cut
}

// hold delays requests from now on, each by what delay says, and answers as
// well.
func (d *direct) hold(delay func() time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = delay
}

// serve sets who answers from now on, and returns who did until now.
func (d *direct) serve(h http.Handler) http.Handler {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.handler
	d.handler = h
	return before
}

func (d *direct) lost(r *http.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut != nil && d.cut(r)
}

// travel lets the time of the wire pass.
func (d *direct) travel() {
	d.mu.Lock()
	delay := d.delay
	d.mu.Unlock()
	if delay != nil {
		<-time.After(delay())
	}
}

// RoundTrip implements http.RoundTripper. The response begins with the first
// byte of its body, so that streams work.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.lost(r) {
		return nil, fmt.Errorf("%s: %w", r.URL.Path, errCut)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.travel()
	read, write := io.Pipe()
	a := &answer{header: make(http.Header), body: write, begun: make(chan struct{})}
	d.mu.Lock()
	handler := d.handler
	d.mu.Unlock()
	go func() {
		handler.ServeHTTP(a, r)
		a.begin(http.StatusOK)
		_ = write.Close() // it never fails
	}()
	stop := context.AfterFunc(r.Context(), func() { read.CloseWithError(r.Context().Err()) })
	select {
	case <-a.begun:
		d.travel()
		return &http.Response{
			StatusCode: a.status, Status: http.StatusText(a.status), Header: a.header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
			Body: &closing{read, stop, func() bool { return d.lost(r) }},
		}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

type closing struct {
	*io.PipeReader
	stop func() bool
	lost func() bool
}

// Read loses what arrives while the wire is cut: a stream ends with that.
func (c *closing) Read(p []byte) (int, error) {
	n, err := c.PipeReader.Read(p)
	if c.lost() {
		return 0, errCut
	}
	return n, err
}

func (c *closing) Close() error {
	c.stop()
	return c.PipeReader.Close()
}

// answer is the http.ResponseWriter of direct.
type answer struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	status int
	begun  chan struct{}
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(s int)   { a.begin(s) }
func (a *answer) FlushError() error   { return nil }
func (a *answer) Write(p []byte) (int, error) {
	a.begin(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) begin(status int) {
	a.once.Do(func() {
		a.status, a.header = status, a.header.Clone()
		close(a.begun)
	})
}

// newWire returns the fixture with a wire of its own to the same mediator.
func newWire(f *fixture) *fixture {
	return &fixture{direct: &direct{handler: f.handler}, mediator: f.mediator, state: f.state}
}

// clientWith returns a client with what f.client adds to a config.
func (f *fixture) clientWith(t *testing.T, config phase.Config) *phase.Client {
	t.Helper()
	began := time.Now()
	config.URLs = []string{"http://mediator.test"}
	config.Signers = []phase.Signer{signer("test")}
	if config.HTTP == nil {
		config.HTTP = &http.Client{Transport: f.direct}
	}
	if config.Clock == nil {
		config.Clock = func() time.Duration { return time.Since(began) }
	}
	c, err := phase.Dial(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// answerLost makes the wire lose answers: the mediator acts, and nobody hears.
func (f *fixture) answerLost(lost func(*http.Request) bool) {
	var whole http.Handler
	whole = f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !lost(r) {
			whole.ServeHTTP(w, r)
			return
		}
		unheard(whole, r)
		w.WriteHeader(http.StatusBadGateway)
	}))
}

// unheard lets a request be answered to nobody.
func unheard(h http.Handler, r *http.Request) {
	h.ServeHTTP(&answer{header: make(http.Header), body: nobody(), begun: make(chan struct{})}, r)
}

// noQuorum answers as a mediator whose state has no quorum.
func noQuorum(w http.ResponseWriter) {
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprint(w, `{"error": {"code": "unavailable", "message": "state: no quorum"}}`)
}

// nobody is a pipe whose reader is gone.
func nobody() *io.PipeWriter {
	read, write := io.Pipe()
	_ = read.Close() // it never fails
	return write
}
