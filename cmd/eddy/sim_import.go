package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/wording"
)

// simImportCmd learns a scenario from recorded traces.
type simImportCmd struct {
	Files []string `arg:"" help:"OTLP JSON lines as the collector's file exporter writes them; plain, gzip or zstd."`
	Name  string   `help:"Name of the scenario (default: that of the first file)."`
	Hour  string   `default:"mean" help:"Of which hour of the week the rates of requests are: mean, busiest, quietest, or one as \"Tue 14\" (UTC)." placeholder:"HOUR"`
	Out   string   `help:"Write the scenario to this file (default: standard output)." type:"path" placeholder:"FILE"`
}

// Help is shown by --help after the flags.
func (simImportCmd) Help() string {
	return `Examples:
  eddy sim import traces.jsonl --out shop.yaml
  eddy sim import week.jsonl.zst --hour busiest --out shop.yaml
  eddy sim run shop.yaml

From calm traffic it learns who calls whom, how long each works by itself, how
often calls are tried, how many connections they may use, how often a cache has the
answer, how many requests come in each hour of the week, and what comes at fixed
intervals, as from a scheduler. It cannot learn how many
servers there are, only how many were busy: those are ranges in the file, and
what eddy reproduce finds counts only if it holds over them. The model is run, and
what it tells is learned from as the traffic was: both stand side by side for each
edge. The exit status is 1 if the model's are not those of the traffic.`
}

// Run writes the scenario, and says on the other stream what it does not know.
func (c *simImportCmd) Run(ctx context.Context, std stdio) error {
	learner := scenario.Learner{Hour: c.Hour}
	progress := func(path string, read, size int64) { drawProgress(std.err, path, read, size) }
	if !terminal(std.err) {
		progress = nil
	}
	if err := learn(ctx, &learner, progress, c.Files...); err != nil {
		return fmt.Errorf("import: %w", err)
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
	fidelity, err := fidelityOf(ctx, learned)
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
	return sayLearned(std.err, learned, fidelity)
}

// learn reads files into a learner.
func learn(ctx context.Context, l *scenario.Learner, progress func(path string, read, size int64), files ...string) error {
	replay := app.Replay{Files: files, Log: slog.New(slog.DiscardHandler), Points: l.AddPoints, Progress: progress}
	for r, err := range replay.Requests(ctx) {
		if err != nil {
			return err
		}
		l.Add(&r)
	}
	return nil
}

// fidelityOf runs the model and learns from what it tells, as from the traffic.
func fidelityOf(ctx context.Context, learned scenario.Learned) (scenario.Fidelity, error) {
	dir, err := os.MkdirTemp("", "eddy-import-")
	if err != nil {
		return scenario.Fidelity{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "told.jsonl")
	if _, err := record(ctx, learned.Scenario, path, nil); err != nil {
		return scenario.Fidelity{}, err
	}
	run, err := learned.Scenario.Run(ctx, learned.Scenario.Seed, nil)
	if err != nil {
		return scenario.Fidelity{}, err
	}
	var again scenario.Learner
	if err := learn(ctx, &again, nil, path); err != nil {
		return scenario.Fidelity{}, err
	}
	return learned.Compare(run, &again), nil
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
	if err := sayEdges(w, f); err != nil {
		return err
	}
	for _, a := range l.Arrivals {
		fmt.Fprintln(w, arrivalText(a))
	}
	for _, n := range l.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	if !f.Trusted {
		fmt.Fprintln(w, "the model is not trusted: it is not as the traffic was; want medians within 15 %, p99 within 30 % and attempts a call within 5 %")
		return errNo
	}
	return nil
}

// sayEdges prints what was seen of each edge beside what the model does there.
func sayEdges(w io.Writer, f scenario.Fidelity) error {
	if len(f.Edges) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "edge, seen / simulated\tcalls a request\tattempts a call\tmedian\tp99\t")
	for _, e := range f.Edges {
		a, b := e.Seen, e.Simulated
		verdict := "as seen"
		switch {
		case !e.Judged:
			verdict = "too few calls to judge"
		case !e.Trusted:
			verdict = "NOT as seen"
		}
		if a.Lookups > 0 {
			verdict += fmt.Sprintf("; cache hits %s (%s to %s), misses are calls of what is behind it", wording.Percent(a.Hits.Value), wording.Percent(a.Hits.Low), wording.Percent(a.Hits.High))
		}
		if a.Pool > 0 {
			verdict += fmt.Sprintf("; pool %d, at most %d used / %d", a.Pool, a.Used, b.Used)
		}
		fmt.Fprintf(t, "%s to %s\t%.3g / %.3g\t%.3g / %.3g\t%s / %s\t%s / %s\t%s\n", a.From, a.To, a.Each, b.Each, a.Attempts, b.Attempts,
			a.P50.Round(10*time.Microsecond), b.P50.Round(10*time.Microsecond), a.P99.Round(10*time.Microsecond), b.P99.Round(10*time.Microsecond), verdict)
	}
	return t.Flush()
}

// arrivalText says how requests come at an entry.
func arrivalText(a scenario.Arrival) string {
	text := fmt.Sprintf("%s: %.3g a second", a.Entry, a.Mean)
	if a.Job != nil {
		return fmt.Sprintf("%s: every %s, for %s, %s (seen %s)", a.Entry, a.Job.Every, a.Job.Takes, wording.Plural(a.Job.Requests, "request"), wording.Plural(a.Job.Runs, "time"))
	}
	if len(a.Hours) > 1 {
		byRate := func(x, y scenario.HourRate) int { return cmp.Compare(x.Rate, y.Rate) }
		low, high := slices.MinFunc(a.Hours, byRate), slices.MaxFunc(a.Hours, byRate)
		text += fmt.Sprintf(" over %s of the week: %.3g on %s to %.3g on %s", wording.Plural(len(a.Hours), "hour"), low.Rate, low.Hour, high.Rate, high.Hour)
	}
	return text + fmt.Sprintf(", index of dispersion %.2g", a.Dispersion)
}
