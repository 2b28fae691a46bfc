package modelcheck_test

import (
	"strings"
	"testing"

	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
)

// waiting is a contract of two phases whose way on waits for another subject.
func waiting(t testing.TB, name, other, guard string) *contract.Contract {
	t.Helper()
	text := strings.NewReplacer("name: a,", "name: "+name+",", "transitions: [{from: A, to: B, await: {atMost: 2s}}]",
		`transitions: [{from: A, to: B, await: {atMost: 2s}, guard: "`+guard+`"}]`, "key: c}", "key: "+name+"}").Replace(smallest)
	if other != "" {
		text += "  deps: {it: {contract: " + other + ", key: " + other + "}}\n"
	}
	c, err := contract.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func possible(guard string, in contract.PhaseName, deps map[string]contract.PhaseName) bool {
	g, err := cel.Compile(guard)
	return err != nil || g.Possible(in, deps)
}

func TestGuardsThatWaitForEachOtherAreFound(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second *contract.Contract
		says, note    string
	}{
		{"each waits for the other", waiting(t, "one", "two", "deps['it'] == 'B'"), waiting(t, "two", "one", "deps['it'] == 'B'"), "one is A, where it is A; two is A, where it is A", ""},
		{"one after the other", waiting(t, "one", "two", "deps['it'] == 'B'"), waiting(t, "two", "", "true"), "", ""},
		{"a phase that will have passed", waiting(t, "one", "two", "deps['it'] == 'A'"), waiting(t, "two", "", "true"), "", "it can be shut out: one is A, where it is B"},
		{"a phase that there is not", waiting(t, "one", "two", "deps['it'] == 'C'"), waiting(t, "two", "", "true"), "one is A, where it is B", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := modelcheck.Options{Epochs: 1, Faults: none(), Possible: possible, Contracts: map[string]*contract.Contract{"one": tt.first, "two": tt.second}}
			report := check(t, tt.first, o)
			run := report.Runs[len(report.Runs)-1]
			if run.Name != "deps" {
				t.Fatalf("the last run is %s, want deps", run.Name)
			}
			says := ""
			if run.Counterexample != nil {
				says = run.Counterexample.Says
			}
			if says != tt.says {
				t.Errorf("it says %q, want %q", says, tt.says)
			}
			if note := run.Assumptions[len(run.Assumptions)-1]; tt.note != "" && note != tt.note {
				t.Errorf("it notes %q, want %q", note, tt.note)
			}
		})
	}
}

func TestDepsThatAreNotGivenAreNotFollowed(t *testing.T) {
	c := waiting(t, "one", "two", "deps['it'] == 'B'")
	for _, run := range check(t, c, modelcheck.Options{Epochs: 1, Faults: none(), Possible: possible}).Runs {
		if run.Name == "deps" {
			t.Error("a contract that is not there was checked")
		}
	}
}
