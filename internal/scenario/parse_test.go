package scenario_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/sim"
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

func TestASettingThatTheSimulatorDoesNotKnowIsFoundByItsLine(t *testing.T) {
	text, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = scenario.Parse("x.yaml", bytes.Replace(text, []byte("speed: 0.01"), []byte("sped: 0.01"), 1))
	if err == nil || !strings.HasPrefix(err.Error(), `x.yaml:17: condition brownout: "sped": a service has version, `) {
		t.Errorf("error is %v", err)
	}
}

func TestWhatIsWrittenShortIsRead(t *testing.T) {
	const file = `version: eddy.sim/v1
name: short
horizon: 10s
topology:
  services: [{id: web, version: 1.10, service_time: {exp: 5ms}, calls: [{to: cache}]}]
  caches: [{id: cache, of: db, ttl: {uniform: [1s, 2s]}, keys: {dist: zipf, s: 1.01, n: 100}}]
  stores: [{id: db, read: 5ms}]
workload: [{id: users, rate: 10, entry: web}, {id: crawlers, kind: closed, closed: 2, think: 1s, entry: web}]
rules: [{id: bug, at: web, when: [web version=1.11, "not condition=fix"], error: boom}]
conditions: [{id: fix, kind: config, target: cache, apply: {ttl: {const: 9s}, flush: {fraction: 0.5}}, schedule: [3s, 1m]}]
`
	s, err := scenario.Parse("x.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	m := s.Model
	want := sim.Model{
		Name: "short", Horizon: 10 * time.Second,
		Services:  []sim.Service{{ID: "web", Version: "1.10", ServiceTime: sim.ExpDist(5 * time.Millisecond), Calls: []sim.Call{{To: "cache"}}}},
		Caches:    []sim.Cache{{ID: "cache", Of: "db", TTL: sim.UniformDist(time.Second, 2*time.Second), Keys: sim.Keys{N: 100, Zipf: 1.01}}},
		Stores:    []sim.Store{{ID: "db", Read: sim.ConstDist(5 * time.Millisecond)}},
		Workloads: []sim.Workload{{ID: "users", Rate: sim.Rate{Const: 10}, Entry: "web"}, {ID: "crawlers", Closed: 2, Think: sim.ConstDist(time.Second), Entry: "web"}},
		Rules: []sim.Rule{{ID: "bug", At: "web", Error: "boom", When: []sim.Atom{
			{Entity: "web", Dimension: "version", Value: "1.11"}, {Dimension: "condition", Value: "fix", Not: true},
		}}},
		Conditions: []sim.Condition{{
			ID: "fix", Kind: sim.KindConfig, Target: "cache",
			Apply:   []sim.Setting{{Param: "ttl", Value: sim.ConstDist(9 * time.Second)}, {Param: "flush.fraction", Value: 0.5}},
			Windows: []sim.Window{{From: 3 * time.Second, To: 3 * time.Second}, {From: time.Minute, To: time.Minute}},
		}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("the model differs (-want +got):\n%s", diff)
	}
	fits(t, "short", []byte(file), true)
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

// schema is compiled once.
var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	raw, err := json.Marshal(scenario.Schema())
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("scenario.json", value); err != nil {
		return nil, err
	}
	return compiler.Compile("scenario.json")
})

// fits checks whether a text fits the schema.
func fits(t *testing.T, name string, text []byte, want bool) {
	t.Helper()
	compiled, err := schema()
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
