package etcd_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/mediator/etcd"
	"example.test/eddy/phase"
	"example.test/eddy/phase/wire"
)

const routeYAML = `
apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: route, version: 1, owner: test}
spec:
  subject: {kind: flag, key: "routes/{eddy.flag.key}"}
  phases:
    - {name: BLUE,  order: 0, permissions: {blue: allow, green: deny,  queue: allow}}
    - {name: BOTH,  order: 1, permissions: {blue: allow, green: allow, queue: allow}}
    - {name: GREEN, order: 2, permissions: {blue: deny,  green: allow, queue: allow}}
  initial: BLUE
  actions: {blue: {requires: blue}, green: {requires: green}, queue: {requires: queue}}
  roles:
    producers: [{name: switch, announces: [BLUE, BOTH, GREEN]}]
    consumers: [{name: gateway, observes: eddy, does: {blue: [BLUE], green: [BOTH, GREEN]}, unknown: {does: [queue]}}]
  transitions:
    - {from: BLUE,  to: BOTH,  discipline: act_first,      guard: "true"}
    - {from: BOTH,  to: GREEN, discipline: announce_first, guard: "true", await: {acks: quiesced, atMost: 2s}}
    - {from: GREEN, to: BOTH,  discipline: act_first,      guard: "true"}
  propagation: {bound: 2s, beliefTTL: 900ms, confirmEvery: 300ms, maxFlight: 400ms, clockDrift: 0.05}
  stability: {flap: {window: 1h, maxFlips: 1000000, onBreach: page}}
  announce:
    quorum: 1
    maxSkew: 30s
    keys: [{id: test, alg: ed25519, publicKey: "KEY", roles: [switch]}]
`

// Two of three nodes are killed. Nothing is announced until one is back, beliefs
// end and leave each role to what its contract says, and afterwards everything
// goes on at the next epoch. An announcement that was refused while there was no
// quorum may be in the log of the node that led, and be committed when that is back:
// asking again makes one epoch of it, not two.
func TestWithoutAQuorumNothingIsAnnouncedAndAfterwardsItGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for elections")
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute) // instead of waiting for ever
	defer stop()
	nodes := startNodes(t)
	endpoints := make([]string, len(nodes))
	for i, n := range nodes {
		endpoints[i] = n.client
	}
	server := mediate(ctx, t, endpoints)
	refusals := &refusals{heard: make(chan struct{}, 1)}
	client, err := phase.Dial(phase.Config{
		URLs: []string{server}, Signers: []phase.Signer{experimentKey()}, Log: slog.New(slog.DiscardHandler), HTTP: &http.Client{Transport: refusals},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const key = "routes/pay"
	p, err := client.Producer(ctx, phase.Subject{Contract: "route", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	w, err := client.Watch(ctx, "route", "", "gateway")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.To(ctx, "BOTH"); err != nil || r.Epoch != 1 {
		t.Fatalf("with three nodes: %+v, %v, want epoch 1", r, err)
	}
	until(ctx, t, "BOTH is believed", func() bool { return w.Get(key).Phase == "BOTH" })

	nodes[1].kill()
	nodes[2].kill()
	patient, giveUp := context.WithCancel(ctx)
	defer giveUp()
	refusals.forget()
	go func() { // the producer asks for as long as it may: until it was refused once
		select {
		case <-refusals.heard:
		case <-ctx.Done():
		}
		giveUp()
	}()
	_, err = p.To(patient, "GREEN")
	if why, ok := errors.AsType[*wire.Error](err); !ok || why.Code != wire.CodeUnavailable || !strings.Contains(err.Error(), "etcd") {
		t.Errorf("without a quorum: %v, want it refused as unavailable, since etcd does not answer", err)
	}
	until(ctx, t, "the belief ends", func() bool { return !w.Get(key).Known })
	if v, ok := w.Can(key, "queue"); v.Known || v.Last != "BOTH" || !ok {
		t.Errorf("without a quorum: %s, queue %v, want it to be unknown, BOTH to be remembered, and what the contract says of that", v, ok)
	}
	if _, ok := w.Can(key, "green"); ok {
		t.Error("without a quorum green is still allowed, on a belief that has ended")
	}

	nodes[1].start(t)
	if r, err := p.To(ctx, "GREEN"); err != nil || r.Epoch != 2 {
		t.Errorf("with two nodes: %+v, %v, want epoch 2", r, err)
	}
	until(ctx, t, "GREEN is believed", func() bool { return w.Get(key).Phase == "GREEN" })
	nodes[2].start(t)
	if r, err := p.To(ctx, "BOTH"); err != nil || r.Epoch != 3 {
		t.Errorf("with three nodes again: %+v, %v, want epoch 3", r, err)
	}
}

// refusals is the way to a mediator, and tells when it refused an announcement
// because its state does not answer.
type refusals struct{ heard chan struct{} }

// RoundTrip implements http.RoundTripper.
func (r *refusals) RoundTrip(q *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(q)
	if err != nil || q.URL.Path != wire.PathAnnounce || response.StatusCode != http.StatusServiceUnavailable {
		return response, err
	}
	// The caller must have read why before it is stopped.
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(text))
	if bytes.Contains(text, []byte(`"`+wire.CodeUnavailable+`"`)) { // and not that another replica should be asked
		select {
		case r.heard <- struct{}{}:
		default:
		}
	}
	return response, err
}

// forget forgets what was refused until now.
func (r *refusals) forget() {
	select {
	case <-r.heard:
	default:
	}
}

// until waits until something holds.
func until(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// mediate runs a mediator on an etcd with the contract route, and returns its
// address.
func mediate(ctx context.Context, t *testing.T, endpoints []string) string {
	t.Helper()
	var state *etcd.State
	until(ctx, t, "the nodes have a leader", func() bool {
		var err error
		state, err = etcd.Dial(ctx, endpoints)
		return err == nil
	})
	m, err := mediator.New(mediator.Config{State: state, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(run) })
	server := httptest.NewServer(m.Handler(nil))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		stop()
		running.Wait()
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	public := experimentKey().Key.Public().(ed25519.PublicKey)
	text := strings.Replace(routeYAML, "KEY", base64.StdEncoding.EncodeToString(public), 1)
	until(ctx, t, "the contract is in use", func() bool {
		_, err := m.AddContract(ctx, "route", []byte(text), "test")
		if why, ok := errors.AsType[*wire.Error](err); err != nil && (!ok || why.Code != wire.CodeNotActive && why.Code != wire.CodeUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
	return server.URL
}

// childNode, if set, makes the test binary a node of a cluster: its name, data
// directory, client and peer URL, and the cluster.
const childNode = "EDDY_TEST_NODE"

// A node is one of a cluster, in a process of its own.
type node struct {
	order, client string
	cmd           *exec.Cmd
}

// startNodes starts a cluster of three.
func startNodes(t *testing.T) []*node {
	t.Helper()
	const size = 3
	var cluster []string
	nodes := make([]*node, size)
	dir, urls := t.TempDir(), freeURLs(t, 2*size)
	clients, peers := urls[:size], urls[size:]
	for i := range nodes {
		nodes[i] = &node{client: clients[i]}
		cluster = append(cluster, fmt.Sprintf("n%d=%s", i, peers[i]))
	}
	for i, n := range nodes {
		name := fmt.Sprint("n", i)
		n.order = strings.Join([]string{name, filepath.Join(dir, name), n.client, peers[i], strings.Join(cluster, ",")}, " ")
		n.start(t)
		t.Cleanup(n.kill)
	}
	return nodes
}

// freeURLs are addresses on loopback that were free a moment ago. Their ports are
// below those that systems give to who asks for any: who calls a node that is down gets
// such a port for its own end, and if that were the node's, the node could not come
// back.
func freeURLs(t *testing.T, n int) []string {
	t.Helper()
	const first, last = 20_000, 32_000
	var urls []string
	for port := first + os.Getpid()%(last-first)/2; port < last && len(urls) < n; port++ {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", address); err == nil {
			defer l.Close()
			urls = append(urls, "http://"+address)
		}
	}
	if len(urls) < n {
		t.Fatalf("%d of %d ports are free below %d", len(urls), n, last)
	}
	return urls
}

func (n *node) start(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command(self)
	n.cmd.Env = append(os.Environ(), childNode+"="+n.order)
	n.cmd.Stderr = os.Stderr
	if _, err := n.cmd.StdinPipe(); err != nil { // the node ends when this process does
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill ends the node without a goodbye.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // it may be dead already
	_ = n.cmd.Wait()
}

// beNode is the process of childNode.
func beNode(order string) int {
	fields := strings.Fields(order)
	if len(fields) != 5 || slices.Contains(fields, "") {
		return 2
	}
	config := embed.NewConfig()
	config.Name, config.Dir, config.InitialCluster = fields[0], fields[1], fields[4]
	client, err := url.Parse(fields[2])
	peer, err2 := url.Parse(fields[3])
	if err != nil || err2 != nil {
		return 2
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	server, err := embed.StartEtcd(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	defer server.Close()
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has gone
	return 0
}
