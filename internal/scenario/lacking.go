package scenario

import (
	"fmt"
	"strings"

	"example.test/eddy/internal/condition"
)

// lacking says that the scenario has nothing that shows as some conditions of a
// finding, and what to write so that it does. What a version, a flag or a job
// does to a system nobody can read off a finding: that is asked for.
func (s *Scenario) lacking(missing []condition.Condition, shown []string) error {
	b := &strings.Builder{}
	var names []string
	for _, c := range missing {
		names = append(names, c.String())
	}
	if len(shown) == 0 {
		shown = []string{"none"}
	}
	fmt.Fprintf(b, "scenario %s has no condition that shows as %s; those that show are %s.\nWhat each of them does to the system is not in the finding. Add it to the file, with what you know in the place of what is in capitals:\n",
		s.File, list(names), strings.Join(shown, ", "))
	fmt.Fprintln(b, "\n    conditions:")
	rule := false
	for _, c := range missing {
		lines, ruled := s.skeleton(c)
		rule = rule || ruled
		for _, line := range lines {
			fmt.Fprintf(b, "      %s\n", line)
		}
	}
	if rule {
		// A version or a flag does nothing by itself in a model.
		fmt.Fprintln(b, "    rules:      # if requests fail by logic, and not for want of capacity")
		fmt.Fprintf(b, "      - {id: WHY, at: SERVICE, when: [%s], prob: 1.0, error: NAME}\n", strings.Join(quoted(missing), ", "))
	}
	return fmt.Errorf("%s", strings.TrimRight(b.String(), "\n"))
}

// skeleton is how a condition could be written, and whether it needs a rule to
// do anything.
func (s *Scenario) skeleton(c condition.Condition) (lines []string, rule bool) {
	target := c.Entity
	if !s.has(target) {
		target = "SERVICE"
	}
	id := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(strings.TrimSpace(c.Entity+"_"+c.Value))), "_")
	flag, isFlag := strings.CutPrefix(c.Dimension, "flag ")
	switch {
	case c.Dimension == "service.version":
		return []string{fmt.Sprintf("- {id: %s, kind: deploy, target: %s, apply: {version: %s}, window: {from: 30s}}", id, target, c.Value)}, true
	case isFlag:
		return []string{
			fmt.Sprintf("# and to service %s:  flags: [{key: %s, default: BEFORE, variant: %s}]", target, flag, c.Value),
			fmt.Sprintf("- {id: %s, kind: flag, target: %s, apply: {flag.%s.share: 0.5}, window: {from: 30s}}", id, target, flag),
		}, true
	case c.Value == "running":
		return []string{fmt.Sprintf("- {id: %s, kind: cron, target: %s, apply: {PARAMETER: VALUE}, window: {from: 30s, to: 90s}}", strings.ReplaceAll(c.Dimension, " ", "_"), target)}, false
	}
	return []string{
		fmt.Sprintf("- {id: %s, kind: config, target: %s, apply: {PARAMETER: VALUE}, window: {from: 30s}}", id, target),
		fmt.Sprintf("# and below:  truth: {seen_as: {%s: %q}}", id, c.String()),
	}, false
}

// has reports whether the model has a node of that name.
func (s *Scenario) has(id string) bool {
	for _, v := range s.Model.Services {
		if v.ID == id {
			return true
		}
	}
	for _, v := range s.Model.Stores {
		if v.ID == id {
			return true
		}
	}
	return false
}

func quoted(list []condition.Condition) []string {
	var out []string
	for _, c := range list {
		dimension := strings.TrimPrefix(c.Dimension, "flag ")
		if c.Dimension == "service.version" {
			dimension = "version"
		}
		out = append(out, fmt.Sprintf("%q", strings.TrimSpace(c.Entity+" "+dimension+"="+c.Value)))
	}
	return out
}
