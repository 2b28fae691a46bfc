package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/demo"
	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/wording"
)

// reproduceCmd makes a finding again, in the simulator.
type reproduceCmd struct {
	server

	ID       string `arg:"" optional:"" help:"Incident of a running server."`
	Finding  string `help:"Read the finding from this file: what eddy show, replay or explain print with --json." type:"path" placeholder:"FILE"`
	Scenario string `help:"The system: a file, or the name of a scenario that comes with Eddy." placeholder:"FILE|NAME"`
	Live     bool   `help:"Ask the services of the demo's shop, which are opened for it on loopback, and not the simulator."`
	Points   int    `default:"5" help:"At how many places in the ranges of what is not known (uncertain) to ask."`
	Record   bool   `default:"true" negatable:"" help:"Record the result with the incident, if ID names one (needs a token of role operator where tokens are required)."`
	Workers  int    `help:"How many runs go on at the same time (default: one a core)."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (reproduceCmd) Help() string {
	return `Examples:
  eddy reproduce 2026-11-21-1 --scenario shop.yaml
  eddy replay traces.jsonl --json > found.json
  eddy reproduce --finding found.json --scenario shop.yaml
  eddy reproduce 2026-11-21-1 --live      while eddy demo runs

The scenario must have a condition for each of the finding's, which says what it
does to the system; the experiment then says whether exactly these do the harm.
"eddy sim import" makes a scenario of recorded traces, to which the conditions
are to be added. The incident is then confirmed or refuted: the result is sent
to the server, which keeps it and shows it (not with --no-record). The exit status is 0 if the finding is confirmed, and 1 if it is
refuted, or if it depends on what is not known.`
}

// Run prints the cells that were observed beside those of the experiment.
func (c *reproduceCmd) Run(ctx context.Context, std stdio) error {
	f, err := c.finding(ctx)
	if err != nil {
		return err
	}
	change := func(o *experiment.Options) {
		if c.Workers > 0 {
			o.Workers = c.Workers
		}
		if terminal(std.err) {
			o.Progress = func(done, most int) { fmt.Fprintf(std.err, "\r\x1b[K%d of at most %d runs", done, most) }
		}
	}
	var r scenario.Reproduction
	if c.Live {
		r, err = live(ctx, f.Conditions, change)
	} else {
		r, err = c.simulated(ctx, f.Conditions, change)
	}
	if terminal(std.err) {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	if err != nil {
		return fmt.Errorf("reproduce: %w", err)
	}
	if c.JSON {
		err = printJSON(std.out, struct {
			Finding interaction.Finding `json:"finding"`
			scenario.Reproduction
		}{f, r})
	} else {
		err = printReproduction(std.out, f, r)
	}
	if err == nil && c.ID != "" && c.Record {
		err = c.record(ctx, std.err, r.Experiment(f.Conditions))
	}
	if err == nil && r.Status != incident.Confirmed {
		err = errNo
	}
	return err
}

// record gives the incident the result.
func (c *reproduceCmd) record(ctx context.Context, w io.Writer, e incident.Experiment) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	var k incident.Incident
	if err := c.ask(ctx, http.MethodPost, "/api/v1/incidents/"+url.PathEscape(c.ID)+"/experiments", body, &k); err != nil {
		return fmt.Errorf("record: the result stands, but the incident does not have it: %w", err)
	}
	_, err = fmt.Fprintf(w, "recorded: incident %s is %s, with %s\n", k.ID, k.Status, wording.Plural(len(k.Experiments), "experiment"))
	return err
}

// simulated asks the simulator.
func (c *reproduceCmd) simulated(ctx context.Context, of []condition.Condition, change func(*experiment.Options)) (scenario.Reproduction, error) {
	s, err := findScenario(c.Scenario)
	if err != nil {
		return scenario.Reproduction{}, err
	}
	return s.Reproduce(ctx, of, c.Points, change)
}

// A trial of the live shop is a stretch of so many requests, and there are
// failures if a tenth of them fail. The shop's noise is one in a thousand.
const (
	stretch = 30
	tenth   = stretch / 10
)

// live asks the shop of the demo: one stretch after the other, since all share
// its services.
func live(ctx context.Context, of []condition.Condition, change func(*experiment.Options)) (scenario.Reproduction, error) {
	bench, err := demo.OpenBench(ctx, 1)
	if err != nil {
		return scenario.Reproduction{}, err
	}
	o := experiment.Options{Harm: "failures", Measures: []string{"failed_share"}, Max: 80}
	for _, c := range of {
		o.Factors = append(o.Factors, c.String())
		if !slices.Contains(bench.Conditions(), c) {
			return scenario.Reproduction{}, errors.Join(unknownLive(c, bench.Conditions()), bench.Close(ctx))
		}
	}
	change(&o)
	o.Workers = 1
	r, err := experiment.Run(ctx, o, func(ctx context.Context, arm experiment.Arm, seed uint64) (experiment.Outcome, error) {
		var in, out []condition.Condition
		for i, c := range of {
			if arm.On(i) {
				in = append(in, c)
			} else {
				out = append(out, c)
			}
		}
		failed, err := bench.Try(ctx, in, out, stretch, seed)
		return experiment.Outcome{Harm: failed >= tenth, Values: []float64{float64(failed) / stretch}}, err
	})
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	if err := errors.Join(err, bench.Close(closing)); err != nil {
		return scenario.Reproduction{}, err
	}
	status := scenario.StatusOf(&r, o.Factors)
	return scenario.Reproduction{System: "the demo's shop", Live: true, Status: status, Factors: o.Factors, Points: []scenario.Point{{Result: r, Status: status}}}, nil
}

func unknownLive(c condition.Condition, has []condition.Condition) error {
	var texts []string
	for _, k := range has {
		texts = append(texts, k.String())
	}
	return fmt.Errorf("the demo's shop cannot put %s in force: it has %s", c, strings.Join(texts, ", "))
}

// finding reads the finding, from the server or from a file.
func (c *reproduceCmd) finding(ctx context.Context) (interaction.Finding, error) {
	switch {
	case (c.Scenario == "") != c.Live:
		return interaction.Finding{}, errors.New("reproduce: say where, with --scenario or --live, and not both")
	case (c.ID == "") == (c.Finding == ""):
		return interaction.Finding{}, errors.New("reproduce: name an incident, or a file with --finding, and not both")
	case c.ID != "":
		var k incident.Incident
		if err := c.get(ctx, "/api/v1/incidents/"+url.PathEscape(c.ID), &k); err != nil {
			return interaction.Finding{}, err
		}
		if k.Finding == nil {
			return interaction.Finding{}, fmt.Errorf("reproduce: nothing explains incident %s, so there is nothing to confirm", c.ID)
		}
		return *k.Finding, nil
	}
	text, err := os.ReadFile(c.Finding)
	if err != nil {
		return interaction.Finding{}, fmt.Errorf("finding: %w", err)
	}
	f, err := firstFinding(text)
	if err != nil {
		return f, fmt.Errorf("finding %s: %w", c.Finding, err)
	}
	return f, nil
}

// firstFinding takes the first finding out of what a command printed: a finding,
// an incident, several incidents, or a result.
func firstFinding(text []byte) (interaction.Finding, error) {
	var any struct {
		interaction.Finding

		One       *interaction.Finding  `json:"finding"`
		Findings  []interaction.Finding `json:"findings"`
		Incidents []incident.Incident   `json:"incidents"`
	}
	if err := json.Unmarshal(text, &any); err != nil {
		return interaction.Finding{}, fmt.Errorf("%w: want what eddy show, replay or explain print with --json", err)
	}
	switch {
	case len(any.Conditions) > 0:
		return any.Finding, nil
	case any.One != nil:
		return *any.One, nil
	case len(any.Findings) > 0:
		return any.Findings[0], nil
	}
	for _, k := range any.Incidents {
		if k.Finding != nil {
			return *k.Finding, nil
		}
	}
	return interaction.Finding{}, errors.New("there is no finding in it")
}

// printReproduction writes it for people.
func printReproduction(w io.Writer, f interaction.Finding, r scenario.Reproduction) error {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s: %s of %s.\n", capital(string(r.Status)), f.Verdict, conditionsText(f.Conditions))
	for i, p := range r.Points {
		if len(r.Points) > 1 {
			fmt.Fprintf(out, "\nat %s: %s, %s\n", p, p.Status, p.Result.Verdict)
		}
		if i == 0 {
			printBeside(out, f, r.Factors, p.Result)
		}
		for _, m := range p.Result.Missing {
			fmt.Fprintf(out, "missing: %s\n", m)
		}
	}
	if len(r.Tornado) > 0 {
		fmt.Fprintf(out, "\nOf what is not known, this moves the harm most with all of the conditions on; find out the first ones:\n")
		for _, swing := range r.Tornado {
			fmt.Fprintf(out, "  %s\n", swing)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// printBeside writes the cells of the finding beside those of an experiment. A
// condition has a letter, as on the pages.
func printBeside(out *strings.Builder, f interaction.Finding, factors []string, r experiment.Result) {
	fmt.Fprintln(out)
	for i, c := range f.Conditions {
		fmt.Fprintf(out, "  %c  %s\n", 'A'+i, c)
	}
	fmt.Fprintf(out, "\n  %-10s  %-32s  %s\n", "in force", "observed: failed requests", "experiment: "+r.Harm)
	for _, cell := range r.Cells {
		var holds, letters []string
		for i, c := range f.Conditions {
			if slices.Contains(cell.On, factors[i]) {
				holds, letters = append(holds, c.String()), append(letters, string(rune('A'+i)))
			}
		}
		name := strings.Join(letters, " ")
		if name == "" {
			name = "none"
		}
		fmt.Fprintf(out, "  %-10s  %-32s  %d of %d runs, %s to %s\n", name, observed(f, holds), cell.Harmed, cell.N, wording.Percent(cell.Low), wording.Percent(cell.High))
	}
	fmt.Fprintf(out, "\n%s\n", scenario.Sentence(r))
}

// observed says what happened while just these of the conditions held.
func observed(f interaction.Finding, holds []string) string {
	holds = slices.Sorted(slices.Values(holds))
	for _, o := range f.Cells {
		if slices.Equal(slices.Sorted(slices.Values(o.Holds)), holds) && o.Total > 0 {
			return fmt.Sprintf("%s of %s (%s to %s)", wording.Percent(o.Risk), wording.Count(o.Total), wording.Percent(o.Low), wording.Percent(o.High))
		}
	}
	return "not seen"
}

func conditionsText(list []condition.Condition) string {
	var parts []string
	for _, c := range list {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, " and ")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
