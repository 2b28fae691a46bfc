package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/wording"
)

// A page lays out text for people, in lines that fit where they are shown.
type page struct {
	text  bytes.Buffer
	width int
	bold  bool
	// What a cell counts, in the plural; how the bad ones ended, and how sentences
	// speak of them.
	noun    string
	outcome request.Outcome
	words   request.Words
}

// newPage returns a page for w: as wide as the environment says the terminal
// is, 100 columns if it does not, and with bold type on terminals unless
// NO_COLOR is set.
func newPage(w io.Writer) *page {
	p := &page{width: 100}
	p.speak("row", request.Failed)
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		p.width = max(n, 40)
	}
	p.bold = terminal(w) && os.Getenv("NO_COLOR") == ""
	return p
}

// speak says what the page is about: things, which are called so in the singular,
// that ended in a way.
func (p *page) speak(thing string, outcome request.Outcome) {
	p.noun, p.outcome, p.words = thing+"s", outcome, outcome.Words(thing)
}

// printExplanation writes e for people: the sentence first, then for each
// finding what happened with its conditions and without, and the evidence.
func printExplanation(w io.Writer, e explanation) error {
	p := newPage(w)
	p.speak("row", e.Outcome)
	p.headline(e.Sentence)
	if w := e.Weight; w != nil {
		p.line("%s rows that stand for %s, %s %s (%s).", wording.Count(e.Rows), wording.Count(w.Requests), wording.Count(e.Failed), e.Outcome,
			wording.Percent(float64(e.Failed)/float64(w.Requests)))
		p.wrap("", fmt.Sprintf("Each row stands for as many as %s says, each %s for itself; shares are of what they stand for.", w.Column, p.words.Noun))
	} else {
		p.line("%s rows, %s %s (%s).", wording.Count(e.Rows), wording.Count(e.Failed), e.Outcome, wording.Percent(float64(e.Failed)/float64(e.Rows)))
	}
	if e.Slow != nil {
		p.wrap("", slowRule(e.Slow, e.entry))
	}
	for i, f := range e.Findings {
		p.finding(f, i > 0 || f.Verdict == interaction.Proxy)
	}
	if len(e.Rivals) > 0 {
		p.line("")
		p.line("Close behind the first, should it turn out to be wrong")
		for _, r := range e.Rivals {
			p.wrap("  - ", fmt.Sprintf("%s: %s of %s %s, where %s would have had nothing changed", listed(r.Conditions),
				wording.Count(r.Failed), wording.Count(r.Total), p.words.Ended(r.Failed), wording.Count(int(r.Expected+0.5))))
		}
	}
	if len(e.Coincident) > 0 {
		p.line("")
		p.wrap("In force at the time, without more to be said: ", listed(e.Coincident))
	}
	if len(e.Missing) > 0 {
		p.line("")
		p.line("What is missing")
		for _, m := range e.Missing {
			p.wrap("  - ", m)
		}
	}
	_, err := w.Write(p.text.Bytes())
	return err
}

// listed names conditions.
func listed(conditions []condition.Condition) string {
	names := make([]string, len(conditions))
	for i, c := range conditions {
		names[i] = c.String()
	}
	return strings.Join(names, ", ")
}

// slowRule says from when a row is slow.
func slowRule(s *duckdb.TableSlow, entry string) string {
	before := ""
	if !s.Before.IsZero() {
		before = " before " + s.Before.Format(time.RFC3339)
	}
	rule := fmt.Sprintf("Slow is %s > %s", s.Column, s.Text(s.Limit))
	switch {
	case s.Quantile == 0:
	case len(s.Entries) == 0:
		rule += fmt.Sprintf(", which %s of the rows%s did not exceed", wording.Percent(s.Quantile), before)
	default:
		low, high := s.Entries[0], s.Entries[0]
		for _, l := range s.Entries {
			if l.Limit < low.Limit {
				low = l
			}
			if l.Limit > high.Limit {
				high = l
			}
		}
		rule = fmt.Sprintf("Slow is a %s that %s of the rows%s of the same %s did not exceed: from %s (%s) to %s (%s)", s.Column,
			wording.Percent(s.Quantile), before, entry, s.Text(low.Limit), low.Entry, s.Text(high.Limit), high.Entry)
	}
	return rule + "."
}

// finding prints one finding; the sentence too, unless it has been said.
func (p *page) finding(f interaction.Finding, say bool) {
	p.line("")
	kind := string(f.Verdict)
	if f.Grade != "" && f.Grade != kind {
		kind += ", " + f.Grade
	}
	p.line("%d. %s", f.Rank, kind)
	if f.Verdict == interaction.Proxy { // the others say it by themselves
		p.wrap("   ", f.Verdict.Says(p.outcome, strings.TrimSuffix(p.noun, "s")))
	}
	if say {
		p.wrap("   ", interaction.Sentence(f, "", p.outcome))
	}
	p.line("")
	if len(f.Where) > 0 {
		p.wrap("   ", "At "+listed(f.Where)+", where nearly all of it happened:")
	}
	p.cells(f)
	p.line("")
	more := ""
	if f.Rank == 1 { // of later findings, the evidence says what was put aside
		more = fmt.Sprintf(", %s of them more than expected", wording.Count(int(f.Excess+0.5)))
	}
	p.wrap("   ", fmt.Sprintf("Covers %s of the %s%s; %s.", wording.Percent(f.Coverage), p.words.Nouns, more, chance(f.P)))
	for _, a := range f.Aliases {
		p.wrap("   = ", fmt.Sprintf("%s cannot be told from %s here: %s rows have one without the other.",
			a.Condition, a.Of, wording.Count(a.Discordant)))
	}
	for _, list := range []struct {
		mark      string
		sentences []string
	}{{"   + ", f.For}, {"   - ", f.Against}, {"   ? ", f.Missing}} {
		for _, s := range list.sentences {
			p.wrap(list.mark, s)
		}
	}
}

// cells prints the table of a finding's cells, with the numbers aligned. What
// does not fit is continued below.
func (p *page) cells(f interaction.Finding) {
	head := []string{"in force", p.noun, p.outcome.String(), "share", "95% interval"}
	rows := [][]string{head}
	for _, c := range f.Cells {
		interval, risk := "unknown", "-"
		if c.Total > 0 {
			interval, risk = wording.Percent(c.Low)+" to "+wording.Percent(c.High), wording.Percent(c.Risk)
		}
		rows = append(rows, []string{holding(c, len(f.Conditions)), wording.Count(c.Total), wording.Count(c.Failed), risk, interval})
	}
	widths := make([]int, len(head))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	numbers := 3
	for _, w := range widths[1:] {
		numbers += 2 + w
	}
	widths[0] = min(widths[0], max(p.width-numbers, 16))
	for _, row := range rows {
		label := fold(row[0], widths[0])
		fmt.Fprintf(&p.text, "   %s", pad(label[0], widths[0]))
		for i, cell := range row[1:] {
			fmt.Fprintf(&p.text, "  %*s", widths[i+1], cell)
		}
		p.text.WriteByte('\n')
		for _, more := range label[1:] {
			p.line("     %s", more)
		}
	}
}

// holding names a cell by the conditions that are in force in it.
func holding(c interaction.Cell, all int) string {
	switch {
	case len(c.Holds) > 0:
		return strings.Join(c.Holds, ", ")
	case all == 1:
		return "without it"
	default:
		return "none of them"
	}
}

// headline prints the sentence that says it all.
func (p *page) headline(sentence string) {
	lines := fold(sentence, p.width)
	if p.bold {
		lines[0] = "\x1b[1m" + lines[0]
		lines[len(lines)-1] += "\x1b[0m"
	}
	p.line("%s", strings.Join(lines, "\n"))
	p.line("")
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

// wrap prints text after a mark, in lines that fit.
func (p *page) wrap(mark, text string) {
	indent := utf8.RuneCountInString(mark)
	if indent > p.width/2 {
		text, mark, indent = mark+text, "", 0
	}
	for _, line := range fold(text, max(p.width-indent, 20)) {
		p.line("%s%s", mark, line)
		mark = strings.Repeat(" ", indent)
	}
}

// fold breaks text at spaces into lines of at most width characters. A word
// that is longer has a line of its own. There is always a line.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// pad fills text with spaces on the right.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// chance writes a probability.
func chance(p float64) string {
	if p < 1e-12 {
		return "p < 1e-12"
	}
	return "p = " + strconv.FormatFloat(p, 'g', 2, 64)
}
