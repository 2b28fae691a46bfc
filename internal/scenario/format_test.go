package scenario_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/scenario"
)

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
