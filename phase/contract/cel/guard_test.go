package cel_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
)

var now = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)

func TestGuardsFailClosed(t *testing.T) {
	known := cel.Facts{
		Phase: "DRAIN", Dwell: 10 * time.Second, InFlight: 3, Registered: 2, Acked: 2, Now: now,
		Deps:      map[string]contract.PhaseName{"cart": "ACTIVE", "pricing": "DRAIN"},
		Metrics:   map[string]cel.Metric{"M1": {Value: 0.0005, At: now.Add(-59 * time.Second)}, "old": {At: now.Add(-61 * time.Second)}},
		Consumers: []cel.Consumer{{Role: "region", ID: "eu", VersionReads: []string{"v1", "v2"}}, {Role: "region", ID: "us", VersionReads: []string{"v1"}}},
		Probe:     map[string]bool{"ready": true},
	}
	for _, test := range []struct {
		guard string
		want  bool
		err   string
	}{
		{"true", true, ""},
		{"inflight == 0 || dwell >= duration('25s')", false, ""},
		{"inflight == 3 && dwell >= duration('10s')", true, ""},
		{"acks.acked == acks.registered", true, ""},
		{"probe.ready", true, ""},
		{"probe.live", false, "no such key: live"},
		{"!request.wrote_v2", false, "no such key: wrote_v2"},
		{"metrics['M1'] < 0.001", true, ""},
		{"metrics['old'] == 0.0", false, "no such key: old"},
		{"deps['cart'] == 'ACTIVE'", true, ""},
		{"deps.all(d, deps[d] == 'ACTIVE')", false, ""},
		{"deps['none'] == 'ACTIVE'", false, "no such key: none"},
		{"consumers.all(c, c.version_reads.exists(v, v == 'v1'))", true, ""},
		{"consumers.all(c, c.version_reads.exists(v, v == 'v2'))", false, ""},
		{"now > timestamp('2026-11-26T02:00:00Z')", true, ""},
	} {
		g, err := cel.Compile(test.guard)
		if err != nil {
			t.Errorf("%s: %v", test.guard, err)
			continue
		}
		got, err := g.Holds(known)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %v, %v; want %v, %q", test.guard, got, err, test.want, test.err)
		}
	}
}

func TestWhatIsNotKnownIsNotZero(t *testing.T) {
	g, err := cel.Compile("inflight == 0")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Holds(cel.Facts{InFlight: -1}); got || err == nil {
		t.Errorf("got %v, %v; want false and why", got, err)
	}
}

func TestGuardsThatCannotBeDecidedAreRefused(t *testing.T) {
	for guard, want := range map[string]string{
		"inflght == 0":              "undeclared reference to 'inflght'",
		"inflight":                  "is int: want true or false",
		"dwell >= 25":               "no matching overload",
		"inflight ==":               "at character",
		"":                          "at character",
		strings.Repeat("x", 5000):   "want at most 4096",
		"phase == 'A' && (1 == '1'": "at character",
	} {
		if err := cel.Check(guard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", guard, err, want)
		}
	}
}

func BenchmarkCostliestGuard(b *testing.B) {
	g, err := cel.Compile("consumers.all(a, consumers.all(b, consumers.all(c, a.id != 'x' && b.id != 'x' && c.id != 'x')))")
	if err != nil {
		b.Fatal(err)
	}
	facts := cel.Facts{Consumers: make([]cel.Consumer, 100)}
	for b.Loop() {
		if _, err := g.Holds(facts); err == nil {
			b.Fatal("it was not ended")
		}
	}
}

func TestAThousandConsumersCanBeAskedForTheirVersions(t *testing.T) {
	g, err := cel.Compile("consumers.all(c, c.version_reads.exists(v, v == 'v2'))")
	if err != nil {
		t.Fatal(err)
	}
	consumers := slices.Repeat([]cel.Consumer{{Role: "region", VersionReads: []string{"v1", "v2"}}}, 1000)
	if got, err := g.Holds(cel.Facts{Consumers: consumers}); !got || err != nil {
		t.Errorf("got %v, %v; want true", got, err)
	}
}

func TestEvaluationIsBounded(t *testing.T) {
	g, err := cel.Compile("consumers.all(a, consumers.all(b, consumers.all(c, a.id != 'x' && b.id != 'x' && c.id != 'x')))")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Holds(cel.Facts{Consumers: make([]cel.Consumer, 100)}); got || err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("a million comparisons: got %v, %v", got, err)
	}
}

func TestWhatCanHoldIsTold(t *testing.T) {
	for guard, want := range map[string]bool{
		"true":                               true,
		"false":                              false,
		"inflight == 0":                      true,
		"phase == 'DRAIN'":                   true,
		"phase == 'ACTIVE'":                  false,
		"phase == 'ACTIVE' && inflight == 0": false,
		"phase == 'ACTIVE' || inflight == 0": true,
	} {
		g, err := cel.Compile(guard)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Possible("DRAIN", nil); got != want {
			t.Errorf("%s in DRAIN: got %v, want %v", guard, got, want)
		}
	}
}

func TestShippedGuardsCompileAndCanHold(t *testing.T) {
	for _, name := range contracts.Names() {
		text, _ := contracts.Read(name)
		c, err := contract.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Lint(contract.LintOptions{CheckGuard: cel.Check}) {
			t.Error(p)
		}
		for _, step := range c.Transitions {
			if g, err := cel.Compile(step.Guard); err == nil && !g.Possible(step.From, nil) {
				t.Errorf("%s: %s to %s: %s can never hold", name, step.From, step.To, step.Guard)
			}
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("inflight == 0 || dwell >= duration('25s')")
	f.Add("consumers.all(c, c.version_reads.exists(v, v == 'v2'))")
	f.Add("deps['a'] == 'B' && metrics['m'] < 1.0")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := cel.Compile(text)
		if err != nil {
			return
		}
		holds, err := g.Holds(cel.Facts{Phase: "A", Now: now})
		if holds && err != nil {
			t.Errorf("%q holds although %v", text, err)
		}
		if holds && !g.Possible("A", nil) {
			t.Errorf("%q holds although it cannot", text)
		}
	})
}

// What a guard reads of other subjects may be known, or anything.
func TestAGuardMayRestOnOtherSubjects(t *testing.T) {
	for _, tt := range []struct {
		guard string
		deps  map[string]contract.PhaseName
		want  bool
	}{
		{"deps['b'] == 'ON'", nil, true},
		{"deps['b'] == 'ON'", map[string]contract.PhaseName{"b": "ON"}, true},
		{"deps['b'] == 'ON'", map[string]contract.PhaseName{"b": "OFF"}, false},
		{"deps['b'] == 'ON' && request.reviewed", map[string]contract.PhaseName{"b": "ON"}, true},
		{"deps.all(d, deps[d] == 'ON')", map[string]contract.PhaseName{"b": "ON", "c": "OFF"}, false},
		{"deps.all(d, deps[d] == 'ON')", map[string]contract.PhaseName{}, true},
	} {
		g, err := cel.Compile(tt.guard)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Possible("A", tt.deps); got != tt.want {
			t.Errorf("%s with %v: %v, want %v", tt.guard, tt.deps, got, tt.want)
		}
	}
}
