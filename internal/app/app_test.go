package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/telemetry"
)

// run starts a server in this process and returns it and what stops it.
func run(t *testing.T, o app.Options) (*app.App, func()) {
	t.Helper()
	server, err := app.New(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server stopped with %v, want nil", err)
		}
	}
	t.Cleanup(stop)
	return server, stop
}

// post sends the recorded lines to the server, one request each.
func post(t *testing.T, server *app.App, lines []byte) {
	t.Helper()
	_, address := server.OTLP()
	for line := range bytes.Lines(lines) {
		response, err := http.Post("http://"+address+"/v1/traces", "application/json", bytes.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("POST /v1/traces answered %s: %s", response.Status, body)
		}
	}
}

// get asks the server for a page.
func get(t *testing.T, server *app.App, path string) (int, string) {
	t.Helper()
	response, err := http.Get(server.URL() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// await asks the store for incidents until ok holds for one.
func await(t *testing.T, server *app.App, ok func(incident.Incident) bool) incident.Incident {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := server.Records().Incidents(ctx, telemetry.Window{})
		if err != nil {
			t.Fatalf("no such incident: %v", err)
		}
		for _, k := range all {
			if ok(k) {
				return k
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no such incident within 30 s; there are %q", titles(all))
		case <-tick.C:
		}
	}
}

// trouble is a recording of three minutes up to now, in which three conditions
// do harm together.
func trouble(t *testing.T, seed uint64) []byte {
	t.Helper()
	var lines bytes.Buffer
	rec := &recording{r: rand.New(rand.NewPCG(seed, 1)), w: &lines}
	rec.minutes(t, time.Now().Add(-3*time.Minute), 3, true)
	return lines.Bytes()
}

func TestTelemetryInTheConjunctionNamedAndStillThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	server, stop := run(t, options(dir))
	old := time.Now().AddDate(0, 0, -14).Format(time.RFC3339)
	for _, x := range []string{"0 1.9.0", "1 2.0.0"} {
		instance, version, _ := strings.Cut(x, " ")
		body := fmt.Sprintf(`{"kind":"deploy","time":%q,"entity":"cart","instance":"cart-%s","dimension":"service.version","value":%q}`, old, instance, version)
		response, err := http.Post(server.URL()+"/api/v1/changes", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode/100 != 2 {
			t.Fatalf("POST /api/v1/changes answered %s", response.Status)
		}
	}
	post(t, server, trouble(t, 1))
	three := func(k incident.Incident) bool { return k.Finding != nil && len(k.Finding.Conditions) == 3 }
	k := await(t, server, three)
	for _, want := range []string{"cart 1.9.0", "pricing 2.0.0", "flag bulk-quote=on"} {
		if !strings.Contains(k.Title, want) {
			t.Errorf("the sentence lacks %q: %s", want, k.Title)
		}
	}
	if status, page := get(t, server, "/incidents/"+string(k.ID)); status != http.StatusOK || !strings.Contains(page, "bulk-quote") {
		t.Errorf("the page of the incident answered %d and says bulk-quote: %t", status, strings.Contains(page, "bulk-quote"))
	}
	if status, text := get(t, server, "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz answered %d: %s", status, text)
	}
	// The incident may open before the last of them are.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		if _, text := get(t, server, "/metrics"); strings.Contains(text, "eddy_request_requests_total 1800") {
			break
		}
		if time.Now().After(deadline) {
			t.Error("/metrics does not say that 1800 requests were completed")
			break
		}
	}
	var answer struct{ Incidents []incident.Incident }
	if _, text := get(t, server, "/api/v1/incidents"); json.Unmarshal([]byte(text), &answer) != nil || len(answer.Incidents) != 1 {
		t.Errorf("/api/v1/incidents answered %s, want one incident", text)
	}

	stop()
	server, _ = run(t, options(dir))
	again := await(t, server, func(i incident.Incident) bool { return i.ID == k.ID })
	if again.Finding == nil || again.Failures < k.Failures {
		t.Errorf("after the restart the incident has %d failures, want at least the %d of before", again.Failures, k.Failures)
	}
	post(t, server, trouble(t, 2))
	more := await(t, server, func(i incident.Incident) bool { return i.Failures > again.Failures })
	if more.ID != k.ID {
		t.Errorf("the same cause after a restart is incident %s, want %s", more.ID, k.ID)
	}
}

func TestTwoServersInOneProcessDoNotMeet(t *testing.T) {
	a, _ := run(t, options(t.TempDir()))
	b, _ := run(t, options(t.TempDir()))
	post(t, a, trouble(t, 3))
	await(t, a, func(k incident.Incident) bool { return k.Finding != nil })
	all, err := b.Records().Incidents(t.Context(), telemetry.Window{})
	if err != nil || len(all) > 0 {
		t.Errorf("the other server has %d incidents (%v), want none", len(all), err)
	}
}

func TestAServerRefusesToListenElsewhereUnprotected(t *testing.T) {
	for name, set := range map[string]func(*app.Options){
		"pages": func(o *app.Options) { o.Web = "0.0.0.0:0" },
		"grpc":  func(o *app.Options) { o.Ingest.GRPC = ":0" },
		"http":  func(o *app.Options) { o.Ingest.HTTP = "[::]:0" },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t.TempDir())
			set(&o)
			if _, err := app.New(t.Context(), o, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "insecure") {
				t.Errorf("error is %v, want a refusal that names the way around it", err)
			}
			o.InsecureListen = true
			run(t, o)
		})
	}
}
