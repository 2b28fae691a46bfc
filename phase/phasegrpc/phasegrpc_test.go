package phasegrpc_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase"
	"example.test/eddy/phase/phasegrpc"
)

// contractYAML has short times, since gRPC runs on the real clock.
const contractYAML = `
apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: drain, version: 1, owner: team-platform}
spec:
  subject: {kind: instance, key: "{service.name}/{service.instance.id}"}
  phases:
    - {name: ACTIVE,   order: 0, permissions: {accepts_new: allow}}
    - {name: DRAIN,    order: 1, permissions: {accepts_new: grace}}
    - {name: SHUTDOWN, order: 2, terminal: true, permissions: {accepts_new: deny}}
  initial: ACTIVE
  monotone: true
  actions: {new_request: {requires: accepts_new}}
  roles:
    producers: [{name: pod, announces: [ACTIVE, DRAIN, SHUTDOWN]}]
    consumers: [{name: router, observes: eddy, does: {new_request: [ACTIVE]}, unknown: {does: [new_request], accept: "callers that do not know yet"}}]
  transitions:
    - {from: ACTIVE, to: DRAIN, discipline: announce_first, guard: "true"}
    - {from: DRAIN, to: SHUTDOWN, discipline: announce_first, guard: "true", await: {acks: quiesced, atMost: 300ms}}
  propagation: {bound: 300ms, beliefTTL: 150ms, confirmEvery: 50ms, maxFlight: 20ms, clockDrift: 0.01}
  stability: {flap: {window: 1h, maxFlips: 2, onBreach: page}}
  announce:
    quorum: 1
    maxSkew: 30s
    keys: [{id: test, alg: ed25519, publicKey: "KEY", roles: [pod]}]
`

const subject = "cart/1"

// connect returns the producer of a subject, and two connections to a server
// that it guards: one of a caller that watches, and one of a caller that does not.
func connect(t *testing.T) (p *phase.Producer, watching, plain grpc_health_v1.HealthClient) {
	t.Helper()
	c := client(t)
	p, err := c.Producer(t.Context(), phase.Subject{Contract: "drain", Key: subject})
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Watch(t.Context(), "drain", subject, "router")
	if err != nil {
		t.Fatal(err)
	}
	action := func(string) string { return "new_request" }
	server := grpc.NewServer(grpc.UnaryInterceptor(phasegrpc.UnaryServer(p, action)), grpc.StreamInterceptor(phasegrpc.StreamServer(p, action)))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	dial := func(options ...grpc.DialOption) grpc_health_v1.HealthClient {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
		conn, err := grpc.NewClient("passthrough:///cart", options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return grpc_health_v1.NewHealthClient(conn)
	}
	key := func(context.Context, string, string) string { return subject }
	return p, dial(grpc.WithUnaryInterceptor(phasegrpc.UnaryClient(w, "new_request", key)), grpc.WithStreamInterceptor(phasegrpc.StreamClient(w, "new_request", key))), dial()
}

// client returns a client of a mediator that runs for the test.
func client(t *testing.T) *phase.Client {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mediator.New(mediator.Config{State: &mediator.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	server := httptest.NewServer(m.Handler(nil))
	t.Cleanup(func() { stop(); running.Wait(); server.CloseClientConnections(); server.Close() })
	text := strings.Replace(contractYAML, "KEY", base64.StdEncoding.EncodeToString(public), 1)
	for {
		if _, err := m.AddContract(t.Context(), "drain.yaml", []byte(text), "test"); err == nil {
			break
		} else if !strings.Contains(err.Error(), "not_active") {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
	c, err := phase.Dial(phase.Config{URLs: []string{server.URL}, Signers: []phase.Signer{{KeyID: "test", Key: private}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCallsAreAdmittedAndRefusedByPhase(t *testing.T) {
	p, watching, plain := connect(t)
	if _, err := watching.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatalf("in ACTIVE: %v", err)
	}
	for _, to := range []phase.Name{"DRAIN", "SHUTDOWN"} {
		if _, err := p.To(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := plain.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("the server answers %v to who does not watch, want Unavailable", err)
	}
	if _, err := watching.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("who watches gets %v, want FailedPrecondition without a call", err)
	}
}

func TestAStreamIsInFlightUntilItEnds(t *testing.T) {
	p, watching, _ := connect(t)
	ctx, stop := context.WithCancel(t.Context())
	stream, err := watching.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if n := p.Inflight(); n != 1 {
		t.Errorf("%d in flight while a stream is open, want 1", n)
	}
	stop()
	<-p.Quiesced()
}
