package demo

// These tests stand inside: how long the reporter tries is not for users of
// the package, and a shop would take six seconds to show it.

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/internal/telemetry"
)

// answers is an endpoint that gives its statuses one after the other, then
// accepts everything.
type answers struct {
	mu       sync.Mutex
	statuses []int
	accepted []string
	all      chan struct{} // closed when the change "last" is accepted
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.statuses) > 0 {
		w.WriteHeader(a.statuses[0])
		a.statuses = a.statuses[1:]
		return
	}
	for _, name := range []string{"first", "second", "last"} {
		if strings.Contains(string(body), `"entity":"`+name+`"`) {
			a.accepted = append(a.accepted, name)
		}
	}
	if slices.Contains(a.accepted, "last") {
		close(a.all)
	}
}

func TestReporterTriesAgainWhatMayBeAcceptedLater(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		accepted []string
		lost     uint64
	}{
		"accepted":   {nil, []string{"first", "second", "last"}, 0},
		"overloaded": {[]int{503, 429}, []string{"first", "second", "last"}, 0},
		"refused":    {[]int{400}, []string{"second", "last"}, 1},
		"forbidden":  {[]int{202, 403}, []string{"last"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := &answers{statuses: c.statuses, all: make(chan struct{})}
			server := httptest.NewServer(endpoint)
			defer server.Close()
			p := newReporter(server.URL, slog.New(slog.DiscardHandler), func(string, ...any) {})
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { p.run(ctx) })
			for _, entity := range []string{"first", "second", "last"} {
				p.report(telemetry.Change{Time: time.Now(), Kind: telemetry.ChangeConfig, Entity: entity, Dimension: "d", Value: "v"})
			}
			<-endpoint.all
			stop()
			running.Wait()
			if !slices.Equal(endpoint.accepted, c.accepted) || p.lost.Load() != c.lost {
				t.Errorf("accepted %v and lost %d, want %v and %d", endpoint.accepted, p.lost.Load(), c.accepted, c.lost)
			}
		})
	}
}

func TestReporterGivesUpWhatIsTooMuch(t *testing.T) {
	var said []string
	p := newReporter("http://127.0.0.1:9", slog.New(slog.DiscardHandler), func(format string, args ...any) {
		said = append(said, fmt.Sprintf(format, args...))
	})
	for range changesWaiting + 3 {
		p.upgraded(time.Now(), "cart", "2.0.0")
	}
	if p.lost.Load() != 3 || len(said) != 3 {
		t.Errorf("lost %d and told of %d, want 3 of %d", p.lost.Load(), len(said), changesWaiting+3)
	}
}
