package interaction

import (
	"fmt"
	"strconv"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/wording"
)

// Sentence says what f found, for people. subject is who fails, as the
// sentence's subject ("Checkout"); if it is empty the sentence is about the rows
// of a table. outcome is request.Failed or request.Slow.
func Sentence(f Finding, subject string, outcome request.Outcome) string {
	of, w := "the", speech{things: "rows", Words: outcome.Words("row")}
	if subject != "" {
		of, w = possessive(subject), speech{things: requests, Words: outcome.Words("request")}
		w.subject = subject + " " + w.Does + " for "
		if strings.Contains(subject, " and ") {
			w.subject = subject + " " + w.Do + " for "
		}
	}
	if len(f.Cells) == 0 || len(f.Conditions) == 0 || f.Verdict == NoExplanation {
		return fmt.Sprintf("No combination of the conditions on record explains %s %s.", of, w.Nouns)
	}
	var others []Cell // with one element missing
	for _, c := range f.Cells[1:] {
		if len(c.Holds) == len(f.Conditions)-1 {
			others = append(others, c)
		}
	}
	whole := f.Cells[0]
	switch len(f.Conditions) {
	case 1:
		return w.single(whole, f.Conditions[0], others)
	case 2:
		head := percent(whole.Risk)
		return fmt.Sprintf("%s when %s meets %s. %s", w.of(head),
			phrase(f.Conditions[0]), phrase(f.Conditions[1]), pair(f.Conditions, whole, others))
	}
	return fmt.Sprintf("%s when %s are in force together. With any one of them missing, %s %s.",
		w.of(percent(whole.Risk)+rate(whole)), list(f.Conditions, phrase), atMost(others), w.Short)
}

// Says explains a verdict to those who meet it for the first time. outcome is
// request.Failed or request.Slow, and thing what one observation is called. Of what is
// no verdict it says nothing.
func (v Verdict) Says(outcome request.Outcome, thing string) string {
	w := outcome.Words(thing)
	switch v {
	case SingleCause:
		return "One condition explains the " + w.Nouns + " by itself."
	case Interact:
		return "The conditions explain the " + w.Nouns + " together, and each of them is needed."
	case Joint:
		return "Each of the conditions is needed, but together they are not shown to do more than the sum of the parts."
	case Proxy:
		return "What is named goes with what does harm, or follows from it, and is not shown to do any itself."
	case Alias:
		return "The condition cannot be told apart from another one in this data."
	case Coincident:
		return "The state was in force at the time of the " + w.Nouns + ", and nothing shows that it did more."
	case NoExplanation:
		return "No set of the conditions on record explains these " + w.Nouns + "."
	}
	return ""
}

// A speech is how a sentence speaks of an outcome.
type speech struct {
	request.Words
	subject string // with what it does; empty if there is none
	things  string // what observations are called
}

// requests is what observations are called unless they are called otherwise.
const requests = "requests"

// of says how many requests do it.
func (w speech) of(share string) string {
	if w.subject == "" {
		return share + " of " + w.things + " " + w.Do
	}
	return w.subject + share + " of " + w.things
}

// single says what one condition does.
func (w speech) single(whole Cell, c condition.Condition, others []Cell) string {
	verb := "with"
	if c.Dimension == "service.version" && c.Entity != "" {
		verb = "that meet"
	}
	share := percent(whole.Risk) + rate(whole)
	rest := "Of the others " + worst(others) + " " + w.Short + "."
	if none := noneOf(others); none != "" {
		rest = "Of the others " + none + " " + w.Short + "."
	}
	if w.subject == "" {
		return fmt.Sprintf("%s of %s %s %s %s. %s", share, w.things, verb, phrase(c), w.Do, rest)
	}
	return fmt.Sprintf("%s%s of %s %s %s. %s", w.subject, share, w.things, verb, phrase(c), rest)
}

// little is the share of the risk of a set up to which the risk of a part of it
// is as good as none.
const little = 1.0 / 3

// pair says what either condition of two does without the other: others[i] is
// the cell that only cs[i] holds in.
func pair(cs []condition.Condition, whole Cell, others []Cell) string {
	if len(others) != 2 {
		return ""
	}
	a, b := others[0], others[1]
	switch {
	case a.Total == 0 && b.Total == 0:
		return "What either does alone is not known."
	case a.Total == 0:
		return half(cs[1], b, cs[0])
	case b.Total == 0:
		return half(cs[0], a, cs[1])
	case max(a.Risk, b.Risk) <= little*whole.Risk:
		return "Neither alone does (" + percent(a.Risk) + ", " + percent(b.Risk) + ")."
	}
	return "With only one of them it is " + percent(a.Risk) + " and " + percent(b.Risk) + "."
}

// half says what one condition does alone when it is not known of the other.
func half(known condition.Condition, c Cell, unknown condition.Condition) string {
	return fmt.Sprintf("With only %s it is %s; what %s does alone is not known.", phrase(known), percent(c.Risk), phrase(unknown))
}

// rate gives the interval and number behind a risk, in brackets.
func rate(c Cell) string {
	return fmt.Sprintf(" (%s to %s, n=%s)", percent(c.Low), percent(c.High), wording.Count(c.Total))
}

// worst is the highest risk of the cells that have observations.
func worst(cells []Cell) string {
	high, seen := 0.0, false
	for _, c := range cells {
		if c.Total > 0 {
			high, seen = max(high, c.Risk), true
		}
	}
	if !seen {
		return "not known"
	}
	return percent(high)
}

// atMost bounds what happens in any of the cells.
func atMost(cells []Cell) string {
	if none := noneOf(cells); none != "" {
		return none
	}
	if w := worst(cells); w != "not known" {
		return "at most " + w
	}
	return "it is not known how many"
}

// noneOf says of how many observations none was bad, or nothing if some were.
func noneOf(cells []Cell) string {
	total := 0
	for _, c := range cells {
		if c.Failed > 0 || c.Risk > 0 {
			return ""
		}
		total += c.Total
	}
	if total == 0 {
		return ""
	}
	return "none of " + wording.Count(total)
}

// phrase names a condition as people do: "cart 2.4.0", "flag rounding=banker".
func phrase(c condition.Condition) string {
	if c.Dimension == "service.version" && c.Entity != "" {
		return c.Entity + " " + c.Value
	}
	return c.String()
}

// list joins conditions as in "a, b and c".
func list(cs []condition.Condition, text func(condition.Condition) string) string {
	var b strings.Builder
	for i, c := range cs {
		switch {
		case i > 0 && i == len(cs)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(text(c))
	}
	return b.String()
}

// possessive is "Checkout's", "requests'".
func possessive(s string) string {
	if strings.HasSuffix(s, "s") {
		return s + "'"
	}
	return s + "'s"
}

// percent writes a share for a sentence, in which signs are words.
func percent(x float64) string {
	return strings.NewReplacer("<", "under ", ">", "over ").Replace(wording.Percent(x))
}

// probability writes a p.
func probability(p float64) string {
	if p < 1e-12 {
		return "p < 1e-12"
	}
	return "p = " + strconv.FormatFloat(p, 'g', 2, 64)
}
