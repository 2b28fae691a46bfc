package scenario_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/sim"
)

// Whoever gives the simulator a new part must give it a key in files.
func TestEveryPartOfAModelHasAKey(t *testing.T) {
	elsewhere := map[string]string{"Services": "topology", "Caches": "topology", "Stores": "topology", "Streams": "topology", "Quotas": "topology", "Leases": "topology", "Pipelines": "topology", "Issuers": "topology", "Distributions": "topology", "Links": "topology", "Workloads": "workload"}
	properties := scenario.Schema()["properties"].(map[string]any)
	for f := range reflect.TypeFor[sim.Model]().Fields() {
		key := strings.ToLower(f.Name)
		at := properties
		if elsewhere[f.Name] == "topology" {
			at = properties["topology"].(map[string]any)["properties"].(map[string]any)
		} else if elsewhere[f.Name] != "" {
			key = elsewhere[f.Name]
		}
		if at[key] == nil {
			t.Errorf("%s of a model cannot be written in a file: no key %s", f.Name, key)
		}
	}
}

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Read(name)
		s, err := scenario.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		written, err := scenario.Format(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := scenario.Parse(name, written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(s.Model, again.Model); diff != "" {
			t.Errorf("%s: the model differs (-read +written):\n%s\n%s", name, diff, written)
		}
		if s.Seed != again.Seed || s.Question.Harm != again.Question.Harm {
			t.Errorf("%s: seed %d or harm %v got lost", name, s.Seed, s.Question.Harm)
		}
		fits(t, name, written, true)
	}
}
