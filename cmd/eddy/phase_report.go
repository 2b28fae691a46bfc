package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/wording"
	"example.test/eddy/phase/contract"
)

// phaseReportCmd shows the indicators.
type phaseReportCmd struct {
	server
	Files     []string      `arg:"" optional:"" help:"Recorded telemetry and changes, as for eddy replay; without any a server is asked."`
	Contracts string        `help:"With files: a contract, or a directory of them, that phases are judged by." type:"path"`
	Window    time.Duration `default:"5m" help:"Over how long, an hour at most; with files, how long before their end."`
	Detail    bool          `help:"Show timelines, who learnt of a phase when, how long news took, and what was written while two led."`
	Subject   string        `help:"Show the detail of this subject only, or of those that begin so: shop/cart/*."`
	JSON      bool          `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (phaseReportCmd) Help() string {
	return `Examples:
  eddy phase report --window 1h
  eddy phase report --detail --subject 'shop/cart/*'
  eddy phase report --json | jq .findings
  eddy phase report traces.jsonl logs.jsonl --contracts contracts/ --window 1h

docs/phases.md explains each indicator. The exit status is 1 if something was found
that does harm.`
}

// Run prints the indicators of each contract, then the findings.
func (c *phaseReportCmd) Run(ctx context.Context, std stdio) error {
	if c.Window <= 0 || c.Window > time.Hour {
		return fmt.Errorf("--window is %s: want a duration up to 1h", c.Window)
	}
	if c.Contracts != "" && len(c.Files) == 0 {
		return fmt.Errorf("--contracts %s: a server has its own; give it with files", c.Contracts)
	}
	r, err := c.report(ctx)
	if err != nil {
		return err
	}
	if !c.Detail && c.Subject == "" {
		r.Detail = nil
	}
	if c.JSON {
		err = printJSON(std.out, r)
	} else {
		err = printReport(std.out, r)
	}
	if err != nil {
		return err
	}
	if r.Failed() {
		return errNo
	}
	return nil
}

// report asks the server, or replays files.
func (c *phaseReportCmd) report(ctx context.Context) (conformance.Report, error) {
	if len(c.Files) == 0 {
		var r conformance.Report
		query := url.Values{"window": {c.Window.String()}, "detail": {strconv.FormatBool(c.Detail)}, "subject": {c.Subject}}
		return r, c.get(ctx, "/api/v1/phase/report?"+query.Encode(), &r)
	}
	contracts, err := readContracts(c.Contracts)
	if err != nil {
		return conformance.Report{}, err
	}
	replayed, err := app.Replay{
		Files: c.Files, Contracts: contracts, PhaseWindow: c.Window, PhaseSubject: c.Subject, Log: slog.New(slog.DiscardHandler),
	}.Run(ctx)
	if err != nil {
		return conformance.Report{}, err
	}
	return *replayed.Phases, nil
}

// readContracts reads a contract, or all of a directory.
func readContracts(path string) ([]*contract.Contract, error) {
	if path == "" {
		return nil, nil
	}
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("contracts: %w", err)
	} else if info.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*.yaml")) // the pattern is a good one
		if len(files) == 0 {
			return nil, fmt.Errorf("contracts: there is no *.yaml in %s", path)
		}
	}
	var list []*contract.Contract
	for _, file := range files {
		c, err := contract.Load(file)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// printReport writes a report for people.
func printReport(w io.Writer, r conformance.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "contract\tM1 mismatch\tM2 drain failures\tM5 change\tM6 flaps/h\tM7 retries/h\n")
	for _, k := range r.Indicators {
		name := k.Contract
		if k.Origin == conformance.Inferred {
			name += " (inferred)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\n", name, share(k.M1), share(k.M2), k.M5, k.M6, k.M7)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	p := newPage(w)
	if len(r.Indicators) == 0 {
		p.line("No phases are on record.")
	}
	p.line("")
	p.line("M3 duplicates     %s", share(r.M3))
	p.line("M4 schema errors  %s", schemaErrors(r))
	p.line("M8 pages          %d this month, %d in 30 days, of %d", r.M8.Month, r.M8.Trailing, r.M8.All)
	p.line("M9 budget         %s", budget(r.M9))
	for _, f := range r.Findings {
		p.line("")
		p.phaseFinding(f)
	}
	if r.Detail != nil {
		p.detail(*r.Detail)
	}
	if r.Dropped > 0 {
		p.line("")
		p.line("%s did not fit within the bounds and are not counted.", wording.Plural(r.Dropped, "item"))
	}
	_, err := w.Write(p.text.Bytes())
	return err
}

func schemaErrors(r conformance.Report) string {
	s := share(r.M4)
	if r.M4.Part > 0 {
		s += fmt.Sprintf(", %.0f of them forbidden by a contract", r.Explained)
	}
	return s
}

func budget(b conformance.Budget) string {
	if !b.Known {
		return "n/a"
	}
	s := fmt.Sprintf("%.1f to %.1f %% used by phase flips since %s, %.0f to %.0f of %.0f requests, objective %g %%; burn %.1f in 5m, %.1f in 1h",
		100*b.Low, 100*b.High, b.Since.UTC().Format(time.DateTime), b.Flipped, b.Flipped+b.Joined, b.Requests, 100*b.Objective, b.Burn5m, b.Burn1h)
	if b.Alert != "" {
		s += ": " + b.Alert
	}
	return s
}

// phaseFinding prints a phase failure with its evidence.
func (p *page) phaseFinding(f conformance.Finding) {
	head := fmt.Sprintf("%s %s", f.Code, f.Text)
	if where := strings.TrimSpace(f.Contract + " " + f.Subject); where != "" {
		head = fmt.Sprintf("%s %s: %s", f.Code, where, f.Text)
	}
	if f.Origin == conformance.Inferred {
		head += " (inferred)"
	}
	if f.Severity == conformance.Low {
		head += " (no harm done)"
	}
	p.wrap("", head)
	for _, list := range []struct {
		mark      string
		sentences []string
	}{{"  + ", f.For}, {"  - ", f.Against}, {"  ? ", f.Missing}} {
		for _, s := range list.sentences {
			p.wrap(list.mark, s)
		}
	}
	if len(f.Traces) > 0 {
		var ids []string
		for _, t := range f.Traces[:min(3, len(f.Traces))] {
			ids = append(ids, t.String())
		}
		p.wrap("  = ", "traces "+strings.Join(ids, ", "))
	}
}

// detail prints timelines, splits, histograms and overlaps.
func (p *page) detail(d conformance.Detail) {
	for _, t := range d.Timelines {
		p.line("")
		p.line("%s, %s%s", t.Subject, t.Origin, by(cmp.Or(t.Contract, t.Source)))
		for _, h := range t.Spans {
			p.line("  %s", held(h))
		}
	}
	for _, s := range d.Splits {
		p.line("")
		end := "one or more never learnt of it"
		if !s.To.IsZero() {
			end = fmt.Sprintf("all by %s, %s later", clockTime(s.To), seconds(s.To.Sub(s.From).Seconds()))
		}
		p.line("%s of %s at %s: %s", s.Phase, s.Subject, clockTime(s.From), end)
		for _, c := range s.Consumers {
			p.line("  %s", late(c))
		}
	}
	for _, h := range d.Propagation {
		p.line("")
		p.line("%s %s: %d acknowledgements%s", h.Contract, h.Role, h.N, never(h))
		p.bars(h)
	}
	for _, o := range d.Overlaps {
		p.line("")
		p.line("%s, %s: %d and %d both wrote from %s to %s", o.Subject, o.Origin, o.Older, o.Younger, clockTime(o.From), clockTime(o.To))
		for _, w := range o.Writes {
			p.line("  %s", w)
		}
	}
	p.acted(d)
	if d.Left > 0 {
		p.line("")
		p.line("%s more; name some with --subject.", wording.Plural(d.Left, "subject"))
	}
}

// acted prints who acted on another belief than the phase in force, and which jobs
// were done again.
func (p *page) acted(d conformance.Detail) {
	for i, m := range d.Met {
		if i == 0 {
			p.line("")
			p.line("Acted on another belief than the phase in force")
		}
		believed := m.Believed
		if believed == "?" {
			believed = "unknown"
		}
		p.line("  %s: %s believed %s and did %s in %s %.0f times, %.0f of them did not fit (%s to %s)",
			m.Contract, m.Role, believed, m.Action, m.Actual, m.N, m.Misfits, wording.Percent(m.Low), wording.Percent(m.High))
	}
	for i, j := range d.Duplicates {
		if i == 0 {
			p.line("")
			p.line("Jobs that were done again: look at what they have done twice")
		}
		var by []string
		for _, c := range j.Commits {
			by = append(by, fmt.Sprintf("%s at %s", c.By, clockTime(c.Time)))
		}
		p.line("  %s: %s", j.Job, strings.Join(by, ", "))
	}
	if d.LeftDuplicates > 0 {
		p.line("  and %s more", wording.Plural(d.LeftDuplicates, "job"))
	}
}

func by(source string) string {
	if source == "" {
		return ""
	}
	return " by " + source
}

func clockTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("15:04:05.000Z")
}

func held(h conformance.Held) string {
	var facts []string
	if h.Epoch > 0 {
		facts = append(facts, fmt.Sprintf("epoch %d", h.Epoch))
		switch {
		case h.Enforced.IsZero():
			facts = append(facts, "not in force on record")
		case h.Announced.IsZero():
			facts = append(facts, "in force at "+clockTime(h.Enforced), "not announced")
		default:
			facts = append(facts, "in force "+seconds(h.Enforced.Sub(h.Announced).Seconds())+" later")
		}
	}
	if !h.Until.IsZero() {
		facts = append(facts, "until "+clockTime(h.Until))
	}
	if h.Misfits > 0 {
		facts = append(facts, wording.Plural(h.Misfits, "arrival")+" that it does not take")
	}
	return strings.TrimRight(fmt.Sprintf("%-13s  %-10s  %s", clockTime(h.Announced), h.Phase, strings.Join(facts, ", ")), " ")
}

func late(c conformance.Late) string {
	name := c.Who()
	switch {
	case c.Sent > 0:
		return fmt.Sprintf("%s: %s, the last %s after, %d broke", name, wording.Plural(c.Sent, "call"), seconds(c.Seconds), c.Broken)
	case c.Learnt.IsZero():
		return name + ": never learnt of it"
	}
	return name + ": for " + seconds(c.Seconds)
}

// seconds writes a time that may be short, or negative where clocks disagree.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func never(h conformance.Propagation) string {
	if h.Never == 0 {
		return ""
	}
	return fmt.Sprintf(", %d never came", h.Never)
}

// bars draws a histogram.
func (p *page) bars(h conformance.Propagation) {
	most := 1
	for _, n := range h.Counts {
		most = max(most, n)
	}
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		label := "more"
		if i < len(h.Bounds) {
			label = "<= " + seconds(h.Bounds[i])
		}
		p.line("  %-9s %6d %s", label, n, strings.Repeat("#", max(1, 40*n/most)))
	}
}

// share writes how many of how many, or that it cannot be told.
func share(s conformance.Share) string {
	switch {
	case s.Known:
		return fmt.Sprintf("%.0f of %.0f (%.2f %%)", s.Part, s.Of, 100*s.Ratio())
	case s.Of > 0:
		return fmt.Sprintf("n/a: %.0f %% say what they believe", 100*s.Coverage)
	}
	return "n/a"
}
