package scenarios_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/scenario"
)

// wanted are the incidents and uses that Eddy is made for. Each must have a
// scenario that fails, and those of the first list defences that were tried.
func wanted() map[string][]string {
	return map[string][]string{
		"Canonical incidents": {
			"retry storm", "cache stampede", "split brain", "hot partition", "queue overload", "DNS outage", "service discovery failure", "cascading failure",
		},
		"Conditions that meet": {
			"quota shared by tenants", "cache invalidation windows", "combinations of flags", "rolling upgrade skew", "network policy and autoscaling",
			"token cache and policy change", "observability pipeline overload", "cold start and connection limit", "backup and peak", "third party and retries",
			"affinity and autoscaler at middle load", "serializer of new producer and old consumer under load", "eviction and invalidation jobs",
		},
		"Phases that disagree": {
			"rolling update", "leader election for cron", "flag rollout across regions", "schema migration in shards", "draining nodes", "API version negotiation",
			"warm and cold functions", "stage order of a delivery", "security policy rollout", "back-pressure of a pipeline",
			"drain misrouting", "overlap of leaders", "schema phase mismatch", "flapping", "missing announcement",
			"rolling deploy 503 spike", "function startup race", "duplicates by a leadership split", "flapping of an autoscaler",
		},
		"Harm without an error, and slow harm": {
			"double charge", "leak", "silent corruption", "dependency loop", "half-committed saga", "quadratic cost", "duplicate messages",
		},
	}
}

func load(t *testing.T, name string) *scenario.Scenario {
	t.Helper()
	text, ok := scenarios.Read(name)
	if !ok {
		t.Fatalf("no scenario %s", name)
	}
	s, err := scenario.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The table of docs/scenarios.md says which scenario stands for what.
func TestEachIncidentHasItsScenario(t *testing.T) {
	text, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`([a-z0-9-]+)`")
	listed := make(map[string]bool)
	rows := make(map[string][]string) // by line of the table: its cells
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) == 3 {
			rows[strings.TrimSpace(cells[0])] = cells
		}
	}
	for part, lines := range wanted() {
		for _, line := range lines {
			cells, ok := rows[line]
			if !ok {
				t.Errorf("%s: %q is not in the table", part, line)
				continue
			}
			fails := names.FindAllStringSubmatch(cells[1], -1)
			if len(fails) == 0 {
				t.Errorf("%s: %q has no scenario that fails", part, line)
			}
			for _, m := range fails {
				listed[m[1]] = true
				s := load(t, m[1])
				if len(s.Truth.Sets) == 0 {
					t.Errorf("%q: nothing is planted in %s", line, m[1])
				}
				if part == "Canonical incidents" && m[1] == fails[0][1] && len(s.Truth.Defences) < 2 {
					t.Errorf("%q: %s names %d defences, want two or more", line, m[1], len(s.Truth.Defences))
				}
			}
			for _, m := range names.FindAllStringSubmatch(cells[2], -1) {
				if s := load(t, m[1]); len(s.Truth.Sets) > 0 {
					t.Errorf("%q: %s is said to be healthy, and something is planted in it", line, m[1])
				}
			}
		}
	}
}

func TestAtLeastHalfOfTheScenariosAreHealthy(t *testing.T) {
	var healthy, failing int
	for _, name := range scenarios.Names() {
		s := load(t, name)
		if s.Question == nil {
			t.Errorf("%s asks for no experiment", name)
		}
		if name != s.Model.Name {
			t.Errorf("the scenario in %s.yaml is called %s", name, s.Model.Name)
		}
		if len(s.Truth.Sets) == 0 {
			healthy++
		} else {
			failing++
		}
	}
	if healthy < failing {
		t.Errorf("%d are healthy and %d are not, want as many at least", healthy, failing)
	}
}

// A rule that fails requests is the fault itself, written down: its proof is about
// the rule. Where components can make the fault, they do.
func TestFewScenariosRestOnADeclaredFault(t *testing.T) {
	const reason = "# Rests on a rule"
	for _, name := range scenarios.Names() {
		rests := false
		for _, r := range load(t, name).Model.Rules {
			rests = rests || r.Error != "" || r.Leak || r.Slow.Shape != ""
		}
		text, _ := scenarios.Read(name)
		if says := strings.Contains(string(text), reason); rests != says {
			t.Errorf("%s rests on a declared fault: %t; it says so and why (%q): %t", name, rests, reason, says)
		}
	}
}
