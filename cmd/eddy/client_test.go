package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
)

// These tests stand inside the package because they call commands without a
// process of their own, beside a server in this one.

// startServer runs a server that answers fast, and returns its addresses.
func startServer(t *testing.T) (url, otlp string) {
	t.Helper()
	url, otlp, stop := startServerAt(t, t.TempDir())
	t.Cleanup(stop)
	return url, otlp
}

// startServerAt runs one over a data directory until stop, which waits for its
// end.
func startServerAt(t *testing.T, data string) (url, otlp string, stop func()) {
	t.Helper()
	o := app.Options{
		Data: data, Web: "127.0.0.1:0", Step: 300 * time.Millisecond,
		Analysis: pipeline.Config{Request: request.Config{Quiet: 300 * time.Millisecond}},
	}
	o.Ingest.GRPC, o.Ingest.HTTP = "off", "127.0.0.1:0"
	server, err := app.New(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	_, address := server.OTLP()
	return server.URL(), "http://" + address, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
}

// sendFailures sends requests of the last minute, of which those that meet
// version 2 of the shop fail.
func sendFailures(t *testing.T, otlp string) {
	t.Helper()
	var resources []string
	for v := 1; v <= 2; v++ {
		var spans []string
		for i := range 150 {
			var id [8]byte
			binary.BigEndian.PutUint64(id[:], uint64(v*1000+i))
			at := time.Now().Add(-time.Duration(i) * 400 * time.Millisecond).UnixNano()
			status := 200
			if v == 2 && i%2 == 0 {
				status = 503
			}
			spans = append(spans, fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","name":"GET /","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d",
				"attributes":[{"key":"http.response.status_code","value":{"intValue":"%d"}}]}`, id, id, at, at+5e6, status))
		}
		resources = append(resources, fmt.Sprintf(`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},
			{"key":"service.version","value":{"stringValue":"%d.0.0"}}]},"scopeSpans":[{"spans":[%s]}]}`, v, strings.Join(spans, ",")))
	}
	response, err := http.Post(otlp+"/v1/traces", "application/json", strings.NewReader(`{"resourceSpans":[`+strings.Join(resources, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("POST /v1/traces answered %s", response.Status)
	}
}

// eddy runs a command line and returns what it printed and its exit status.
func eddy(t *testing.T, args ...string) (out, errs string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = execute(t.Context(), args, stdio{strings.NewReader(""), &o, &e})
	return o.String(), e.String(), status
}

// explained waits for an incident that has a finding, and lists all.
func explained(t *testing.T, url string) []incident.Incident {
	t.Helper()
	var list []incident.Incident
	deadline, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(list) == 0 || list[0].Finding == nil {
		select {
		case <-deadline.Done():
			t.Fatal("no incident was explained within 20 s")
		case <-tick.C:
		}
		out, errs, status := eddy(t, "incidents", "--server", url, "--json")
		if status != 0 {
			t.Fatalf("incidents --json: %s, status %d", errs, status)
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("incidents --json printed %q: %v", out, err)
		}
	}
	return list
}

func TestIncidentsAndShowPrintWhatTheServerFound(t *testing.T) {
	url, otlp := startServer(t)
	out, errs, status := eddy(t, "incidents", "--server", url)
	if status != 0 || out != "No open incidents.\n" {
		t.Fatalf("on a server without traffic, incidents printed %q, %q, status %d", out, errs, status)
	}
	sendFailures(t, otlp)
	list := explained(t, url)
	k := list[0]
	out, _, status = eddy(t, "incidents", "--server", url)
	if status != 0 || !strings.Contains(out, string(k.ID)) || !strings.Contains(out, "open") || !strings.Contains(out, "shop 2.0.0") {
		t.Errorf("incidents printed %q, want the id, the state and the sentence", out)
	}
	out, _, status = eddy(t, "show", string(k.ID), "--server", url)
	for _, want := range []string{k.Title, "single cause", "Timeline", "first failure", "What is missing", "requests failed share", "% of the failures,"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("show lacks %q; it printed\n%s", want, out)
		}
	}
	if status != 0 {
		t.Errorf("show: status %d", status)
	}
	out, _, _ = eddy(t, "show", string(k.ID), "--server", url, "--json")
	var shown incident.Incident
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.ID != k.ID {
		t.Errorf("show --json printed %q (%v), want incident %s", out, err, k.ID)
	}
}

func TestClientErrorsSayWhereAndWhatToDo(t *testing.T) {
	url, _ := startServer(t)
	for _, x := range []struct {
		name string
		args []string
		want []string
	}{
		{"no_such_incident", []string{"show", "2020-01-01-9", "--server", url}, []string{"404", "2020-01-01-9"}},
		{"nobody_listens", []string{"incidents", "--server", "http://127.0.0.1:1"}, []string{"127.0.0.1:1", "eddy serve"}},
		{"no_address", []string{"incidents", "--server", "nonsense"}, []string{"nonsense"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, errs, status := eddy(t, x.args...)
			if status != 2 {
				t.Errorf("status %d, want 2", status)
			}
			for _, want := range x.want {
				if !strings.Contains(errs, want) {
					t.Errorf("error %q lacks %q", errs, want)
				}
			}
		})
	}
}
