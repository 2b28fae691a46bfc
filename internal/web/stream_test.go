package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/web"
)

// stream reads events from a server.
type stream struct {
	*bufio.Scanner
	cancel context.CancelFunc
}

func listen(t testing.TB, address, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = answer.Body.Close() })
	return &stream{bufio.NewScanner(answer.Body), cancel}
}

// next returns the next event's id, name and data; all are empty at the end.
func (s *stream) next() (id, name, data string) {
	for s.Scan() {
		key, value, _ := strings.Cut(s.Text(), ": ")
		switch key {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			data = value
		case "":
			if name != "" {
				return id, name, data
			}
		}
	}
	return "", "", ""
}

// firstOf is how a stream begins, as a recorder that leaves after the greeting.
func firstOf(t *testing.T, s *web.Server) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/events", nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(&leaver{w, cancel}, r)
	return w
}

// leaver is a client that leaves after the first flush.
type leaver struct {
	*httptest.ResponseRecorder
	cancel context.CancelFunc
}

func (l *leaver) Flush() { l.cancel() }

func step(incidents ...incident.Incident) pipeline.Result {
	return pipeline.Result{
		Requests: 40, Failed: 3,
		Totals:    []pipeline.Total{{Entry: checkout(), Requests: 400, Failed: 30}}, // of all of their bucket
		Incidents: incidents,
	}
}

func TestClientsHearOfStepsAndIncidents(t *testing.T) {
	s := serve(t, web.Config{Records: newEmpty()})
	server := httptest.NewServer(s.Handler())
	defer server.CloseClientConnections()
	events := listen(t, server.URL, "")
	if _, name, _ := events.next(); name != "ready" {
		t.Fatalf("the first event is %q, want ready", name)
	}
	fresh, old, gone := slow(), slow(), slow()
	old.Analyses, gone.State = 9, incident.Resolved
	s.Publish(step(fresh, old, gone))
	for _, want := range []string{"incident.opened", "incident.updated", "incident.resolved", "step"} {
		_, name, data := events.next()
		if name != want {
			t.Errorf("got event %q, want %q", name, want)
		}
		if want == "step" && !strings.Contains(data, `"requests":40,"failed":3`) {
			t.Errorf("step says %s, want 40 requests and 3 failed", data)
		}
		if want != "step" && !strings.Contains(data, `"id":"2026-11-21-3"`) {
			t.Errorf("%s says %s, want the incident's id", want, data)
		}
	}
}

func TestAClientThatComesBackMissesNothing(t *testing.T) {
	s := serve(t, web.Config{Records: newEmpty()})
	server := httptest.NewServer(s.Handler())
	defer server.CloseClientConnections()
	first := listen(t, server.URL, "")
	first.next()
	s.Publish(step())
	id, _, _ := first.next()
	first.cancel()
	for range 3 {
		s.Publish(step())
	}
	again := listen(t, server.URL, id)
	if _, name, _ := again.next(); name != "ready" {
		t.Errorf("coming back begins with %q, want ready", name)
	}
	for k := range 3 {
		if _, name, _ := again.next(); name != "step" {
			t.Errorf("missed event %d is %q, want step", k, name)
		}
	}
}

func TestAClientThatWasAwayTooLongIsToldToReadAnew(t *testing.T) {
	s := serve(t, web.Config{Records: newEmpty()})
	server := httptest.NewServer(s.Handler())
	defer server.CloseClientConnections()
	first := listen(t, server.URL, "")
	id, _, _ := first.next()
	first.cancel()
	for range 300 {
		s.Publish(step())
	}
	for _, last := range []string{id, "otherprocess-3", "nonsense", id + "9999999"} {
		events := listen(t, server.URL, last)
		if _, name, _ := events.next(); name != "reset" {
			t.Errorf("after %q the first event is %q, want reset", last, name)
		}
		s.Publish(step())
		if _, name, _ := events.next(); name != "step" {
			t.Errorf("after the reset comes %q, want the next step", name)
		}
	}
}

// stuck is a client that reads nothing until it is released.
type stuck struct {
	http.ResponseWriter
	mu      sync.Mutex
	release chan struct{}
	text    strings.Builder
}

func (c *stuck) Header() http.Header { return http.Header{} }
func (c *stuck) WriteHeader(int)     {}
func (c *stuck) Flush()              { <-c.release }
func (c *stuck) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func TestASlowClientIsToldAndDroppedAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, web.Config{Records: newEmpty()})
		client := &stuck{release: make(chan struct{})}
		var done sync.WaitGroup
		done.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/events", nil)
			r.Host = "localhost"
			s.Handler().ServeHTTP(client, r)
		})
		synctest.Wait() // it waits in its first flush
		for range 300 { // would wait for ever if Publish did
			s.Publish(step())
		}
		close(client.release)
		done.Wait() // the stream ends by itself
		text := client.text.String()
		if !strings.HasSuffix(text, "event: reset\ndata: {}\n\n") {
			t.Errorf("the slow client was last told %q, want a reset", text[max(0, len(text)-80):])
		}
	})
}

func TestASilentStreamGetsASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, web.Config{Records: newEmpty()})
		client := &stuck{release: make(chan struct{})}
		close(client.release)
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/events", nil)
			r.Host = "localhost"
			s.Handler().ServeHTTP(client, r)
		})
		<-time.After(46 * time.Second)
		cancel()
		done.Wait()
		if got := strings.Count(client.text.String(), ": still here"); got != 3 {
			t.Errorf("46 s of silence had %d signs of life, want 3", got)
		}
	})
}

func TestCloseEndsStreams(t *testing.T) {
	s := serve(t, web.Config{Records: newEmpty()})
	server := httptest.NewServer(s.Handler())
	events := listen(t, server.URL, "")
	events.next()
	s.Close()
	if _, name, _ := events.next(); name != "" {
		t.Errorf("after Close comes %q, want the end", name)
	}
	server.Close() // waits for requests: it would hang on an open stream
}

func TestStreamsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, web.Config{Records: newEmpty()})
		var done sync.WaitGroup
		for range 256 {
			client := &stuck{release: make(chan struct{})}
			close(client.release)
			done.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/events", nil)
				r.Host = "localhost"
				s.Handler().ServeHTTP(client, r)
			})
		}
		synctest.Wait()
		w := ask(t, s.Handler(), "GET", "/api/v1/events", nil)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("stream 257 got %d, Retry-After %q, want 503 and a time", w.Code, w.Header().Get("Retry-After"))
		}
		s.Close()
		done.Wait()
	})
}
