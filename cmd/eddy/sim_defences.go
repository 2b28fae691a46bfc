package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/wording"
)

// simDefencesCmd tries each defence of a scenario against the harm in it.
type simDefencesCmd struct {
	Names []string `arg:"" optional:"" help:"Files, or scenarios that come with Eddy (default: all whose truth names defences)."`
	Runs  int      `default:"40" help:"Runs without and with each defence, under the same seeds."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (simDefencesCmd) Help() string {
	return `Examples:
  eddy sim defences
  eddy sim defences cache-stampede dns-outage --runs 100

The planted conditions are in force in all runs. "breaks it" means that at most
10 % of the runs are harmed, by the upper end of the 95 % interval; "helps" that
fewer are; "makes it worse" that more runs are harmed or more requests fail.`
}

// Run prints a row for each defence.
func (c *simDefencesCmd) Run(ctx context.Context, std stdio) error {
	if c.Runs < 35 {
		return fmt.Errorf("runs %d: want 35 or more, since fewer cannot show that a harm is gone", c.Runs)
	}
	names, chosen := c.Names, len(c.Names) > 0
	if !chosen {
		names = scenarios.Names()
	}
	var rows []scenario.Defended
	for i, name := range names {
		s, err := findScenario(name)
		if err != nil {
			return err
		}
		if len(s.Truth.Defences) == 0 && !chosen {
			continue
		}
		if terminal(std.err) {
			fmt.Fprintf(std.err, "\r\x1b[K%d of %d: %s", i+1, len(names), name)
		}
		some, err := s.Defences(ctx, c.Runs)
		if err != nil {
			return err
		}
		rows = append(rows, some...)
	}
	if terminal(std.err) {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	if c.JSON {
		return printJSON(std.out, rows)
	}
	return printDefended(std.out, rows)
}

func printDefended(w io.Writer, rows []scenario.Defended) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tdefence\truns with harm\t95 % interval\trequests failed or slow\tseconds to recover\t")
	for _, r := range rows {
		name := r.Defence
		if name == "" {
			name = "none: " + r.Harm
		}
		fmt.Fprintf(t, "%s\t%s\t%d of %d\t%s\t%s\t%s\t%s\n", r.Scenario, name, r.Cell.Harmed, r.Cell.N,
			wording.Percent(r.Cell.Low)+" to "+wording.Percent(r.Cell.High), measured(r.Cell, "failed_share", wording.Percent),
			measured(r.Cell, "ttr", func(s float64) string { return figure(s, "") }), r.Effect)
	}
	return t.Flush()
}

// measured writes the mean of a measure with its interval.
func measured(c experiment.Cell, name string, write func(float64) string) string {
	for _, m := range c.Measures {
		if m.Name == name {
			return fmt.Sprintf("%s (%s to %s)", write(m.Mean), write(m.Low), write(m.High))
		}
	}
	return ""
}
