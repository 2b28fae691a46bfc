package scenario_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/scenario"
)

// storm is a retry storm that goes on when the brownout that began it is over.
const storm = `version: eddy.sim/v1
name: storm
seed: 5
horizon: 90s
warmup: 5s
topology:
  services:
    - {id: shop, servers: 1000, service_time: {exp: 1ms}, calls: [{to: pay}]}
    - {id: pay, servers: 30, service_time: {exp: 100ms}}
workload:
  - {id: users, rate: 240, entry: shop, op: "POST /pay", patience: 10s}
policies:
  shop->pay: {timeout: 1s, retry: {max_attempts: 3}}
conditions:
  - {id: retries, kind: config, target: shop->pay, apply: {retry.max_attempts: 3}, revert: {retry.max_attempts: 1}, default: true}
  - {id: brownout, kind: fault, target: pay, apply: {speed: 0.01}, window: {from: 20s, to: 26s}, default: true}
  - {id: budget, kind: config, target: shop->pay, apply: {retry.budget.tokens: {ratio: 0.1, burst: 10}}}
truth: {pattern: retry_storm, trigger: brownout, sustaining: retries, minimal_pairs: [[retries, brownout]]}
`

// A line is any line of a truth file.
type line struct {
	Type, ID, Service, Role, Shows, Trace, Outcome string
	From, To                                       time.Time
	Conditions                                     []json.RawMessage
	Bad, N, Requests, Failed, Slow                 int
	UserMinutesLost                                float64 `json:"user_minutes_lost"`
}

// truthOf writes the truth of the scenario's own run, holds each line against
// the schema, and returns the lines by type.
func truthOf(t *testing.T, s *scenario.Scenario) map[string][]line {
	t.Helper()
	var out bytes.Buffer
	if err := s.WriteTruth(t.Context(), s.Seed, nil, &out); err != nil {
		t.Fatal(err)
	}
	schema := truthSchema(t)
	lines := make(map[string][]line)
	for text := range strings.Lines(out.String()) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Fatalf("%s does not fit the schema: %v", text, err)
		}
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		lines[l.Type] = append(lines[l.Type], l)
	}
	return lines
}

func truthSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(scenario.TruthSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("truth.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("truth.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func parse(t *testing.T, name, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheTruthTellsWhatStartsAStormAndWhatKeepsItGoing(t *testing.T) {
	lines := truthOf(t, parse(t, "storm.yaml", storm))
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	roles := make(map[string]string)
	for _, l := range lines["condition"] {
		roles[l.ID] = fmt.Sprintf("%s %s to %s", l.Role, l.From.Sub(begin), l.To.Sub(begin))
	}
	if got := fmt.Sprint(roles); got != "map[brownout:trigger 20s to 26s retries:sustaining 0s to 1m30s]" {
		t.Errorf("conditions are %s", got)
	}
	where := make(map[string]line)
	for _, l := range lines["onset"] {
		where[l.Service] = l
	}
	for _, service := range []string{"users", "pay"} {
		l := where[service]
		if at := l.From.Sub(begin); at < 20*time.Second || at > 24*time.Second || l.To.Sub(begin) < 85*time.Second || l.Bad*10 < l.N*5 {
			t.Errorf("harm at %s began at %s and ended at %s, %d of %d; want it from the brownout to the end", service, l.From, l.To, l.Bad, l.N)
		}
	}
	totals := lines["totals"][0]
	if totals.UserMinutesLost != float64(totals.Failed+totals.Slow) || totals.UserMinutesLost < 1000 {
		t.Errorf("%v user minutes are lost, %d failed and %d slow", totals.UserMinutesLost, totals.Failed, totals.Slow)
	}
	for _, raw := range totals.Conditions {
		var c struct {
			ID           string
			Blamed       int
			AfterTrigger int     `json:"after_trigger"`
			Lost         float64 `json:"user_minutes_lost"`
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		// Without either there is no storm, so both are to blame for what comes after
		// the trigger.
		if c.AfterTrigger < 1000 || c.Blamed < c.AfterTrigger || c.Lost < 1000 {
			t.Errorf("%s is to blame for %d, %d of them after the brownout, and cost %v user minutes", c.ID, c.Blamed, c.AfterTrigger, c.Lost)
		}
	}
	if len(totals.Conditions) != 2 {
		t.Errorf("%d conditions have a cost, want the two that were on", len(totals.Conditions))
	}
}

func TestTruthAndTelemetryShareNothingButTraces(t *testing.T) {
	text, _ := scenarios.Read("flag-combination")
	s := parse(t, "flags.yaml", string(text))
	var told, untold bytes.Buffer
	if _, err := s.Record(t.Context(), s.Seed, nil, &told); err != nil {
		t.Fatal(err)
	}
	blames := truthOf(t, s)["blame"]
	if len(blames) < 100 {
		t.Fatalf("%d requests have a blame", len(blames))
	}
	traces := make(map[string]bool)
	for part := range strings.SplitSeq(told.String(), `"traceId":"`) {
		traces[part[:min(len(part), 32)]] = true
	}
	for _, b := range blames {
		if b.Outcome != "failed" || len(b.Conditions) != 2 {
			t.Fatalf("%+v; want failures that both flags are to blame for", b)
		}
		if !traces[b.Trace] {
			t.Fatalf("telemetry has no trace %s", b.Trace)
		}
	}
	s.Truth = scenario.Truth{}
	if _, err := s.Record(t.Context(), s.Seed, nil, &untold); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(told.Bytes(), untold.Bytes()) {
		t.Error("telemetry depends on what the author says of the truth")
	}
}

// A scenario that does no harm has no onset, and nobody to blame.
func TestTheTruthOfAHealthyRunIsThatNothingIsWrong(t *testing.T) {
	calm := strings.ReplaceAll(storm, "default: true", "default: false")
	lines := truthOf(t, parse(t, "calm.yaml", strings.ReplaceAll(calm, "max_attempts: 3}}", "max_attempts: 1}}")))
	if len(lines["onset"]) > 0 || len(lines["blame"]) > 0 || len(lines["condition"]) > 0 {
		t.Errorf("onsets %v, blames %v, conditions %v", lines["onset"], lines["blame"], lines["condition"])
	}
}

func TestEveryLineOfTheTruthHasAType(t *testing.T) {
	schema := truthSchema(t)
	for _, text := range []string{`{}`, `{"type":"guess"}`, `{"type":"onset","service":"pay"}`} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("the schema takes %s", text)
		}
	}
}
