package sim_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/telemetry"
)

const feederToken = "feeder-0123456789abc"

// receiver is Eddy's own, which wants a token.
func receiver(t *testing.T) *ingest.Server {
	t.Helper()
	tokens, err := access.New([]access.Token{{Name: "feeder", Role: access.Ingest, Token: feederToken}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ingest.New(ingest.Config{GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Journal: ingest.JournalConfig{Dir: t.TempDir()}}, ingest.Options{Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// stored shuts a receiver down and returns all that it took.
func stored(t *testing.T, s *ingest.Server) telemetry.Batch {
	t.Helper()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all telemetry.Batch
	for {
		r, err := s.Receive(t.Context())
		if errors.Is(err, ingest.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all.Spans = append(all.Spans, r.Spans...)
		all.Logs = append(all.Logs, r.Logs...)
		all.Changes = append(all.Changes, r.Changes...)
		all.Points = append(all.Points, r.Points...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// send runs the shop for five seconds into a server.
func send(t *testing.T, address, token string) (*sim.Result, error) {
	t.Helper()
	sink, err := sim.OpenServerSink(t.Context(), address, token)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	}()
	m := shop()
	m.Horizon = 11 * time.Second
	s, err := sim.New(m, 1, sim.Settings{Sink: sink, On: map[string]bool{"flag": true}})
	if err != nil {
		t.Fatal(err)
	}
	return s.Run(t.Context())
}

func TestAServerTakesTheSameOverGRPCAndHTTP(t *testing.T) {
	for _, scheme := range []string{"grpc", "http"} {
		t.Run(scheme, func(t *testing.T) {
			server := receiver(t)
			address := scheme + "://" + map[string]string{"grpc": server.GRPCAddr(), "http": server.HTTPAddr()}[scheme]
			if _, err := send(t, address, "wrong-0123456789abcd"); err == nil {
				t.Error("a wrong token is no error")
			}
			r, err := send(t, address, feederToken)
			if err != nil {
				t.Fatal(err)
			}
			all := stored(t, server)
			if len(all.Spans) != r.Telemetry.Spans || len(all.Changes) == 0 || len(all.Points) == 0 {
				t.Errorf("the server has %d of %d spans, %d changes and %d points", len(all.Spans), r.Telemetry.Spans, len(all.Changes), len(all.Points))
			}
		})
	}
}

func TestAServerThatIsFullIsAskedAgainAndOtherErrorsEndTheRun(t *testing.T) {
	asked, full := 0, 2
	answer := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if asked <= full {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(answer)
		_, _ = w.Write([]byte("no room for this"))
	}))
	defer server.Close()
	r, err := send(t, server.URL, "")
	if err != nil || asked != r.Telemetry.Requests+full {
		t.Errorf("%d requests for %d, and error %v", asked, r.Telemetry.Requests, err)
	}
	answer, asked, full = http.StatusBadRequest, 0, 0
	if _, err := send(t, server.URL, ""); err == nil || !strings.Contains(err.Error(), "/v1/") || !strings.Contains(err.Error(), "400 Bad Request: no room for this") {
		t.Errorf("a server that answers 400 gives error %v, want one that says so", err)
	}
	if asked != 1 {
		t.Errorf("it was asked %d times, want once", asked)
	}
}

func TestAnAddressThatIsNoneIsRefusedWithOneThatIs(t *testing.T) {
	for _, address := range []string{"127.0.0.1:4317", "", "ftp://127.0.0.1", "http://"} {
		if _, err := sim.OpenServerSink(t.Context(), address, ""); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%q gives %v", address, err)
		}
	}
}
