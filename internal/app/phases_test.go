package app_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase"
)

const podContract = `
apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: pods, version: 1, owner: team-platform}
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
    consumers: [{name: router, observes: eddy, does: {new_request: [ACTIVE]}, unknown: {does: []}}]
  transitions:
    - {from: ACTIVE, to: DRAIN, discipline: announce_first, guard: "true"}
    - {from: DRAIN, to: SHUTDOWN, discipline: announce_first, guard: "inflight == 0", await: {acks: quiesced, atMost: 1400ms}}
  propagation: {bound: 2s, beliefTTL: 900ms, confirmEvery: 300ms, maxFlight: 400ms, clockDrift: 0.01}
  stability: {flap: {window: 1h, maxFlips: 2, onBreach: page}}
  announce:
    quorum: 1
    maxSkew: 30s
    keys: [{id: test, alg: ed25519, publicKey: "KEY", roles: [pod]}]
`

// A server that was killed goes on at the epoch where it was, and what it
// committed stands beside the other changes.
func TestPhasesAreCommittedOnDiskAndToldToTheAnalysis(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := app.Options{Data: t.TempDir(), Web: "127.0.0.1:0", Phases: app.PhaseOptions{Contracts: t.TempDir()}}
	o.Ingest.GRPC, o.Ingest.HTTP = "off", "127.0.0.1:0"
	text := strings.Replace(podContract, "KEY", base64.StdEncoding.EncodeToString(public), 1)
	if err := os.WriteFile(filepath.Join(o.Phases.Contracts, "pods.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	signers := []phase.Signer{{KeyID: "test", Key: private}}
	for start, to := range []phase.Name{"DRAIN", "SHUTDOWN"} {
		server, stop := run(t, o)
		announce(t, server, signers, to, phase.Epoch(start+1))
		for telemetryChange(t, server).Value != string(to) {
			<-time.After(10 * time.Millisecond)
		}
		if c := telemetryChange(t, server); c.Entity != "cart" || c.Instance != "7f" || c.Dimension != "phase" || c.Origin != telemetry.OriginReported || c.Kind != telemetry.ChangePhase {
			t.Errorf("the change is %+v, want the phase of instance 7f of cart", c)
		}
		stop()
		o.Phases.Contracts = "" // what was in use stays in use
	}
}

// announce makes a transition through the server.
func announce(t *testing.T, server *app.App, signers []phase.Signer, to phase.Name, want phase.Epoch) {
	t.Helper()
	client, err := phase.Dial(phase.Config{URLs: []string{server.URL()}, Signers: signers})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var p *phase.Producer
	for { // the contract is in use in a moment
		if p, err = client.Producer(ctx, phase.Subject{Contract: "pods", Key: "cart/7f"}); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
	if r, err := p.To(ctx, to); err != nil || r.Epoch != want {
		t.Fatalf("To(%s) = epoch %d, %v, want epoch %d", to, r.Epoch, err, want)
	}
}

// telemetryChange is the last phase among the changes that the server shows.
func telemetryChange(t *testing.T, server *app.App) telemetry.Change {
	t.Helper()
	response, err := http.Get(server.URL() + "/api/v1/changes")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Changes []telemetry.Change `json:"changes"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	var last telemetry.Change
	for _, c := range answer.Changes {
		if c.Time.After(last.Time) {
			last = c
		}
	}
	return last
}

func TestAContractThatIsWrongIsSaidAtTheStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pods.yaml"), []byte(strings.Replace(podContract, "kind: PhaseContract", "kind: Contract", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ contracts, want string }{{dir, "pods.yaml:3"}, {t.TempDir(), "no *.yaml"}} {
		o := app.Options{Data: t.TempDir(), Web: "127.0.0.1:0", Phases: app.PhaseOptions{Contracts: tt.contracts}}
		o.Ingest.GRPC, o.Ingest.HTTP = "off", "127.0.0.1:0"
		if _, err := app.New(t.Context(), o, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("New = %v, want an error with %q", err, tt.want)
		}
	}
}
