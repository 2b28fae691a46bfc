package contract_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.test/eddy/phase/contract"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(contract.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("contract.json", raw); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("contract.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func document(t *testing.T, text []byte) any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestShippedContractsFitTheSchema(t *testing.T) {
	s := schema(t)
	for _, file := range files(t) {
		text := read(t, file)
		if err := s.Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestTheSchemaRefusesWhatParseRefuses(t *testing.T) {
	s := schema(t)
	for _, change := range [][2]string{
		{"monotone: true", "monoton: true"},
		{"  initial: INIT\n", ""},
		{"minDwell: 5s", "minDwell: 5"},
		{"accepts_new: grace", "accepts_new: maybe"},
		{"kind: PhaseContract", "kind: Contract"},
		{"panicThreshold: 0.5", "panicThreshold: half"},
	} {
		text := read(t, "rolling-drain.yaml")
		text = bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if _, err := contract.Parse("x.yaml", text); err == nil {
			t.Errorf("%s: Parse took it", change[1])
		}
		if err := s.Validate(document(t, text)); err == nil {
			t.Errorf("%s: the schema took it", change[1])
		}
	}
}

func TestTheSchemaIsOneDocument(t *testing.T) {
	if !json.Valid(contract.Schema()) {
		t.Error("it is no JSON")
	}
}
