package web_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/web"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

// phaseExamples are those of the mediator, which has the contracts node-maintenance
// and leader-lease in use, and a node that was announced in service.
func phaseExamples(t *testing.T) map[string]map[string]example {
	t.Helper()
	f := startMediating(t)
	all := map[string]map[string]example{
		"listSubjects":  {"200": f.get(wire.PathSubjects + "?contract=node-maintenance")},
		"watchSubjects": {"200": f.get(wire.PathWatch + "?contract=node-maintenance"), "422": f.get(wire.PathWatch + "?contract=none")},
		"listAudit":     {"200": f.get(wire.PathAudit + "?after=1"), "400": f.get(wire.PathAudit + "?after=x")},
		"getContract":   {"200": f.get(wire.PathContracts + "/node-maintenance"), "422": f.get(wire.PathContracts + "/none")},
		"useContract": {
			"200": f.post(wire.PathContracts, f.text), "413": f.post(wire.PathContracts, strings.Repeat("x", 2<<20)), "422": f.post(wire.PathContracts, "kind: Flag"),
		},
		"announcePhase": {
			"200": f.post(wire.PathAnnounce, f.announcement("node/b", nil)),
			"400": f.post(wire.PathAnnounce, "{}{}"),
			"403": f.post(wire.PathAnnounce, f.announcement("node/c", func(a *wire.Announcement) { a.Audience = "other" })),
			"409": f.post(wire.PathAnnounce, f.announcement("node/a", nil)),
			"413": f.post(wire.PathAnnounce, strings.Repeat("x", 65<<10)),
			"422": f.post(wire.PathAnnounce, f.announcement("node/c", func(a *wire.Announcement) { a.Digest = "another" })),
		},
		"reportEnforced": {
			"200": f.post(wire.PathEnforced, wire.Enforced{Contract: "node-maintenance", Key: "node/a", Epoch: 1, Cause: "none"}),
			"400": f.post(wire.PathEnforced, "[]"),
			"409": f.post(wire.PathEnforced, wire.Enforced{Contract: "node-maintenance", Key: "node/a", Epoch: 9}),
			"422": f.post(wire.PathEnforced, wire.Enforced{Contract: "none", Key: "node/a", Epoch: 1}),
		},
		"askSettled": {
			"200": f.post(wire.PathSettled, wire.SettledRequest{Contract: "node-maintenance", Key: "node/a", Epoch: 1, Within: 1}),
			"400": f.post(wire.PathSettled, `{"within":"long"}`),
			"409": f.post(wire.PathSettled, wire.SettledRequest{Contract: "node-maintenance", Key: "node/a", Epoch: 9}),
			"422": f.post(wire.PathSettled, wire.SettledRequest{Contract: "none", Key: "node/a"}),
		},
		"confirmPhases": {
			"200": f.post(wire.PathConfirm, wire.ConfirmRequest{Consumer: "one", Role: "router", Contract: "node-maintenance"}),
			"400": f.post(wire.PathConfirm, wire.ConfirmRequest{Contract: "node-maintenance"}),
			"422": f.post(wire.PathConfirm, wire.ConfirmRequest{Consumer: "one", Role: "none", Contract: "node-maintenance"}),
		},
		"holdLease": {
			"200": f.post(wire.PathLease+"acquire", wire.LeaseRequest{Contract: "leader-lease", Key: "shop/cron/x", Holder: "one"}),
			"400": f.post(wire.PathLease+"acquire", wire.LeaseRequest{Contract: "leader-lease"}),
			"409": f.post(wire.PathLease+"renew", wire.LeaseRequest{Contract: "leader-lease", Key: "shop/cron/y", Holder: "one", Token: 1}),
			"422": f.post(wire.PathLease+"acquire", wire.LeaseRequest{Contract: "node-maintenance", Key: "node/a", Holder: "one"}),
		},
	}
	for name, examples := range all {
		e := examples["200"]
		e.config = func(c *web.Config) { c.Phases = f.closed }
		examples["401"] = e
		e.config = func(c *web.Config) { c.Phases = nil }
		examples["503"] = e
		all[name] = maps.Clone(examples)
	}
	return all
}

// A mediating is a mediator with what is asked of it.
type mediating struct {
	t            *testing.T
	open, closed http.Handler
	text         string // of the contract node-maintenance
	contract     *contract.Contract
	key          ed25519.PrivateKey
	signer       string
	step         contract.Transition
}

func startMediating(t *testing.T) *mediating {
	t.Helper()
	m, err := mediator.New(mediator.Config{State: &mediator.Memory{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	f := &mediating{t: t, open: m.Handler(nil), closed: m.Handler(tokens(t)), key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	f.use(m, "leader-lease")
	f.contract = f.use(m, "node-maintenance")
	f.signer = f.contract.Announce.Keys[0].ID
	for _, transition := range f.contract.Transitions {
		if transition.From == f.contract.Initial && transition.Guard == "true" {
			f.step = transition
			break
		}
	}
	w := f.post(wire.PathAnnounce, f.announcement("node/a", nil)).send(t, "post")
	if w.Code != http.StatusOK {
		t.Fatalf("announcing node/a: %s", w.Body)
	}
	return f
}

// use puts a contract that ships in use, with a key that is ours.
func (f *mediating) use(m *mediator.Mediator, name string) *contract.Contract {
	f.t.Helper()
	raw, _ := contracts.Read(name)
	shipped, err := contract.Parse(name, raw)
	if err != nil {
		f.t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(f.key.Public().(ed25519.PublicKey))
	f.text = strings.ReplaceAll(string(raw), shipped.Announce.Keys[0].PublicKey, public)
	for {
		c, err := m.AddContract(f.t.Context(), name, []byte(f.text), "test")
		if err == nil {
			return c
		}
		if !strings.Contains(err.Error(), wire.CodeNotActive) {
			f.t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
}

// announcement is the envelope of the first step of a subject, signed.
func (f *mediating) announcement(key string, edit func(*wire.Announcement)) wire.Envelope {
	f.t.Helper()
	a := wire.Announcement{
		Audience: "eddy", Contract: f.contract.ID(), Digest: f.contract.Digest(), Subject: key,
		From: string(f.step.From), To: string(f.step.To), IssuedAt: time.Now(), NotAfter: time.Now().Add(time.Minute),
	}
	if edit != nil {
		edit(&a)
	}
	e, err := wire.Seal(a, wire.Signer{KeyID: f.signer, Key: f.key})
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

func (f *mediating) get(target string) example {
	return example{target: target, bare: true, config: func(c *web.Config) { c.Phases = f.open }}
}

// post sends a value as JSON, or a text as it is.
func (f *mediating) post(target string, body any) example {
	f.t.Helper()
	e := f.get(target)
	text, ok := body.(string)
	if !ok {
		data, err := json.Marshal(body)
		if err != nil {
			f.t.Fatal(err)
		}
		text = string(data)
	}
	e.body = text
	return e
}

// briefly asks for a stream, and leaves.
func briefly(t *testing.T, s *web.Server, target string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1"+target, nil))
	return w
}
