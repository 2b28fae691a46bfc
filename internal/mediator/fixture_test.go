package mediator_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

// signer is a key with an id. All keys of testdata are the same one, so that what
// is refused is refused for its id.
func signer(id string) wire.Signer {
	return wire.Signer{KeyID: id, Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

// text reads a contract of testdata and fills in the public key.
func text(t testing.TB, name string) []byte {
	t.Helper()
	yaml, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	public := signer("").Key.Public().(ed25519.PublicKey)
	return []byte(strings.ReplaceAll(string(yaml), "KEY", base64.StdEncoding.EncodeToString(public)))
}

// A fixture is a mediator that runs, with one contract.
type fixture struct {
	*mediator.Mediator
	t        *testing.T
	state    mediator.State
	contract *contract.Contract
	stop     func()

	mu     sync.Mutex
	events []*telemetry.Log
}

// start runs a mediator on a state and waits until it is one. It is for use in a
// synctest bubble.
func start(t *testing.T, state mediator.State, name string) *fixture {
	t.Helper()
	return startWith(t, state, name, text(t, name))
}

// startWith is start with a contract that is given.
func startWith(t *testing.T, state mediator.State, name string, text []byte) *fixture {
	t.Helper()
	f := &fixture{t: t, state: state}
	m, err := mediator.New(mediator.Config{State: state, Event: f.note, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	f.Mediator, f.stop = m, func() { cancel(); running.Wait() }
	t.Cleanup(f.stop)
	for range 10_000 {
		c, err := m.AddContract(t.Context(), name, text, "test")
		if err == nil {
			f.contract = c
			return f
		}
		if code(err) != wire.CodeNotActive {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("it did not become the mediator")
	return nil
}

// note keeps an event.
func (f *fixture) note(l *telemetry.Log) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, l)
}

// told returns an attribute of each event of a name.
func (f *fixture) told(name, key string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var values []string
	for _, e := range f.events {
		if e.EventName == name {
			values = append(values, e.Attributes.First(key))
		}
	}
	return values
}

// code is that of a refusal, or the text of another error, or "".
func code(err error) string {
	if why, ok := errors.AsType[*wire.Error](err); ok {
		return why.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// announcement is one that will be committed, as a beginning.
func (f *fixture) announcement(from, to string, expected uint64) wire.Announcement {
	return wire.Announcement{
		Audience: "eddy", Contract: f.contract.ID(), Digest: f.contract.Digest(), Subject: "flags/rounding",
		From: from, To: to, Expected: expected, IssuedAt: time.Now(), NotAfter: time.Now().Add(30 * time.Second),
	}
}

// seal signs with the keys.
func (f *fixture) seal(a wire.Announcement, ids ...string) wire.Envelope {
	f.t.Helper()
	var signers []wire.Signer
	for _, id := range ids {
		signers = append(signers, signer(id))
	}
	e, err := wire.Seal(a, signers...)
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

// announce signs with the controller's key and announces.
func (f *fixture) announce(a wire.Announcement) (wire.Receipt, error) {
	f.t.Helper()
	return f.Announce(f.t.Context(), f.seal(a, "controller"), "test", false)
}

// commit announces, must succeed, and reports it to be in force.
func (f *fixture) commit(a wire.Announcement) wire.Receipt {
	f.t.Helper()
	r, err := f.announce(a)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.Enforced(f.t.Context(), wire.Enforced{Contract: f.contract.Name, Key: a.Subject, Epoch: r.Epoch, Cause: "none"}, "test"); err != nil {
		f.t.Fatal(err)
	}
	return r
}

// records are what is committed.
func (f *fixture) records() []wire.Standing {
	f.t.Helper()
	list, err := f.Subjects(f.t.Context(), "", "")
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// audit is the whole log.
func (f *fixture) audit() []wire.Entry {
	f.t.Helper()
	entries, err := f.Audit(f.t.Context(), 0, 1_000_000, "")
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}
