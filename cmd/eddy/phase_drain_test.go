package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// putPodInUse puts the contract for pods in use, with the key, and with the times
// of a proxy that is quick.
func putPodInUse(t *testing.T, server, key string) {
	t.Helper()
	signers, err := readKeys([]string{key})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../examples/kubernetes/pod-drain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	public, ok := signers[0].Key.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("the key has no public half")
	}
	file := filepath.Join(t.TempDir(), "pod-drain.yaml")
	filled := strings.NewReplacer(
		"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", base64.StdEncoding.EncodeToString(public),
		"checkout-2026a", "test", "assumedBound: 5s", "assumedBound: 100ms", "minDwell: 5s", "minDwell: 500ms",
	).Replace(string(text))
	if err := os.WriteFile(file, []byte(filled), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, text := runDrain(t, "use", file, "--server", server); status != 0 {
		t.Fatalf("eddy phase use: status %d\n%s", status, text)
	}
}

func runDrain(t *testing.T, args ...string) (status int, text string) {
	t.Helper()
	var out, errs strings.Builder
	status = execute(t.Context(), append([]string{"phase"}, args...), stdio{strings.NewReader(""), &out, &errs})
	return status, out.String() + errs.String()
}

func TestAPodIsDrainedByItsHook(t *testing.T) {
	server, _, key := startMediator(t)
	putPodInUse(t, server, key)
	var asked atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, max(3-asked.Add(1), 0)) // 2 are in flight, then 1, then none
	}))
	defer app.Close()
	// As in the container's env: Kubernetes expands nothing in a hook's command.
	t.Setenv("EDDY_SERVER", server)
	t.Setenv("EDDY_CONTRACT", "pod-drain")
	t.Setenv("EDDY_SUBJECT", "shop/checkout/checkout-7f")
	t.Setenv("EDDY_KEY", key)
	status, text := runDrain(t, "drain", "--wait", "25s", "--fallback", "10s", "--inflight", app.URL)
	if status != 0 || !strings.Contains(text, "shop/checkout/checkout-7f SHUTDOWN at epoch 2 after") {
		t.Fatalf("status %d, want 0 and that it is in SHUTDOWN:\n%s", status, text)
	}
	if n := asked.Load(); n < 3 {
		t.Errorf("it asked %d times what is in flight, and has stopped before that was 0", n)
	}
	if status, text := runDrain(t, "status", "pod-drain"); status != 0 || !strings.Contains(text, "SHUTDOWN  epoch 2  in force") {
		t.Errorf("status %d\n%s", status, text)
	}
	// A hook may be called again, by a kubelet that was restarted.
	if status, text := runDrain(t, "drain"); status != 0 {
		t.Errorf("drained again: status %d\n%s", status, text)
	}
	if status, text := runDrain(t, "drain", "--inflight", app.URL, "--json"); status != 0 || !strings.Contains(text, `"SHUTDOWN"`) {
		t.Errorf("drained again with what is in flight: status %d\n%s", status, text)
	}
}

func TestAHookThatCannotDrainTakesItsTime(t *testing.T) {
	server, _, key := startMediator(t)
	putPodInUse(t, server, key)
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "many") }))
	defer busy.Close()
	other := strings.Replace(key, "test=", "nobodys=", 1)
	const fallback = 400 * time.Millisecond
	for name, c := range map[string]struct {
		server, contract, key, inflight string
		says                            string
	}{
		"no mediator answers":      {nobody.URL, "pod-drain", key, "", "connection refused"},
		"there is no such rule":    {server, "none", key, "", `there is no contract "none"`},
		"the key may not":          {server, "pod-drain", other, "", "nobodys"},
		"nobody counts":            {server, "pod-drain", key, busy.URL, `answered 200 OK and "many\n": want 200 and a number`},
		"there is no key":          {server, "pod-drain", "test=/none.pem", "", "--key test: open /none.pem"},
		"there is time for little": {server, "pod-drain", key, "", "what it was given"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			args := []string{"drain", c.contract, "shop/checkout/" + strings.ReplaceAll(name, " ", "-"), "--server", c.server, "--key", c.key, "--wait", "2500ms", "--fallback", fallback.String()}
			if c.inflight != "" {
				args = append(args, "--inflight", c.inflight)
			}
			status, text := runDrain(t, args...)
			if status != 1 || !strings.Contains(text, c.says) || !strings.Contains(text, "requests may still come") {
				t.Errorf("status %d, want 1 and %q:\n%s", status, c.says, text)
			}
			if took := time.Since(began); took < fallback {
				t.Errorf("it returned after %s, and the process ends then; want %s", took, fallback)
			}
		})
	}
	if status, text := runDrain(t, "drain", "pod-drain", "x", "--key", key, "--wait", "5s", "--fallback", "5s"); status != 2 || !strings.Contains(text, "want less than --wait") {
		t.Errorf("status %d\n%s", status, text)
	}
}
