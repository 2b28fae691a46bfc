package incident

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// Next is the one thing to do now, as a sentence. Of several conditions it
// names the one that is taken back most quickly: a flag before config, config
// before a job, a job before a version.
func (i *Incident) Next() string {
	switch {
	case i.State == Resolved:
		return "Nothing: the cause is no longer in force."
	case i.Finding == nil && len(i.Missing) > 0:
		return i.Missing[0]
	case i.Finding == nil:
		return fmt.Sprintf("Open the traces of the %s: nothing on record sets them apart yet.", i.words().Nouns)
	}
	f := i.Finding
	if i.Status == Refuted {
		return fmt.Sprintf("Look for another cause: an experiment refutes this one. Open the traces of the %s.", i.words().Nouns)
	}
	if len(f.Aliases) > 0 {
		a := f.Aliases[0]
		return fmt.Sprintf("Tell %s and %s apart: in this data they go together. Move one of them without the other.", a.Of, a.Condition)
	}
	if len(f.Conditions) == 0 {
		return fmt.Sprintf("Open the traces of the %s.", i.words().Nouns)
	}
	easiest := slices.MinFunc(f.Conditions, func(a, b condition.Condition) int { return effort(a) - effort(b) })
	how := undo(easiest)
	if i.State == Mitigated {
		return fmt.Sprintf("The %s stopped, the cause may return: %s.", i.words().Nouns, how)
	}
	if len(f.Conditions) > 1 {
		how += ": of the " + wording.Few(len(f.Conditions)) + " it is the quickest to take back"
	}
	if f.Verdict == interaction.Interact {
		how += ", and without it the others do little"
	}
	return how + "."
}

// effort orders conditions by how quickly they are taken back.
func effort(c condition.Condition) int {
	for k, words := range [][]string{{"flag"}, {"config", "policy", "limit"}, {"backup", "job", "schedule", "cron"}, {"version"}} {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(c.Dimension), w) }) {
			return k
		}
	}
	return math.MaxInt8
}

// undo says how a condition is taken back. It begins a sentence.
func undo(c condition.Condition) string {
	of := ""
	if c.Entity != "" {
		of = " of " + c.Entity
	}
	switch effort(c) {
	case 0:
		if slices.Contains([]string{"on", "true", "1", "enabled", "yes"}, strings.ToLower(c.Value)) {
			return "Switch " + c.Dimension + of + " off"
		}
		return "Set " + c.Dimension + of + " to another value than " + c.Value
	case 1:
		return "Take back " + c.Dimension + "=" + c.Value + of
	case 2:
		return "Stop or move " + c.Dimension + of
	case 3: // a version
		return "Roll " + cmp.Or(c.Entity, c.Dimension) + " back from " + c.Value
	}
	return "Take " + c.String() + " out of force"
}
