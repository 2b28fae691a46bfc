package kubernetes_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/telemetry"
)

// wait is how long a test waits for what has to come. It is long, since machines are
// busy, and passing tests do not use it up.
const wait = 20 * time.Second

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wait); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", wait, what)
		}
	}
}

// A watch is a watcher that runs, and what it has reported.
type watch struct {
	changes chan *telemetry.Change
	log     *lines
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// begin watches a cluster until the test ends, and returns when it is watched.
func begin(t *testing.T, c *cluster, config kubernetes.Config) *watch {
	t.Helper()
	w := &watch{changes: make(chan *telemetry.Change, 10_000), log: &lines{}}
	config.Kubeconfig = c.kubeconfig(t)
	config.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if config.Report == nil {
		config.Report = func(change *telemetry.Change) error { w.changes <- change; return nil }
	}
	watcher, err := kubernetes.New(config)
	if err != nil {
		t.Fatal(err)
	}
	run(t, watcher)
	eventually(t, "kubernetes is watched", func() bool { return strings.Contains(w.log.String(), "kubernetes is watched") })
	return w
}

// run runs a watcher until the test ends, or until what it returns is called.
func run(t testing.TB, w *kubernetes.Watcher) (end func()) {
	t.Helper()
	ctx, stop := contextOf(t)
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	end = func() { stop(); running.Wait() }
	t.Cleanup(end)
	return end
}

// expect waits for the next changes, in any order, each as "entity/instance dimension=value".
func (w *watch) expect(t *testing.T, want ...string) []*telemetry.Change {
	t.Helper()
	var got []string
	var all []*telemetry.Change
	for range want {
		select {
		case c := <-w.changes:
			got, all = append(got, text(c)), append(all, c)
		case <-time.After(wait):
			t.Fatalf("after %s: %q, want %q; log:\n%s", wait, got, want, w.log)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("reported\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return all
}

func text(c *telemetry.Change) string {
	name := c.Entity
	if c.Instance != "" {
		name += "/" + c.Instance
	}
	if c.Ends {
		return fmt.Sprintf("%s %s: %s ends", c.Kind, name, c.Dimension)
	}
	return fmt.Sprintf("%s %s: %s=%s", c.Kind, name, c.Dimension, c.Value)
}
