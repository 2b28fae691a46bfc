package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/phase/wire"
)

// startMediator runs a server that has the mediator and no contract, and returns
// its address, a contract for it, and a key as a flag.
func startMediator(t *testing.T) (url, contract, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key = filepath.Join(dir, "test.pem")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/flag.yaml")
	if err != nil {
		t.Fatal(err)
	}
	contract = filepath.Join(dir, "flag.yaml")
	filled := strings.Replace(string(text), "KEY", base64.StdEncoding.EncodeToString(public), 1)
	if err := os.WriteFile(contract, []byte(filled), 0o600); err != nil {
		t.Fatal(err)
	}
	o := app.Options{Data: t.TempDir(), Web: "127.0.0.1:0"}
	o.Ingest.GRPC, o.Ingest.HTTP = "off", "127.0.0.1:0"
	if err := os.Mkdir(filepath.Join(o.Data, "etcd"), 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := app.New(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	for range 1000 { // it becomes the mediator in a moment
		response, err := http.Get(server.URL() + wire.PathSubjects)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	return server.URL(), contract, "test=" + key
}

func TestPhasesFromTheCommandLine(t *testing.T) {
	url, contract, key := startMediator(t)
	t.Setenv("EDDY_SERVER", url)
	eddy := func(want int, says string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		status := execute(t.Context(), append([]string{"phase"}, args...), stdio{strings.NewReader(""), &out, &errs})
		if text := out.String() + errs.String(); status != want || !strings.Contains(text, says) {
			t.Fatalf("eddy phase %s: status %d, want %d and %q:\n%s", strings.Join(args, " "), status, want, says, text)
		}
	}
	eddy(0, "No subject was announced yet.", "status")
	eddy(0, "flag@1 is in use", "use", contract)
	eddy(0, "flags/rounding CANARY at epoch 1 is in force: it takes nothing away", "announce", "flag", "flags/rounding", "CANARY", "--key", key)
	eddy(1, "guard request.reviewed: no such key: reviewed (guard_false)", "announce", "flag", "flags/rounding", "FLAG_ON", "--key", key)
	eddy(0, "flags/rounding FLAG_ON at epoch 2 is in force", "announce", "flag", "flags/rounding", "FLAG_ON", "--key", key, "--fact", "reviewed", "--reason", "seen by two")
	eddy(1, "no transition from FLAG_ON to FLAG_OFF", "announce", "flag", "flags/rounding", "FLAG_OFF", "--key", key)
	eddy(0, "FLAG_ON  epoch 2  in force", "status", "flag")
	eddy(0, `"phase":"FLAG_ON"`, "watch", "flag", "--count", "1", "--json")
	eddy(0, "flags/rounding  CANARY to FLAG_ON at epoch 2, in force", "watch", "flag", "--count", "1")
	eddy(0, "flag@1    n/a          n/a", "report")
	eddy(0, "none was changed or left out", "audit")
	eddy(0, "guard_false", "audit", "--subject", "flags/rounding", "--json")
	eddy(2, "want ID=FILE", "announce", "flag", "flags/rounding", "CANARY", "--key", "x")
	eddy(2, "is not PEM", "announce", "flag", "flags/rounding", "CANARY", "--key", "x="+contract)
	eddy(2, `there is no contract "none"`, "watch", "none")
}

func TestASubjectIsDrainedFromTheCommandLine(t *testing.T) {
	url, contract, key := startMediator(t)
	t.Setenv("EDDY_SERVER", url)
	for _, args := range [][]string{
		{"use", contract},
		{"announce", "flag", "flags/a", "CANARY", "--key", key},
		{"drain", "flag", "flags/a", "--to", "CANARY", "--stop", "FLAG_OFF", "--key", key, "--reason", "not wanted"},
	} {
		var out, errs strings.Builder
		if status := execute(t.Context(), append([]string{"phase"}, args...), stdio{strings.NewReader(""), &out, &errs}); status != 0 {
			t.Fatalf("eddy phase %v: status %d\n%s%s", args, status, out.String(), errs.String())
		}
		if args[0] == "drain" && !strings.Contains(out.String(), "it may be stopped") {
			t.Errorf("drain says %q", out.String())
		}
	}
}

func TestTheStatusSaysWhatPeopleShouldLookInto(t *testing.T) {
	at := time.Date(2026, 11, 26, 4, 10, 15, 0, time.UTC)
	subject := func(t wire.Trouble) []wire.Standing {
		t.Since = at
		return []wire.Standing{{Record: wire.Record{Contract: "flag@1", Key: "flags/a"}, Troubles: []wire.Trouble{t}}}
	}
	since := at.Local().Format(time.DateTime)
	for _, tt := range []struct {
		trouble wire.Trouble
		want    string
	}{
		{wire.Trouble{Cause: wire.CauseNotEnforced, Attempts: 2, Detail: "d"}, "flag@1 flags/a: not_enforced since " + since + ", asked for 2 times: d\n"},
		{wire.Trouble{Cause: wire.CauseOrphan, Attempts: 5, Stuck: true, Detail: "d"}, "flag@1 flags/a: orphan since " + since + ", stuck: asked for 5 times, and nothing more is done about it: d\n"},
		{wire.Trouble{Cause: wire.CauseFlapping, HeldUntil: &at, Detail: "d"}, "flag@1 flags/a: flapping since " + since + ", held until " + since + ": d\n"},
	} {
		var out strings.Builder
		if err := printTroubles(&out, subject(tt.trouble)); err != nil || out.String() != tt.want {
			t.Errorf("got %q, %v, want %q", out.String(), err, tt.want)
		}
	}
}
