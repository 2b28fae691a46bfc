package modelcheck_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/phase/contract"
)

// edited parses a shipped contract after replacing pairs of texts, each of which
// is there once.
func edited(t testing.TB, name string, pairs ...string) *contract.Contract {
	t.Helper()
	raw, ok := contracts.Read(name)
	if !ok {
		t.Fatalf("there is no contract %s", name)
	}
	text := string(raw)
	for i := 0; i < len(pairs); i += 2 {
		if n := strings.Count(text, pairs[i]); n != 1 {
			t.Fatalf("%s has %q %d times, want once", name, pairs[i], n)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	c, err := contract.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t testing.TB, c *contract.Contract, o modelcheck.Options) modelcheck.Report {
	t.Helper()
	report, err := modelcheck.Check(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// slow skips what takes long under the race detector, and has no races of its own:
// TestTheResultDoesNotDependOnTheWorkers looks for those.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("not with -short")
	}
}

func none() *int { return new(int) }

// Three announcements without faults are the least in which the rules matter. The
// whole models are checked in CI, by "eddy phase check".
func TestShippedContractsHold(t *testing.T) {
	slow(t)
	for _, name := range contracts.Names() {
		t.Run(name, func(t *testing.T) {
			o := modelcheck.Options{Epochs: 3, Faults: none()}
			if name == "leader-lease" {
				o.Tick = 1900 * time.Millisecond
			}
			report := check(t, edited(t, name), o)
			if v := report.Violation(); v != nil {
				t.Errorf("%s in %d steps: %s", v.Property, len(v.Steps), v.Says)
			}
			if !report.OK() || len(report.Runs) == 0 {
				t.Errorf("got %+v", report)
			}
			for _, run := range report.Runs {
				t.Logf("%s: %d states", run.Name, run.States)
			}
		})
	}
}

// A brokenContract is a shipped one after some edits.
type brokenContract struct {
	name  string
	c     string
	edits []string
	lint  string // the code that refuses it, "" for none
	want  modelcheck.Property
	steps int
}

// epochs is how many announcements lead to the violation.
func (b brokenContract) epochs() int {
	if b.c == "expand-contract" {
		return 4
	}
	return 3
}

// broken are contracts that a lint would refuse, or a rule that it lets leave
// out, with the fewest steps to what that leads to.
var broken = []brokenContract{
	{
		"two phases in one step, announced first", "staged-policy", []string{
			`{from: REPORT,   to: ACCEPT,   discipline: act_first,      guard: "true"}`,
			`{from: DISABLED, to: ENFORCE, discipline: announce_first, await: {acks: quiesced, atMost: 2s}}`,
		}, "L09", modelcheck.PropertyPermitted, 6,
	},
	{
		"two phases in one step, made first", "staged-policy", []string{
			`{from: REPORT,   to: ACCEPT,   discipline: act_first,      guard: "true"}`,
			`{from: DISABLED, to: ENFORCE, discipline: act_first}`,
		}, "L09", modelcheck.PropertyPermitted, 6,
	},
	{
		"a loss that is made first", "regional-flag", []string{
			"{from: CANARY,     to: READ_READY, discipline: announce_first", "{from: CANARY,     to: READ_READY, discipline: act_first",
		}, "L10", modelcheck.PropertyPermitted, 15,
	},
	{
		"a gain that is announced first", "serverless-init", []string{
			"to: WARM,     discipline: act_first", "to: WARM,     discipline: announce_first",
		}, "L10", modelcheck.PropertyPermitted, 9,
	},
	{
		"no await", "pipeline-format", []string{
			`guard: "metrics['v1_backlog'] == 0.0", await: {acks: quiesced, atMost: 2s}}`, `guard: "metrics['v1_backlog'] == 0.0", await: {acks: none, atMost: 0s}}`,
		}, "L12", modelcheck.PropertyPermitted, 16,
	},
	{
		"an await that is too short", "pipeline-format", []string{
			`guard: "metrics['v1_backlog'] == 0.0", await: {acks: quiesced, atMost: 2s}}`, `guard: "metrics['v1_backlog'] == 0.0", await: {acks: quiesced, atMost: 1317ms}}`,
		}, "L12", modelcheck.PropertyPermitted, 19,
	},
	{
		"a bound that is not covered", "rolling-drain", []string{"assumedBound: 5s", "assumedBound: 7s", "tolerate, for: 6s", "tolerate, for: 9s"}, "L13", modelcheck.PropertyPermitted, 19,
	},
	{
		"a time of grace that is too short", "rolling-drain", []string{"tolerate, for: 6s", "tolerate, for: 5s"}, "", modelcheck.PropertyGrace, 19,
	},
	{
		"an action without a belief", "pipeline-format", []string{
			"does: {read_v1: [FORMAT_V1, BOTH, DRAIN_V1]}\n        unknown: {does: []}", "does: {read_v1: [FORMAT_V1, BOTH, DRAIN_V1]}\n        unknown: {does: [read_v1]}",
		}, "L19", modelcheck.PropertyPermitted, 18,
	},
	{
		"a role that does what is denied", "cicd-stages", []string{"does: {delete_artifact: [CLEANUP]}", "does: {delete_artifact: [CLEANUP, RETIRED]}"}, "L04", modelcheck.PropertyPermitted, 10,
	},
	{
		"no fencing", "leader-lease", []string{"mode: seal, ", "", "tick: 1500ms", "tick: 1900ms"}, "L14", modelcheck.PropertyDeposed, 10,
	},
	{
		"a bare token", "leader-lease", []string{"mode: seal, ", "mode: token, ", "tick: 1500ms", "tick: 1900ms"}, "L14", modelcheck.PropertyDeposed, 10,
	},
	{
		"a deadline after the lease", "leader-lease", []string{"renewDeadline: 6s", "renewDeadline: 9500ms"}, "L15", modelcheck.PropertyAlone, 11,
	},
	{
		"a forbidden pairing", "rolling-drain", []string{"role: router,     verdict: tolerate, for: 2s}", "role: router,     verdict: forbid}"}, "", modelcheck.PropertyPairing, 8,
	},
	{
		"no settling", "expand-contract", []string{
			`guard: "metrics['M4'] == 0.0", minDwell: 1h}`, `guard: "true", settle: skip}`,
		}, "", modelcheck.PropertyPermitted, 13,
	},
}

func TestBrokenContractsBreakInTheFewestSteps(t *testing.T) {
	slow(t)
	for _, b := range broken {
		t.Run(strings.ReplaceAll(b.name, " ", "_"), func(t *testing.T) {
			c := edited(t, b.c, b.edits...)
			linted := b.lint == ""
			for _, p := range c.Lint(contract.LintOptions{}) {
				linted = linted || p.Code == b.lint
			}
			if !linted {
				t.Errorf("no lint says %s", b.lint)
			}
			v := check(t, c, modelcheck.Options{SafetyOnly: true, Epochs: b.epochs()}).Violation()
			if v == nil || v.Property != b.want || len(v.Steps) != b.steps {
				t.Errorf("got %+v\nwant %s in %d steps", v, b.want, b.steps)
			}
		})
	}
}

// rules are the rules of the protocol with what leaving each out leads to.
var rules = []struct {
	rule  modelcheck.Rule
	c     string
	want  modelcheck.Property
	steps int
}{
	{modelcheck.RuleTTL, "rolling-drain", modelcheck.PropertyFresh, 9},
	{modelcheck.RuleSending, "rolling-drain", modelcheck.PropertyGrace, 17},
	{modelcheck.RulePush, "rolling-drain", modelcheck.PropertyGrace, 15},
	{modelcheck.RuleFloor, "regional-flag", modelcheck.PropertyPermitted, 21},
	{modelcheck.RuleOrder, "rolling-drain", modelcheck.PropertyOrder, 8},
	{modelcheck.RuleQuiesce, "regional-flag", modelcheck.PropertyPermitted, 17},
	{modelcheck.RuleAcks, "regional-flag", modelcheck.PropertyPermitted, 16},
	{modelcheck.RuleAwait, "rolling-drain", modelcheck.PropertyPermitted, 18},
	{modelcheck.RuleFlight, "rolling-drain", modelcheck.PropertyPermitted, 21},
	{modelcheck.RuleSettle, "node-maintenance", modelcheck.PropertyPermitted, 9},
	{modelcheck.RuleRestart, "regional-flag", modelcheck.PropertyPermitted, 20},
	{modelcheck.RuleRoll, "regional-flag", modelcheck.PropertyPermitted, 17},
	{modelcheck.RuleSeal, "leader-lease", modelcheck.PropertyDeposed, 11},
	{modelcheck.RuleFence, "leader-lease", modelcheck.PropertyDeposed, 13},
	{modelcheck.RuleRenewal, "leader-lease", modelcheck.PropertyAlone, 14},
}

func TestEveryRuleOfTheProtocolIsNeeded(t *testing.T) {
	slow(t)
	if len(rules) != len(modelcheck.Rules()) {
		t.Errorf("%d rules are tested of %d", len(rules), len(modelcheck.Rules()))
	}
	for _, r := range rules {
		t.Run(string(r.rule), func(t *testing.T) {
			v := check(t, edited(t, r.c), modelcheck.Options{Without: []modelcheck.Rule{r.rule}, SafetyOnly: true, Epochs: 3}).Violation()
			if v == nil || v.Property != r.want || len(v.Steps) != r.steps {
				t.Errorf("got %+v\nwant %s in %d steps", v, r.want, r.steps)
			}
		})
	}
}

func TestACounterexampleCanBeRead(t *testing.T) {
	c := edited(t, "expand-contract", `guard: "metrics['M4'] == 0.0", minDwell: 1h}`, `guard: "true", settle: skip}`)
	v := check(t, c, modelcheck.Options{}).Violation()
	if v == nil {
		t.Fatal("found no violation")
	}
	var text strings.Builder
	if err := v.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "settle.txt", text.String())
	lease := check(t, edited(t, "leader-lease", "mode: seal, ", "mode: token, "), modelcheck.Options{Tick: 1900 * time.Millisecond}).Violation()
	if lease == nil {
		t.Fatal("found no violation of a bare token")
	}
	text.Reset()
	if err := lease.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "token.txt", text.String())
	asJSON, err := json.MarshalIndent(lease, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "token.json", append(asJSON, '\n'))
}

func TestTheResultDoesNotDependOnTheWorkers(t *testing.T) {
	whole, part := edited(t, "rolling-drain"), edited(t, "rolling-drain", "assumedBound: 5s", "assumedBound: 7s")
	var first []byte
	for workers := 1; workers <= 5; workers++ {
		var reports []modelcheck.Report
		for _, c := range []*contract.Contract{whole, part} {
			report := check(t, c, modelcheck.Options{Workers: workers, Epochs: 3, Faults: none()})
			for i := range report.Runs {
				report.Runs[i].Elapsed = 0
			}
			reports = append(reports, report)
		}
		got, err := json.Marshal(reports)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if string(got) != string(first) {
			t.Errorf("%d workers: got %s, want %s", workers, got, first)
		}
	}
}

func TestABoundIsTold(t *testing.T) {
	c := edited(t, "rolling-drain")
	report := check(t, c, modelcheck.Options{MaxStates: 10_000})
	if report.OK() || report.Complete() || !strings.Contains(report.Runs[0].Bound, "more than 10000 states") {
		t.Errorf("states: got %+v", report.Runs[0])
	}
	report = check(t, edited(t, "staged-policy"), modelcheck.Options{MaxBytes: 4 << 20})
	if report.OK() || !strings.Contains(report.Runs[0].Bound, "more than 4 MiB") {
		t.Errorf("memory: got %+v", report.Runs[0])
	}
}

func TestACheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := modelcheck.Check(ctx, edited(t, "rolling-drain"), modelcheck.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestManyConsumersHoldWhatOneHolds(t *testing.T) {
	slow(t)
	for name, o := range map[string]modelcheck.Options{
		"rolling-drain": {Together: true, Faults: none(), Epochs: 3, SafetyOnly: true},
		"cicd-stages":   {Consumers: 2, Faults: none(), Epochs: 1, SafetyOnly: true},
	} {
		if report := check(t, edited(t, name), o); !report.OK() {
			t.Errorf("%s: got %+v", name, report)
		}
	}
}

func TestAModelThatDoesNotFitIsRefused(t *testing.T) {
	for _, test := range []struct {
		c    *contract.Contract
		o    modelcheck.Options
		want string
	}{
		{edited(t, "rolling-drain"), modelcheck.Options{Tick: time.Millisecond}, "want a longer model.tick"},
		{edited(t, "leader-lease"), modelcheck.Options{Tick: time.Millisecond}, "want a longer model.tick"},
		{edited(t, "rolling-drain"), modelcheck.Options{Consumers: 5}, "want at most 4"},
		{edited(t, "rolling-drain", "initial: INIT", "initial: BEGIN"), modelcheck.Options{}, "there is no phase BEGIN"},
	} {
		if _, err := modelcheck.Check(t.Context(), test.c, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
