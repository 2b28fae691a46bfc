package interaction

import (
	"fmt"
	"strconv"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/wording"
)

// Sentence says what f found, for people. subject is who fails, as the
// sentence's subject ("Checkout"); if it is empty the sentence is about the rows
// of a table. outcome is "failed" or "slow".
func Sentence(f Finding, subject, outcome string) string {
	w := words{does: subject + " fails for ", do: "fail", short: "do", noun: "failures", things: requests}
	several := strings.Contains(subject, " and ")
	switch {
	case outcome == "slow" && several:
		w = words{does: subject + " are slow for ", do: "are slow", short: "are", noun: "slow requests", things: requests}
	case outcome == "slow":
		w = words{does: subject + " is slow for ", do: "are slow", short: "are", noun: "slow requests", things: requests}
	case several:
		w.does = subject + " fail for "
	}
	of := "the"
	if subject == "" {
		w.does, w.things = "", "rows"
	} else {
		of = possessive(subject)
	}
	if len(f.Cells) == 0 || len(f.Conditions) == 0 || f.Verdict == NoExplanation {
		return fmt.Sprintf("No combination of the conditions on record explains %s %s.", of, w.noun)
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
		w.of(percent(whole.Risk)+rate(whole)), list(f.Conditions, phrase), atMost(others), w.short)
}

// words are how a sentence speaks of one outcome.
type words struct {
	does   string // the subject and what it does, if there is a subject
	do     string // what requests do
	short  string // the same without the verb
	noun   string
	things string // what observations are called
}

// requests is what observations are called unless they are called otherwise.
const requests = "requests"

// of says how many requests do it.
func (w words) of(share string) string {
	if w.does == "" {
		return share + " of " + w.things + " " + w.do
	}
	return w.does + share + " of " + w.things
}

// single says what one condition does.
func (w words) single(whole Cell, c condition.Condition, others []Cell) string {
	verb := "with"
	if c.Dimension == "service.version" && c.Entity != "" {
		verb = "that meet"
	}
	share := percent(whole.Risk) + rate(whole)
	rest := "Of the others " + worst(others) + " " + w.short + "."
	if none := noneOf(others); none != "" {
		rest = "Of the others " + none + " " + w.short + "."
	}
	if w.does == "" {
		return fmt.Sprintf("%s of %s %s %s %s. %s", share, w.things, verb, phrase(c), w.do, rest)
	}
	return fmt.Sprintf("%s%s of %s %s %s. %s", w.does, share, w.things, verb, phrase(c), rest)
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
