package scenario_test

import (
	"strings"
	"testing"

	"example.test/eddy/internal/scenario"
)

// lossy is a line on which half of the messages get lost.
const lossy = `
version: eddy.sim/v1
name: lossy
horizon: 20s
topology: {services: [{id: s, servers: 50, service_time: 5ms}]}
workload: [{id: users, rate: 20, entry: s}]
policies: {users->s: {timeout: 100ms}}
conditions:
  - {id: loss, kind: fault, target: users->s, apply: {network.loss: 0.5}, default: true}
  - {id: retries, kind: config, target: users->s, apply: {retry.max_attempts: 10}}
  - {id: two_tries, kind: config, target: users->s, apply: {retry.max_attempts: 2}}
  - {id: more_servers, kind: scale, target: s, apply: {servers: 100}}
  - {id: more_loss, kind: fault, target: users->s, apply: {network.loss: 0.9}}
experiment: {factors: [loss], harm: failed_share >= 0.55}
truth: {minimal_sets: [[loss]], defences: [retries, two_tries, more_servers, more_loss]}
`

// Of ten attempts of which a quarter get through one does; of two nearly half.
func TestADefenceBreaksHelpsOrDoesHarm(t *testing.T) {
	s, err := scenario.Parse("lossy.yaml", []byte(lossy))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Defences(t.Context(), 40)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		defence string
		effect  scenario.Effect
	}{{"", ""}, {"retries", scenario.Breaks}, {"two_tries", scenario.Helps}, {"more_servers", scenario.Nothing}, {"more_loss", scenario.Worse}}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, w := range want {
		r := rows[i]
		if r.Defence != w.defence || r.Effect != w.effect || r.Cell.N != 40 {
			t.Errorf("row %d is %q, %s, %d of %d harmed; want %q, %s, 40 runs", i, r.Defence, r.Effect, r.Cell.Harmed, r.Cell.N, w.defence, w.effect)
		}
	}
}

func TestADefenceIsAConditionThatIsOffByDefault(t *testing.T) {
	for _, bad := range []string{"loss", "nothing"} {
		text := strings.Replace(lossy, "defences: [retries,", "defences: ["+bad+",", 1)
		_, err := scenario.Parse("lossy.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), `truth.defences: "`+bad+`": want a condition that is off by default`) {
			t.Errorf("a defence %s: %v", bad, err)
		}
	}
}
