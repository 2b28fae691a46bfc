package phase_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"pgregory.net/rapid"

	"example.test/eddy/phase"
)

func newRequest(*http.Request) string { return "new_request" }

func TestAServerSaysItsPhaseAndRefusesByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		served := 0
		h := p.HTTP(newRequest, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
		for i, tt := range []struct {
			to         phase.Name
			status     int
			connection string
			actual     string
		}{
			{"", 200, "", "p=ACTIVE;e=1"},
			{"DRAIN", 200, "close", "p=DRAIN;e=2"},
			{"SHUTDOWN", 503, "close", "p=SHUTDOWN;e=3"},
		} {
			if tt.to != "" {
				to(t, p, tt.to)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
			if w.Code != tt.status || w.Header().Get("Connection") != tt.connection || w.Header().Get(phase.HeaderActual) != tt.actual {
				t.Errorf("request %d: %d, %v, want %d, connection %q, actual %s", i, w.Code, w.Header(), tt.status, tt.connection, tt.actual)
			}
		}
		if served != 2 {
			t.Errorf("the handler ran %d times, want not for the request that was refused", served)
		}
	})
}

func TestBothSpansSayWhatWasBelievedAndWhatWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		w := watch(t, f.client(t, "router"))
		spans := tracetest.NewSpanRecorder()
		tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
		server := p.HTTP(newRequest, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		traced := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			ctx, span := tracer.Start(r.Context(), "server")
			defer span.End()
			server.ServeHTTP(rw, r.WithContext(ctx))
		})
		<-time.After(100 * time.Millisecond)
		ctx, span := tracer.Start(t.Context(), "client")
		client := &http.Client{Transport: w.Transport(&direct{handler: traced}, "new_request", func(*http.Request) string { return pod.Key })}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cart.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		span.End()
		synctest.Wait()
		got := map[string]map[string]string{}
		for _, s := range spans.Ended() {
			got[s.Name()] = map[string]string{}
			for _, a := range s.Attributes() {
				got[s.Name()][strings.TrimPrefix(string(a.Key), "eddy.phase.")] = a.Value.String()
			}
		}
		want := map[string]map[string]string{
			"server": {
				"contract": "drain@1", "subject": "cart/1", "action": "new_request", "role": "router", "verdict": "ok",
				"actual.name": "ACTIVE", "actual.epoch": "1", "actual.since_ms": "100",
				"believed.name": "ACTIVE", "believed.epoch": "1", "believed.age_ms": "100", "believed.source": "header",
			},
			"client": {
				"contract": "drain@1", "subject": "cart/1", "action": "new_request", "role": "router", "panic": "false",
				"believed.name": "ACTIVE", "believed.epoch": "1", "believed.age_ms": "100", "believed.source": "channel",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
	})
}

func TestARequestThatMayNotBeSentIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		w := watch(t, f.client(t, "router"))
		to(t, p, "DRAIN")
		<-time.After(time.Second)
		client := &http.Client{Transport: w.Transport(&direct{handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Error("it was sent")
		})}, "new_request", func(*http.Request) string { return pod.Key })}
		if _, err := client.Post("http://cart.test/", "text/plain", strings.NewReader("x")); !errors.Is(err, phase.ErrRefused) {
			t.Errorf("Post = %v, want ErrRefused", err)
		}
	})
}

func TestEventsTellTheWayOfAPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		events := &recorder{}
		provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(events))
		p := active(t, f.clientWith(t, phase.Config{Identity: "pod", LoggerProvider: provider}))
		far := newWire(f)
		w, err := far.clientWith(t, phase.Config{Identity: "router", LoggerProvider: provider}).Watch(t.Context(), "drain", "cart/*", "router")
		if err != nil {
			t.Fatal(err)
		}
		far.lose(func(*http.Request) bool { return true })
		<-time.After(2 * time.Second)
		if v := w.Get(pod.Key); v.Known {
			t.Errorf("%s, want it to be unknown", v)
		}
		if got := strings.Join(events.names, " "); got != "eddy.phase.enforced eddy.phase.observed eddy.phase.expired" {
			t.Errorf("events %s", got)
		}
		to(t, p, "DRAIN")
	})
}

// What a header says is what was put in, whatever that was.
func TestABeliefIsReadAsItWasWritten(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-z0-9_@.-]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		b := phase.Belief{
			Contract: word.Draw(t, "contract"), Subject: word.Draw(t, "subject"), Phase: phase.Name(word.Draw(t, "phase")),
			Epoch: phase.Epoch(rapid.Uint64().Draw(t, "epoch")), Age: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "age")) * time.Millisecond,
			Role: word.Draw(t, "role"), Action: word.Draw(t, "action"),
		}
		got, err := phase.ParseBelief(b.String())
		if err != nil || got != b {
			t.Fatalf("%q reads as %+v, %v, want %+v", b, got, err, b)
		}
	})
}

func FuzzParseBelief(f *testing.F) {
	f.Add("v=1;c=rolling-drain@1;s=9f3c1a77d02be415;p=ACTIVE;e=17;a=340;r=router;x=new_request")
	f.Add("v=1;c=c;s=s;p=?;e=0;a=0;r=r;x=x")
	f.Fuzz(func(t *testing.T, value string) {
		b, err := phase.ParseBelief(value)
		if err != nil {
			return
		}
		if again, err := phase.ParseBelief(b.String()); err != nil || again != b {
			t.Errorf("%q reads as %+v, and written and read again as %+v, %v", value, b, again, err)
		}
	})
}
