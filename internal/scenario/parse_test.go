package scenario_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/scenario"
)

func load(t testing.TB, name string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Load(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryErrorNamesTheLineTheFieldAndTheFix(t *testing.T) {
	for _, name := range []string{"wrong", "senseless"} {
		_, err := scenario.Load(filepath.Join("testdata", name+".yaml"))
		if _, ok := errors.AsType[scenario.Problems](err); !ok {
			t.Fatalf("%s: error is %v, want Problems", name, err)
		}
		eddytest.Golden(t, name+".txt", err.Error()+"\n")
	}
}

func TestATextThatIsNoScenarioIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "no scenario in it",
		"# nothing":          "no scenario in it",
		"{a: [":              "x.yaml",
		"- a\n- b":           "x.yaml:1: want",
		"a: 1\n---\nb: 2":    "second document",
		"version: [1]":       "x.yaml:1: version: want a text",
		"topology: {a: 1}":   "topology.a: no such field",
		"seed: -1":           `seed: "-1": want a whole number`,
		"horizon: 3 minutes": "want a duration, such as 500ms, 10s or 1h30m",
	} {
		_, err := scenario.Parse("x.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q in it", text, err, want)
		}
	}
}

func TestAllScenariosThatComeWithEddyAreReadAndFitTheSchema(t *testing.T) {
	names := scenarios.Names()
	if len(names) == 0 {
		t.Fatal("none")
	}
	for _, name := range names {
		text, _ := scenarios.Read(name)
		s, err := scenario.Parse(name+".yaml", text)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if s.Model.Name != name {
			t.Errorf("%s.yaml is named %s", name, s.Model.Name)
		}
		if s.Description == "" {
			t.Errorf("%s has no description", name)
		}
		fits(t, name, text, true)
	}
}

func TestTheSchemaRefusesWhatTheParserRefusesByShape(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fits(t, "wrong", text, false)
	small, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fits(t, "small", small, true)
	for _, c := range []struct{ old, new string }{
		{"horizon: 100s", "horizon: 100 s"},
		{"max_attempts: 3}}", "attempts: 3}}"},
		{"servers: 6", "servers: six"},
		{"default: true", "default: maybe"},
		{"factors: [retries, brownout]", "factors: retries"},
	} {
		changed := bytes.Replace(small, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, small) {
			t.Fatalf("%q is not in small.yaml", c.old)
		}
		if _, err := scenario.Parse("x.yaml", changed); err == nil {
			t.Errorf("%q: parsed", c.new)
		}
		fits(t, c.new, changed, false)
	}
}

// fits checks whether a text fits the schema.
func fits(t *testing.T, name string, text []byte, want bool) {
	t.Helper()
	raw, err := json.Marshal(scenario.Schema())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("scenario.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); (err == nil) != want {
		t.Errorf("%s fits the schema: %v, want %t", name, err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"small", "wrong", "senseless"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("a: &x [*x]"))
	f.Add([]byte("conditions: [{apply: {a: {b: {c: {d: {e: {f: {g: 1}}}}}}}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("x.yaml", text)
		if (s == nil) == (err == nil) {
			t.Fatalf("scenario %v, error %v: want one of them", s, err)
		}
		if err != nil {
			if p, ok := errors.AsType[scenario.Problems](err); !ok || len(p) == 0 {
				t.Fatalf("error %v of type %T", err, err)
			}
			return
		}
		if err := s.Model.Validate(); err != nil {
			t.Errorf("parsed, and not valid: %v", err)
		}
	})
}

func TestTheScenarioInTheDocumentIsOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	found := 0
	for _, block := range blocks {
		if file, ok := strings.CutPrefix(block, "yaml\n"); ok {
			found++
			if _, err := scenario.Parse("docs/scenarios.md", []byte(file)); err != nil {
				t.Error(err)
			}
			fits(t, "docs/scenarios.md", []byte(file), true)
		}
	}
	if found == 0 {
		t.Error("docs/scenarios.md has no scenario")
	}
}

func TestTheDocumentListsTheResponses(t *testing.T) {
	text, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	s := load(t, "small.yaml")
	r, err := s.Run(t.Context(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range s.Responses(r) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/scenarios.md does not explain `%s`", name)
		}
	}
}
