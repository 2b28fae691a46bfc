package modelcheck_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/phase/contract"
)

// spinResult is what Spin says of a model.
type spinResult struct {
	states, edges int
	depth         int           // of a violation, 0 without one
	cpu           time.Duration // of the search, not of making it
}

// requireSpin skips where spin or gcc are missing, unless they must not be.
func requireSpin(t testing.TB) {
	t.Helper()
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("EDDY_REQUIRE_SPIN") == "1" {
				t.Fatalf("%v, and EDDY_REQUIRE_SPIN=1", err)
			}
			t.Skipf("%v: the models are not compared with Spin's (Debian: apt-get install spin gcc)", err)
		}
	}
}

// spin runs Spin on a model, nearest states first.
func spin(t testing.TB, model string) spinResult {
	t.Helper()
	return pan(t, model, []string{"-O0", "-DBFS"}, "-E")
}

// pan runs Spin on a model, with flags for the compiler and for the search.
func pan(t testing.TB, model string, compiler []string, search ...string) spinResult {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.pml"), []byte(model), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) (string, time.Duration) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	run("spin", "-a", "m.pml")
	run("gcc", append(compiler, "-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c")...)
	out, cpu := run("./pan", search...)
	r := spinResult{cpu: cpu}
	number := func(pattern string) int {
		match := regexp.MustCompile(pattern).FindStringSubmatch(out)
		if match == nil {
			return 0
		}
		n, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	r.states, r.edges = number(`(\d+) states, stored`), number(`(\d+) transitions`)
	r.depth = number(`assertion violated .*\(at depth (\d+)\)`)
	if r.states == 0 {
		t.Fatalf("spin said nothing of states:\n%s", out)
	}
	return r
}

// A comparison is a model that both search.
type comparison struct {
	name string
	c    *contract.Contract
	o    modelcheck.Options
	slow bool // only with EDDY_SPIN=all
}

func comparisons(t testing.TB) []comparison {
	all := []comparison{
		{"drain", edited(t, "rolling-drain"), modelcheck.Options{Epochs: 3, Faults: none()}, false},
		{"together", edited(t, "rolling-drain"), modelcheck.Options{Together: true, Faults: none(), Epochs: 2}, true},
		{"two", edited(t, "cicd-stages"), modelcheck.Options{Consumers: 2, Faults: none(), Epochs: 1}, true},
		{"function", edited(t, "serverless-init"), modelcheck.Options{Epochs: 3}, true},
		{"api", edited(t, "api-versions"), modelcheck.Options{Epochs: 3}, true},
		{"table", edited(t, "expand-contract"), modelcheck.Options{Epochs: 3}, true},
		{"in_order", edited(t, "staged-policy", "reorder: true", "reorder: false"), modelcheck.Options{Epochs: 3}, true},
		{"seal", edited(t, "leader-lease"), modelcheck.Options{Tick: 1900 * time.Millisecond}, true},
		{"txn", edited(t, "leader-lease", "mode: seal", "mode: txn"), modelcheck.Options{Tick: 3 * time.Second, Faults: none()}, true},
		{"unknown", edited(t, "pipeline-format", "does: {read_v1: [FORMAT_V1, BOTH, DRAIN_V1]}\n        unknown: {does: []}", "does: {read_v1: [FORMAT_V1, BOTH, DRAIN_V1]}\n        unknown: {does: [read_v1]}"), modelcheck.Options{Epochs: 3}, true},
	}
	one, two := waiting(t, "one", "two", "deps['it'] == 'A'"), waiting(t, "two", "", "true")
	all = append(all, comparison{"deps", one, modelcheck.Options{Epochs: 1, Faults: none(), Possible: possible, Contracts: map[string]*contract.Contract{"one": one, "two": two}}, true})
	for _, r := range rules {
		all = append(all, comparison{"without_" + string(r.rule), edited(t, r.c), modelcheck.Options{Without: []modelcheck.Rule{r.rule}, Epochs: 3}, r.rule != modelcheck.RuleAwait})
	}
	for i, b := range broken {
		all = append(all, comparison{"broken_" + strconv.Itoa(i+1), edited(t, b.c, b.edits...), modelcheck.Options{Epochs: b.epochs()}, true})
	}
	return all
}

// The protocol is written out twice, in Go and in Promela. Where all is well, both
// must visit the same states by the same steps, and where not, both must find a way
// of the same length.
func TestSpinAgrees(t *testing.T) {
	slow(t)
	requireSpin(t)
	for _, k := range comparisons(t) {
		t.Run(k.name, func(t *testing.T) {
			if k.slow && os.Getenv("EDDY_SPIN") != "all" {
				t.Skip("only with EDDY_SPIN=all, as in .ci/run")
			}
			k.o.SafetyOnly = true
			report := check(t, k.c, k.o)
			models, err := modelcheck.Promela(k.c, k.o)
			if err != nil {
				t.Fatal(err)
			}
			for i, run := range report.Runs {
				compare(t, run, spin(t, models[i].Text))
			}
		})
	}
}

func compare(t *testing.T, run modelcheck.Run, theirs spinResult) {
	t.Helper()
	steps := 0
	if run.Counterexample != nil {
		steps = len(run.Counterexample.Steps)
	}
	if theirs.depth != steps {
		t.Errorf("%s: a violation in %d steps, Spin finds one in %d", run.Name, steps, theirs.depth)
	}
	// Spin enters the loop by a state and two steps of its own.
	if steps == 0 && (theirs.states != run.States+1 || theirs.edges != run.Edges+2) {
		t.Errorf("%s: %d states and %d edges, Spin has %d and %d; want one state and two edges more", run.Name, run.States, run.Edges, theirs.states, theirs.edges)
	}
}
