package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"example.test/eddy/internal/app"
)

// replayCmd carries recorded telemetry through the pipeline.
type replayCmd struct {
	Files  []string      `arg:"" help:"OTLP JSON lines as the collector's file exporter writes them, and files of changes; plain, gzip or zstd."`
	Config string        `help:"YAML file with the options of \"eddy serve\"; its analysis and ingest parts apply." type:"path"`
	Window time.Duration `help:"How much time is analysed together (default 15m)."`
	Step   time.Duration `help:"How often, in recorded time (default 10s)."`
	JSON   bool          `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (replayCmd) Help() string {
	return `Examples:
  eddy replay traces.jsonl
  eddy replay traces.json.zst logs.json.zst changes.json --json

The clock is that of the records, so a day is replayed in minutes and gives the
incidents that a server would have opened. Changes may lie long before the
records: a version deployed two weeks earlier is still in force.`
}

// Run prints what a server would have opened.
func (c *replayCmd) Run(ctx context.Context, std stdio) error {
	var o app.Options
	if c.Config != "" {
		loaded, err := app.Load(c.Config)
		if err != nil {
			return err
		}
		o = loaded
	}
	if c.Window != 0 {
		o.Analysis.Window = c.Window
	}
	r := app.Replay{
		Files: c.Files, Analysis: o.Analysis, Ingest: o.Ingest, Step: c.Step,
		Log: slog.New(slog.DiscardHandler),
	}
	if terminal(std.err) {
		r.Progress = func(path string, read, size int64) { drawProgress(std.err, path, read, size) }
	}
	result, err := r.Run(ctx)
	if terminal(std.err) {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, result)
	}
	return printReplayed(std.out, result)
}

// drawProgress overwrites one line of a terminal.
func drawProgress(w io.Writer, path string, read, size int64) {
	if size <= 0 {
		fmt.Fprintf(w, "\r\x1b[K%s: %d MB", filepath.Base(path), read>>20)
		return
	}
	fmt.Fprintf(w, "\r\x1b[K%s: %3d%% of %d MB", filepath.Base(path), 100*read/size, size>>20)
}

// printReplayed writes the result for people.
func printReplayed(w io.Writer, r app.Replayed) error {
	fmt.Fprintf(w, "%s to %s: %d spans, %d logs, %d points, %d changes; %d requests, %d failed, %d slow.\n",
		r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339),
		r.Spans, r.Logs, r.Points, r.Changes, r.Requests, r.Failed, r.Slow)
	if len(r.Incidents) == 0 {
		fmt.Fprintln(w, "\nNo incident would have been opened.")
		for _, m := range r.Missing {
			fmt.Fprintf(w, "  missing: %s\n", m)
		}
	}
	for _, k := range r.Incidents {
		fmt.Fprintln(w)
		if err := printIncident(w, k); err != nil {
			return err
		}
	}
	return nil
}
