package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/wording"
)

// simImportCmd learns a scenario from recorded traces.
type simImportCmd struct {
	Files []string `arg:"" help:"OTLP JSON lines as the collector's file exporter writes them; plain, gzip or zstd."`
	Name  string   `help:"Name of the scenario (default: that of the first file)."`
	Out   string   `help:"Write the scenario to this file (default: standard output)." type:"path" placeholder:"FILE"`
}

// Help is shown by --help after the flags.
func (simImportCmd) Help() string {
	return `Examples:
  eddy sim import traces.jsonl --out shop.yaml
  eddy sim run shop.yaml

From calm traffic it learns who calls whom, how long each works by itself, how
often calls are tried, and how many requests come. It cannot learn how many
servers there are, only how many were busy: those are ranges in the file, and
what eddy reproduce finds counts only if it holds over them. The exit status is
1 if the model's latencies are not those of the traffic.`
}

// Run writes the scenario, and says on the other stream what it does not know.
func (c *simImportCmd) Run(ctx context.Context, std stdio) error {
	var learner scenario.Learner
	replay := app.Replay{Files: c.Files, Log: slog.New(slog.DiscardHandler)}
	if terminal(std.err) {
		replay.Progress = func(path string, read, size int64) { drawProgress(std.err, path, read, size) }
	}
	for r, err := range replay.Requests(ctx) {
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		learner.Add(&r)
	}
	if terminal(std.err) {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	name := c.Name
	if name == "" {
		name, _, _ = strings.Cut(filepath.Base(c.Files[0]), ".")
	}
	learned, err := learner.Learn(name)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	run, err := learned.Scenario.Run(ctx, 1, nil)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	text, err := scenario.Format(learned.Scenario)
	if err != nil {
		return err
	}
	if err := c.write(std.out, text); err != nil {
		return err
	}
	return sayLearned(std.err, learned, learned.Compare(run))
}

func (c *simImportCmd) write(w io.Writer, text []byte) error {
	if c.Out != "" {
		return os.WriteFile(c.Out, text, 0o644)
	}
	_, err := w.Write(text)
	return err
}

// sayLearned says how far the model can be trusted.
func sayLearned(w io.Writer, l scenario.Learned, f scenario.Fidelity) error {
	m := l.Scenario.Model
	fmt.Fprintf(w, "learned from %s: %s, %s\n", wording.Plural(l.Requests, "request"), wording.Plural(len(m.Services), "service"), wording.Plural(len(m.Stores), "store"))
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	fmt.Fprintf(w, "latency seen: %s median, %s p99; simulated: %s and %s\n",
		round(f.Seen50), round(f.Seen99), round(f.Simulated50), round(f.Simulated99))
	for _, n := range l.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	if !f.Trusted {
		fmt.Fprintln(w, "the model is not trusted: its latencies are not those of the traffic; want the median within 15 % and the p99 within 30 %")
		return errNo
	}
	return nil
}
