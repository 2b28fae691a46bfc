package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/app"
	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/scenario"
)

// simCorpusCmd holds what experiments and the analysis of telemetry find against
// what was planted.
type simCorpusCmd struct {
	Names       []string `arg:"" optional:"" help:"Scenarios that come with Eddy (default: all)."`
	Experiments bool     `default:"true" negatable:"" help:"Carry out their experiments; this takes a few minutes."`
	Replays     bool     `default:"true" negatable:"" help:"Carry the telemetry of one run of each through the pipeline."`
	JSON        bool     `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (simCorpusCmd) Help() string {
	return `Examples:
  eddy sim corpus
  eddy sim corpus flag-combination calm-canary --no-experiments

The experiment of a scenario switches its conditions and knows which are on; what
it proves must be what was planted, and the exit status is 1 if it is not. The
replay sees only the telemetry of one run, as eddy replay does: there the table
is printed as it is, misses included.`
}

// A corpusRow is what came of one scenario.
type corpusRow struct {
	Name    string     `json:"name"`
	Planted [][]string `json:"planted"`
	// Verdict and Sets are those of the experiment.
	Verdict   experiment.Verdict `json:"verdict,omitempty"`
	Sets      [][]string         `json:"sets,omitempty"`
	AsPlanted *bool              `json:"as_planted,omitempty"`
	Failed    int                `json:"failed_asserts"`
	// Match compares what replaying found with what was planted; Unseen are the
	// planted conditions that telemetry does not tell of.
	Match scenario.Match `json:"match,omitempty"`
	Found []string       `json:"found,omitempty"`
	// Hurt is how many requests failed or were slow, as replaying counts them. Where
	// the harm is silent it is 0, and nothing can be found.
	Hurt   int      `json:"hurt"`
	Unseen []string `json:"unseen,omitempty"`
	// Missing is what the analysis says that it lacks.
	Missing []string `json:"missing,omitempty"`
}

// Run prints one row a scenario.
func (c *simCorpusCmd) Run(ctx context.Context, std stdio) error {
	names := c.Names
	if len(names) == 0 {
		names = scenarios.Names()
	}
	var rows []corpusRow
	for i, name := range names {
		if terminal(std.err) {
			fmt.Fprintf(std.err, "\r\x1b[K%d of %d: %s", i+1, len(names), name)
		}
		row, err := c.row(ctx, name)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if terminal(std.err) {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	if err := c.print(std.out, rows); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r corpusRow) bool { return r.Failed > 0 || r.AsPlanted != nil && !*r.AsPlanted }) {
		return errNo
	}
	return nil
}

// row carries out one scenario.
func (c *simCorpusCmd) row(ctx context.Context, name string) (corpusRow, error) {
	s, err := findScenario(name)
	if err != nil {
		return corpusRow{}, err
	}
	row := corpusRow{Name: s.Model.Name, Planted: s.Truth.Sets}
	if c.Experiments && s.Question != nil {
		study, err := s.Experiment(ctx, nil)
		if err != nil {
			return row, err
		}
		row.Verdict, row.AsPlanted = study.Result.Verdict, &study.AsPlanted
		for _, set := range study.Result.Sets {
			row.Sets = append(row.Sets, set.Factors)
		}
		for _, a := range study.Asserts {
			if !a.Passed {
				row.Failed++
			}
		}
	}
	if c.Replays {
		err = row.replay(ctx, s)
	}
	return row, err
}

// replay carries the telemetry of the scenario's own run through the pipeline.
func (r *corpusRow) replay(ctx context.Context, s *scenario.Scenario) error {
	dir, err := os.MkdirTemp("", "eddy-corpus-")
	if err != nil {
		return fmt.Errorf("replay %s: %w", r.Name, err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, r.Name+".jsonl")
	shows, err := record(ctx, s, path, nil)
	if err != nil {
		return fmt.Errorf("replay %s: %w", r.Name, err)
	}
	replay := app.Replay{Files: []string{path}, Log: slog.New(slog.DiscardHandler)}
	result, err := replay.Run(ctx)
	if err != nil {
		return fmt.Errorf("replay %s: %w", r.Name, err)
	}
	r.Hurt = result.Failed + result.Slow
	var sets [][]condition.Condition
	for _, k := range result.Incidents {
		if k.Finding == nil {
			r.Missing = append(r.Missing, k.Missing...)
			continue
		}
		sets = append(sets, k.Finding.Conditions)
		var words []string
		for _, c := range k.Finding.Conditions {
			words = append(words, c.String())
		}
		r.Found = append(r.Found, fmt.Sprintf("%s: %s", k.Finding.Verdict, strings.Join(words, " and ")))
	}
	for _, set := range s.Truth.Sets {
		for _, id := range set {
			if shows[id] == "" {
				r.Unseen = append(r.Unseen, id)
			}
		}
	}
	r.Match = s.Truth.Compare(sets, shows)
	if r.Match == scenario.Quiet && len(result.Incidents) > 0 {
		r.Match = scenario.FalseAlarm
	}
	return nil
}

// record writes the telemetry of one run to a file, and returns how conditions
// show in it.
func record(ctx context.Context, s *scenario.Scenario, path string, on map[string]bool) (map[string]string, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	shows, err := s.Record(ctx, s.Seed, on, f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return shows, err
}

// print writes the table, and how many rows came out how.
func (c *simCorpusCmd) print(w io.Writer, rows []corpusRow) error {
	if c.JSON {
		return printJSON(w, rows)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "scenario\tplanted\texperiment\tas planted\treplay\tfound in telemetry")
	count := make(map[scenario.Match]int)
	asPlanted, experiments := 0, 0
	for _, r := range rows {
		verdict, planted := "", ""
		if r.AsPlanted != nil {
			experiments++
			verdict, planted = string(r.Verdict), "NO"
			if *r.AsPlanted {
				asPlanted++
				planted = "yes"
			}
			if r.Failed > 0 {
				planted += ", an assert fails"
			}
		}
		found := strings.Join(r.Found, "; ")
		if len(r.Unseen) > 0 {
			found = strings.TrimPrefix(found+"; not told: "+strings.Join(r.Unseen, ", "), "; ")
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, plantedText(r.Planted), verdict, planted, r.Match, found)
		count[r.Match]++
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if experiments > 0 {
		fmt.Fprintf(w, "\nexperiments: %d of %d as planted\n", asPlanted, experiments)
	}
	if c.Replays {
		var parts []string
		for _, m := range []scenario.Match{scenario.Exact, scenario.Part, scenario.Other, scenario.Missed, scenario.Quiet, scenario.FalseAlarm} {
			parts = append(parts, fmt.Sprintf("%d %s", count[m], m))
		}
		fmt.Fprintf(w, "replays: %s\n", strings.Join(parts, ", "))
		untold, silent := 0, 0
		for _, r := range rows {
			switch {
			case r.Match != scenario.Missed:
			case r.Hurt == 0:
				silent++
			case len(r.Unseen) > 0:
				untold++
			}
		}
		if count[scenario.Missed] > 0 {
			fmt.Fprintf(w, "of the missed, %d had no request that failed or was slow, and %d others a planted condition of which no change event tells\n", silent, untold)
		}
	}
	return nil
}

func plantedText(sets [][]string) string {
	if len(sets) == 0 {
		return "nothing"
	}
	var parts []string
	for _, s := range sets {
		parts = append(parts, strings.Join(s, " + "))
	}
	return strings.Join(parts, "; ")
}
