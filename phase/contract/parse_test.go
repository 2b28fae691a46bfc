package contract_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.test/eddy/phase/contract"
)

func TestMistakesOfFormAreToldWithPlaceAndRemedy(t *testing.T) {
	for _, test := range []struct{ name, old, changed, want string }{
		{"unknown", "monotone: true", "monoton: true", "rolling-drain.yaml:17:3: spec.monoton: no such field: want monotone"},
		{"missing", "  initial: INIT\n", "", "spec.initial: missing: want the phase that a subject begins in"},
		{"duration", "minDwell: 5s", "minDwell: 5", `spec.transitions[2].minDwell: "5": want a duration`},
		{"negative", "minDwell: 5s", "minDwell: -5s", `"-5s": want a duration`},
		{"boolean", "monotone: true", "monotone: yes", `rolling-drain.yaml:17:13: spec.monotone: "yes": want true or false`},
		{"number", "{name: INIT,     order: 0", "{name: INIT,     order: first", `spec.phases[0].order: "first": want a whole number`},
		{"permission", "accepts_new: grace", "accepts_new: maybe", `spec.phases[2].permissions.accepts_new: "maybe" is none of allow, grace, deny`},
		{"list", "announces: [INIT, ACTIVE, DRAIN, SHUTDOWN]", "announces: INIT", "spec.roles.producers[0].announces: is no list"},
		{"map", "subject: {kind: instance, key: \"{service.namespace}/{service.name}/{service.instance.id}\"}", "subject: instance", "spec.subject: is no map"},
		{"scalar", "initial: INIT", "initial: [INIT]", "spec.initial: is no single value"},
		{"twice", "initial: INIT", "initial: INIT\n  initial: ACTIVE", "initial"},
		{"kind", "kind: PhaseContract", "kind: Contract", `kind: is "Contract": want PhaseContract`},
		{"version", "version: 1", "version: 0", "metadata.version: is 0: want a number from 1 up"},
		{"name", "name: rolling-drain", "name: Rolling drain", "metadata.name"},
		{"key", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "c2hvcnQ=", "want the 32 bytes of an Ed25519 public key"},
		{"time", "roles: [pod]}", "roles: [pod], notAfter: 2027-12-31}", "want a time, as 2027-12-31T00:00:00Z"},
		{"quorum", "quorum: 1", "quorum: 2", "is 2 with 1 keys"},
		{"confirm", "confirmEvery: 300ms", "confirmEvery: 400ms", "want at most a third of beliefTTL, 300ms"},
		{"ratio", "panicThreshold: 0.5", "panicThreshold: 50", "want a ratio from 0 to 1"},
		{"bound", "        assumedBound: 5s\n", "", "want how late a role may act that observes endpointslice"},
		{"template", "{service.instance.id}\"", "{service.instance.id\"", "want text and attributes in braces"},
		{"path", "{name: pod, ", "{name: ../pod, ", `spec.roles.producers[0]: is called "../pod": want letters`},
		{"comment", "    continue:    {requires", "    'x */ y':    {requires", `spec.actions.x */ y: is called "x */ y"`},
		{"phase twice", "{name: ACTIVE, ", "{name: INIT, ", "INIT is there twice"},
		{"open", "kind: PhaseContract", "kind: {PhaseContract", "rolling-drain.yaml"},
		{"document", "# An instance", "a: 1\n---\n# An instance", "a second document"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := read(t, "rolling-drain.yaml")
			changed := strings.Replace(string(text), test.old, test.changed, 1)
			if changed == string(text) {
				t.Fatalf("no %q to replace", test.old)
			}
			_, err := contract.Parse("rolling-drain.yaml", []byte(changed))
			if _, ok := errors.AsType[*contract.ParseError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	text := "apiVersion: eddy.dev/v1alpha1\nkind: PhaseContract\nmetadata: {name: x, version: one}\nspec:\n  initial: [A]\n"
	_, err := contract.Parse("x.yaml", []byte(text))
	for _, want := range []string{"x.yaml:3:30: metadata.version", "metadata.owner: missing", "x.yaml:5:12: spec.initial", "spec.phases: missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant it to say %s", err, want)
		}
	}
}

func TestNothingIsNoContract(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "null", "---\n"} {
		if _, err := contract.Parse("x.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "begin with apiVersion") {
			t.Errorf("%q: got %v, want to be told how to begin", text, err)
		}
	}
}

func TestLoadTellsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := contract.Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, err := contract.Load(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: got %v", err)
	}
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := contract.Load(large); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("2 MiB: got %v", err)
	}
}

func TestDefaultsAreTheOnesInTheDocument(t *testing.T) {
	c := edited(t, "staged-policy.yaml", "  propagation: {bound: 2s, beliefTTL: 900ms, confirmEvery: 300ms, maxFlight: 400ms, clockDrift: 0.01}\n  stability: {debounce: {ENFORCE: 10s}, flap: {window: 24h, maxFlips: 1, onBreach: hold}}\n", "")
	want := contract.Propagation{Bound: 2 * time.Second, BeliefTTL: 900 * time.Millisecond, ConfirmEvery: 300 * time.Millisecond, MaxFlight: 400 * time.Millisecond, ClockDrift: 0.01}
	if c.Propagation != want {
		t.Errorf("propagation: got %+v, want %+v", c.Propagation, want)
	}
	if want := (contract.Flap{Window: time.Hour, MaxFlips: 2, OnBreach: contract.BreachPage}); c.Stability.Flap != want {
		t.Errorf("flap: got %+v, want %+v", c.Stability.Flap, want)
	}
	if got := c.Roles.Consumers[0].BeliefTTL; got != 900*time.Millisecond {
		t.Errorf("belief of a role: got %v, want that of the propagation", got)
	}
}

func TestTheDisciplineMayBeLeftOut(t *testing.T) {
	for _, file := range files(t) {
		c := shipped(t, file)
		for _, step := range c.Transitions {
			if derived := c.Derive(step.From, step.To); !derived.Free && derived.Discipline != step.Discipline {
				t.Errorf("%s: %s to %s: derived %s, written %s", file, step.From, step.To, derived.Discipline, step.Discipline)
			}
		}
	}
	c := edited(t, "serverless-init.yaml", "to: WARM,     discipline: act_first,    ", "to: WARM,   ")
	if step, _ := c.Transition("INIT", "WARM"); step.Discipline != contract.ActFirst {
		t.Errorf("INIT to WARM: got %q, want %s", step.Discipline, contract.ActFirst)
	}
}

func TestTheDigestIsThatOfTheContent(t *testing.T) {
	c := shipped(t, "rolling-drain.yaml")
	if other := edited(t, "rolling-drain.yaml", "# it stops", "# another comment"); other.Digest() != c.Digest() {
		t.Error("a comment changed the digest")
	}
	if other := edited(t, "rolling-drain.yaml", "quorum: 1\n", ""+"\n"); other.Digest() != c.Digest() {
		t.Error("leaving out a default changed the digest")
	}
	if other := edited(t, "rolling-drain.yaml", "assumedBound: 5s", "assumedBound: 4s"); other.Digest() == c.Digest() {
		t.Error("another bound has the same digest")
	}
}

// smallest is a contract with little in it. The fuzzer makes what it finds
// smaller, and with the shipped ones would do nothing else.
const smallest = `apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: a, version: 1, owner: b}
spec:
  subject: {kind: flag, key: c}
  phases:
    - {name: A, order: 0, permissions: {p: allow}}
    - {name: B, order: 1, terminal: true, permissions: {p: deny}}
  initial: A
  actions: {x: {requires: p}}
  roles:
    producers: [{name: d, announces: [A, B]}]
    consumers: [{name: e, observes: eddy, does: {x: [A]}}]
  transitions: [{from: A, to: B, await: {atMost: 2s}}]
  announce: {keys: [{id: k, alg: ed25519, publicKey: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=, roles: [d]}]}
`

func TestTheSmallestContractIsOne(t *testing.T) {
	c, err := contract.Parse("smallest.yaml", []byte(smallest))
	if err != nil {
		t.Fatal(err)
	}
	if problems := c.Lint(contract.LintOptions{Now: judged}); len(problems) > 0 {
		t.Error(problems)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte("spec: {phases: [{name: A}]}"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := contract.Parse("x.yaml", text)
		if err != nil {
			if _, ok := errors.AsType[*contract.ParseError](err); !ok {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		c.Lint(contract.LintOptions{Now: judged})
		if again, err := contract.Parse("x.yaml", text); err != nil || again.Digest() != c.Digest() {
			t.Errorf("the same text gave another contract: %v", err)
		}
	})
}
