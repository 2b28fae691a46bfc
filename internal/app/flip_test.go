package app_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"example.test/eddy/attr"
	"example.test/eddy/internal/app"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/phase"
	"example.test/eddy/phase/fence"
	"example.test/eddy/phase/wire"
)

// telemetrySDK sends what one service tells, over OTLP, as OpenTelemetry's SDK does.
type telemetrySDK struct {
	traces *sdktrace.TracerProvider
	meters *metric.MeterProvider
	logs   *sdklog.LoggerProvider
}

func newTelemetrySDK(t *testing.T, server *app.App, service, instance string) *telemetrySDK {
	t.Helper()
	address, _ := server.OTLP()
	ctx := t.Context()
	r := resource.NewSchemaless(attribute.String(attr.ServiceName, service), attribute.String(attr.ServiceInstanceID, instance))
	spans, err1 := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure())
	points, err2 := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(address), otlpmetricgrpc.WithInsecure())
	logs, err3 := otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(address), otlploggrpc.WithInsecure())
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &telemetrySDK{
		traces: sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(r)),
		meters: metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(points, metric.WithInterval(time.Hour))), metric.WithResource(r)),
		logs:   sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)), sdklog.WithResource(r)),
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_, _, _ = s.traces.Shutdown(ctx), s.meters.Shutdown(ctx), s.logs.Shutdown(ctx) // the server may be gone
	})
	return s
}

// flush sends all.
func (s *telemetrySDK) flush(t *testing.T) {
	t.Helper()
	for _, flush := range []func(context.Context) error{s.traces.ForceFlush, s.meters.ForceFlush, s.logs.ForceFlush} {
		if err := flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// phaseReport asks a server for what it knows of phases.
func phaseReport(t *testing.T, server *app.App) conformance.Report {
	t.Helper()
	response, err := http.Get(server.URL() + "/api/v1/phase/report?window=5m&detail=true")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var r conformance.Report
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// flipServer is a server with a mediator, and a key that may announce.
func flipServer(t *testing.T) (*app.App, []phase.Signer) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t.TempDir())
	o.Phases.Contracts = t.TempDir()
	text := strings.Replace(podContract, "KEY", base64.StdEncoding.EncodeToString(public), 1)
	if err := os.WriteFile(filepath.Join(o.Phases.Contracts, "pods.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server, _ := run(t, o)
	return server, []phase.Signer{{KeyID: "test", Key: private}}
}

// A real server with package phase drains, behind a router that watches it and one
// that holds on to what it believed. All that Eddy knows of it comes over OTLP and
// from its mediator.
func TestARouterThatHoldsOnToItsBeliefIsFoundAndOneThatWatchesIsNot(t *testing.T) {
	server, signers := flipServer(t)
	sdk := newTelemetrySDK(t, server, "cart", "7f")
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	dial := func(identity string) *phase.Client {
		client, err := phase.Dial(phase.Config{URLs: []string{server.URL()}, Identity: identity, Signers: signers, MeterProvider: sdk.meters, LoggerProvider: sdk.logs})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	pod, router := dial("pod"), dial("gw-1")
	var p *phase.Producer
	var err error
	for { // the contract is in use in a moment
		if p, err = pod.Producer(ctx, phase.Subject{Contract: "pods", Key: "cart/7f"}); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
	watch, err := router.Watch(ctx, "pods", "cart/*", "router")
	if err != nil {
		t.Fatal(err)
	}
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	web := httptest.NewServer(otelhttp.NewHandler(p.HTTP(nil, ok), "GET /", otelhttp.WithTracerProvider(sdk.traces), otelhttp.WithPropagators(propagation.TraceContext{})))
	defer web.Close()
	watching := &http.Client{Transport: watch.Transport(nil, "new_request", func(*http.Request) string { return "cart/7f" })}
	if _, err := p.To(ctx, "DRAIN"); err != nil { // the first announcement
		t.Fatal(err)
	}
	for _, to := range []phase.Name{"", "SHUTDOWN"} {
		if to != "" {
			if _, err := p.To(ctx, to); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 { // it sends nothing where the phase gives no leave
			if response, err := watching.Get(web.URL); err == nil {
				response.Body.Close()
			}
		}
	}
	sdk.flush(t)
	if r := phaseReport(t, server); len(r.Findings) > 0 {
		t.Errorf("with a router that watches, found %+v", r.Findings)
	}
	stale := phase.Belief{Contract: "pods@1", Subject: wire.Hash("cart/7f"), Phase: "ACTIVE", Role: "router", Action: "new_request"}
	for range 5 {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(phase.HeaderBelief, stale.String())
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("a server that is shut down answers %d, want 503", response.StatusCode)
		}
	}
	sdk.flush(t)
	var r conformance.Report
	for {
		if r = phaseReport(t, server); len(r.Findings) > 0 && len(r.Findings[0].Traces) > 0 || ctx.Err() != nil {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if len(r.Findings) != 1 || r.Findings[0].Code != conformance.DrainMisrouting || r.Findings[0].Subject != "cart/7f" || r.Findings[0].Origin != conformance.Announced {
		t.Fatalf("found %+v, want F1 of cart/7f", r.Findings)
	}
	if i := r.Indicators[0]; i.M1.Part != 5 || i.M2.Part < 5 || i.M5.N == 0 {
		t.Errorf("indicators are %+v, want five interactions that did not fit, and a time of change", i)
	}
	if !slices.ContainsFunc(r.Detail.Timelines, func(l conformance.Timeline) bool { return l.Subject == "cart/7f" && len(l.Spans) == 2 }) {
		t.Errorf("timelines are %+v, want two epochs of cart/7f", r.Detail.Timelines)
	}
}

// A store that does not ask for tokens in order takes writes of two leaders.
func TestTwoLeadersThatWriteAtOnceAreFoundWithEveryWrite(t *testing.T) {
	server, _ := flipServer(t)
	sdk := newTelemetrySDK(t, server, "ledger", "1")
	tracer := sdk.traces.Tracer("test")
	write := func(guard fence.Guard, token fence.Token) {
		ctx, span := tracer.Start(t.Context(), "write", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		_ = guard.Do(ctx, "shop/ledger", token, func(context.Context) error { return nil })
	}
	var guard, forgetful fence.Memory // the second one is a replica that has not met the new token
	write(&guard, 7)
	write(&guard, 9)
	write(&guard, 7) // refused
	write(&forgetful, 7)
	write(&guard, 9)
	sdk.flush(t)
	deadline := time.Now().Add(20 * time.Second)
	var r conformance.Report
	for time.Now().Before(deadline) {
		if r = phaseReport(t, server); len(r.Findings) > 0 && r.Detail != nil && len(r.Detail.Overlaps) > 0 {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if len(r.Findings) != 1 || r.Findings[0].Code != conformance.LeaderOverlap || r.Findings[0].Severity != conformance.High || r.Findings[0].Subject != "shop/ledger" {
		t.Fatalf("found %+v, want F2 of shop/ledger", r.Findings)
	}
	var verdicts []string
	for _, w := range r.Detail.Overlaps[0].Writes {
		verdicts = append(verdicts, w.Verdict)
	}
	if want := []string{attr.FenceAccepted, attr.FenceStale, attr.FenceAccepted}; !slices.Equal(verdicts, want) {
		t.Errorf("the writes of the overlap are %q, want %q", verdicts, want)
	}
}

// What a month of budget is made of must not depend on how often the server is
// started anew; and a file that is damaged is no reason not to start.
func TestTheBudgetOfPhasesOutlivesTheServer(t *testing.T) {
	o := options(t.TempDir())
	server, stop := run(t, o)
	sdk := newTelemetrySDK(t, server, "cart", "7f")
	for range 3 {
		_, span := sdk.traces.Tracer("test").Start(t.Context(), "GET /", trace.WithSpanKind(trace.SpanKindServer))
		span.End()
	}
	sdk.flush(t)
	waitRequests(t, server, 3)
	stop()
	server, stop = run(t, o)
	if got := phaseReport(t, server).M9; got.Requests != 3 || !got.Known {
		t.Errorf("after a restart M9 is %+v, want three requests", got)
	}
	stop()
	if err := os.WriteFile(filepath.Join(o.Data, "phases.json.gz"), []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, _ = run(t, o)
	if got := phaseReport(t, server).M9; got.Requests != 0 {
		t.Errorf("from a damaged file M9 is %+v", got)
	}
	if _, err := os.Stat(filepath.Join(o.Data, "phases.json.gz.damaged")); err != nil {
		t.Errorf("the damaged file was not kept: %v", err)
	}
}

// waitRequests waits until a number of requests was counted.
func waitRequests(t *testing.T, server *app.App, n float64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); phaseReport(t, server).M9.Requests != n; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("M9 is %+v, want %v requests", phaseReport(t, server).M9, n)
		}
	}
}
