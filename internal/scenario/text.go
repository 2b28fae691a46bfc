package scenario

import (
	"fmt"
	"io"
	"strings"
	"time"

	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/wording"
)

// columns is how wide the axis of time is in a terminal of 80.
const columns = 52

// Write draws the picture with letters.
func (p Picture) Write(w io.Writer) error {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s, seed %d, %s of virtual time. %s\n\n", p.Name, p.Seed, p.End, p.summary())
	for _, l := range p.Lanes {
		row(out, l.ID, p.lane(l), laneText(l))
	}
	for _, s := range p.Rates {
		row(out, s.Name, spark(s.Values, p.Rates[0].Most()), fmt.Sprintf("up to %s/s", number(s.Most())))
	}
	for _, s := range p.Attempts {
		row(out, s.Name, spark(s.Values, 0), fmt.Sprintf("up to %s attempts a call", number(s.Most())))
	}
	for _, s := range p.Queues {
		row(out, s.Name, spark(s.Values, 0), fmt.Sprintf("up to %s waiting", number(s.Most())))
	}
	last := p.Latency[len(p.Latency)-1]
	row(out, "p99 of successes", spark(last.Values, 0), "up to "+seconds(last.Most()))
	fmt.Fprintf(out, "%-24s %-*s%s\n", "", columns-len(p.End.String()), "0s", p.End)
	_, err := io.WriteString(w, out.String())
	return err
}

func row(out *strings.Builder, name, drawn, says string) {
	if letters := []rune(name); len(letters) > 24 {
		name = string(letters[:23]) + "…"
	}
	fmt.Fprintf(out, "%-24s %s  %s\n", name, drawn, says)
}

// lane draws when a condition was in force.
func (p Picture) lane(l Lane) string {
	marks := []rune(strings.Repeat("·", columns))
	for _, t := range l.Spans {
		from := min(int(int64(columns)*int64(t.From)/int64(p.End)), columns-1)
		to := min(int(int64(columns)*int64(t.To)/int64(p.End)), columns-1)
		for i := from; i <= to; i++ {
			marks[i] = '━'
		}
	}
	return string(marks)
}

func laneText(l Lane) string {
	if len(l.Spans) == 0 {
		return string(l.Kind) + ", off"
	}
	first := l.Spans[0]
	text := fmt.Sprintf("%s, %s to %s", l.Kind, first.From, first.To)
	if n := len(l.Spans) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// spark draws values with blocks; top is the value of a full one, the highest if
// it is 0. A column shows the highest of its values.
func spark(values []float64, top float64) string {
	blocks := []rune("▁▂▃▄▅▆▇█")
	if top == 0 {
		top = highestOf(values)
	}
	var b strings.Builder
	for c := range columns {
		from := c * len(values) / columns
		part := values[from:max((c+1)*len(values)/columns, from+1)]
		level := 0
		if top > 0 {
			level = min(int(highestOf(part)/top*float64(len(blocks)-1)+0.5), len(blocks)-1)
		}
		b.WriteRune(blocks[level])
	}
	return b.String()
}

// number writes three digits, which is more than a picture shows.
func number(v float64) string {
	if v >= 1000 {
		return wording.Count(int64(v + 0.5))
	}
	return fmt.Sprintf("%.3g", v)
}

// seconds writes a duration with three digits.
func seconds(v float64) string {
	d, unit := time.Duration(v*1e9), time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// Write says what an experiment found.
func (s Study) Write(w io.Writer) error {
	out := &strings.Builder{}
	fmt.Fprintln(out, Sentence(s.Result))
	fmt.Fprintf(out, "%s of %s each, seeds %d to %d; %s.\n\n", wording.Plural(len(s.Result.Cells), "arm"),
		wording.Plural(s.Result.Replications, "replication"), s.Result.Seeds[0], s.Result.Seeds[1], s.Result.Stopped)
	fmt.Fprintf(out, "  %-46s %9s %7s  %s\n", "in force", s.Result.Harm, "risk", "interval")
	for _, c := range s.Result.Cells {
		fmt.Fprintf(out, "  %-46s %4d/%-4d %7s  %s to %s\n", orNone(c.On), c.Harmed, c.N,
			wording.Percent(c.Risk), wording.Percent(c.Low), wording.Percent(c.High))
	}
	for _, set := range s.Result.Sets {
		fmt.Fprintf(out, "\n%s: %s\n", strings.Join(set.Factors, " and "), set.Verdict)
		if text := contrastText(set); text != "" {
			fmt.Fprintf(out, "  %s\n", text)
		}
		for _, e := range set.Edges {
			fmt.Fprintf(out, "  %s\n", edgeText(e))
		}
		if len(set.Breaks) > 0 {
			fmt.Fprintf(out, "  broken by %s\n", strings.Join(set.Breaks, ", or by "))
		}
	}
	effects(out, s.Result)
	s.checks(out)
	for _, m := range s.Result.Missing {
		fmt.Fprintf(out, "missing: %s\n", m)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// contrastText writes the contrast of a set and its share of the effect; a set of
// one has neither.
func contrastText(set experiment.Set) string {
	if len(set.Factors) == 1 {
		return ""
	}
	text := "IC " + estimateText(set.IC)
	if set.Kappa != nil {
		text += ", κ " + estimateText(*set.Kappa)
	}
	return text
}

func estimateText(e experiment.Estimate) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", e.Value, e.Low, e.High)
}

func edgeText(e experiment.Edge) string {
	return fmt.Sprintf("without %s: %s, p %.2g", e.Without, wording.Percent(e.Risk.Value), e.P)
}

// checks says which asserts held, and what was planted.
func (s Study) checks(out *strings.Builder) {
	fmt.Fprintln(out)
	for _, c := range s.Asserts {
		word := "holds"
		if !c.Passed {
			word = "FAILS"
		}
		fmt.Fprintf(out, "%s  %s, in %s\n", word, c.Expr, wording.Plural(c.Arms, "arm"))
		for _, f := range c.Failed {
			fmt.Fprintf(out, "       %s\n", f)
		}
	}
	planted := "nothing that does harm"
	if len(s.Truth.Sets) > 0 {
		var sets []string
		for _, set := range s.Truth.Sets {
			sets = append(sets, strings.Join(set, " with "))
		}
		planted = strings.Join(sets, "; ")
	}
	word := "as planted"
	if !s.AsPlanted {
		word = "NOT as planted"
	}
	fmt.Fprintf(out, "%s: planted was %s\n", word, planted)
}

// Sentence is what an experiment found, in one sentence.
func Sentence(r experiment.Result) string {
	var proven []string
	for _, set := range r.Sets {
		switch set.Verdict {
		case experiment.ProvenConjunction:
			proven = append(proven, fmt.Sprintf("proven conjunction: %s together lead to %s in %s of the runs, and without any one of them there is none to speak of",
				strings.Join(set.Factors, " and "), r.Harm, wording.Percent(set.Risk.Value)))
		case experiment.SingleCause:
			proven = append(proven, fmt.Sprintf("single cause: %s alone leads to %s in %s of the runs",
				set.Factors[0], r.Harm, wording.Percent(set.Risk.Value)))
		default:
			proven = append(proven, fmt.Sprintf("%s: %s", set.Verdict, strings.Join(set.Factors, " and ")))
		}
	}
	switch {
	case len(proven) > 0:
		return capital(strings.Join(proven, "; ")) + "."
	case r.Verdict == experiment.None:
		return fmt.Sprintf("None: no combination of %s is enough for %s.", list(r.Factors), r.Harm)
	case r.Verdict == experiment.Regardless:
		return fmt.Sprintf("Regardless: there is %s with all of %s off.", r.Harm, list(r.Factors))
	}
	return fmt.Sprintf("Undecided: the runs do not tell whether %s lead to %s.", list(r.Factors), r.Harm)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
