package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store/duckdb"
)

// explainCmd runs the engine on a table.
type explainCmd struct {
	Files []string `arg:"" name:"FILE" help:"Files that are one table; '-' is standard input. CSV, TSV, JSON lines or Parquet, plain, gzip or zstd."`

	Failed   string `placeholder:"COLUMN[=VALUE]" help:"Column that is true (or 1, or yes) in rows that failed, or the value that it has in them."`
	Count    string `placeholder:"COLUMN" help:"For rows that stand for many: column with their number."`
	Failures string `placeholder:"COLUMN" help:"For rows that stand for many: column with the number of them that failed."`

	Weight string `placeholder:"COLUMN" help:"Where only some of the rows that did not fail were kept: column with how many each of them stands for."`

	Slow     string  `placeholder:"COLUMN[>LIMIT]" help:"Instead of failures, explain rows that took long: column with how long each took, and how long it may."`
	Quantile float64 `placeholder:"SHARE" help:"With --slow and no LIMIT: how much of the rows, of those of the same --entry, was not slow; default 0.95."`
	Entry    string  `placeholder:"COLUMN" help:"Column that says where a row came in, such as an endpoint: rows are then compared within each."`

	Time   string        `placeholder:"COLUMN" help:"Column of timestamps: rows are then compared with others of the same time."`
	Bucket time.Duration `placeholder:"DURATION" help:"How long the same time is; by default a sixtieth of the time covered."`

	Since string `placeholder:"TIME" help:"With --time: explain the failures from then on by what changed, the rows before being what is usual; as 2026-03-01T12:00:00Z, or in seconds since 1970."`

	Only   []string `placeholder:"COLUMN" help:"Columns that may explain failures; by default all others."`
	Ignore []string `placeholder:"COLUMN" help:"Columns that may not, such as those that follow from a failure."`

	MaxOrder int     `default:"4" help:"How many conditions a combination may have, 1 to 5."`
	Top      int     `default:"5" help:"How many findings are looked for."`
	Alpha    float64 `default:"0.05" help:"Share of tables without any cause in which a finding is tolerated."`
	Seed     uint64  `default:"1" help:"The same table and seed give the same result."`

	Format string `enum:",csv,tsv,jsonl,parquet" default:"" placeholder:"FORMAT" help:"Format of the files, csv, tsv, jsonl or parquet, if names and content do not tell it."`
	Memory string `default:"1GB" placeholder:"SIZE" help:"How much memory reading may take; more is written to a temporary directory."`
	JSON   bool   `name:"json" help:"Print JSON, as docs/explain.md describes it."`
}

// Help is the part of "eddy explain --help" that shows how it is used.
func (explainCmd) Help() string {
	return `Examples:

  eddy explain orders.csv --failed error
  eddy explain builds.csv --failed Build=KO --ignore row
  eddy explain spans.parquet --failed error --weight adjusted_count --time at
  eddy explain requests.csv --slow duration_ms --entry route
  eddy explain requests.csv --slow 'duration_ms>250' --time at
  eddy explain traffic.parquet --count cnt --failures value --time min
  eddy explain traffic.parquet --count cnt --failures value --time min --since 2026-03-01T12:04:00Z
  zcat requests.jsonl.gz | eddy explain - --failed status=500 --json`
}

// An explanation is what --json prints: docs/explain.md is its contract.
type explanation struct {
	interaction.Result
	// Outcome is what failed stands for: failed or slow.
	Outcome request.Outcome `json:"outcome"`
	// Slow says from when a row was slow; nil for failures.
	Slow *duckdb.TableSlow `json:"slow,omitempty"`
	// Weight says what the rows stand for; nil if they stand for themselves.
	Weight *duckdb.TableWeight `json:"weight,omitempty"`
	// Sentence says the first finding, or that there is none, for people.
	Sentence string `json:"sentence"`
	// Searched is how many observations were searched, where that is a sample;
	// what was found is counted on all of them.
	Searched int `json:"searched,omitempty"`
	// Columns are what became of each column that was offered.
	Columns []duckdb.TableColumn `json:"columns"`

	entry string // column
}

// Run reads the table, mines it and prints what was found. That nothing explains
// the failures is an answer like any other.
func (c *explainCmd) Run(ctx context.Context, std stdio) error {
	options := interaction.Options{
		MaxOrder: c.MaxOrder, Top: c.Top, Alpha: c.Alpha, Seed: c.Seed,
		Noun: "rows", Outcome: request.Failed,
	}
	if c.Slow != "" {
		options.Outcome = request.Slow
	}
	switch { // 0 would be the default
	case c.MaxOrder < 1 || c.MaxOrder > 5:
		return fmt.Errorf("--max-order %d: want 1 to 5", c.MaxOrder)
	case c.Top < 1:
		return fmt.Errorf("--top %d: want at least 1", c.Top)
	case !(c.Alpha > 0 && c.Alpha < 1):
		return fmt.Errorf("--alpha %v: want above 0 and below 1", c.Alpha)
	}
	var since time.Time
	if c.Since != "" {
		var err error
		if since, err = moment(c.Since); err != nil {
			return fmt.Errorf("--since: %w", err)
		}
		if c.Time == "" {
			return errors.New("--since: want --time as well, the column that says when a row was")
		}
	}
	if err := options.Validate(); err != nil {
		return err
	}
	say, done := announce(std.err)
	result, reading, err := duckdb.Explain(ctx, duckdb.TableSource{
		Files: c.Files, Stdin: std.in, Format: c.Format,
		Failed: c.Failed, Count: c.Count, Failures: c.Failures, Weight: c.Weight,
		Slow: c.Slow, Quantile: c.Quantile, Entry: c.Entry,
		Time: c.Time, Bucket: c.Bucket, Since: since,
		Only: c.Only, Ignore: c.Ignore,
		Memory: c.Memory, Seed: c.Seed, Progress: say,
	}, options)
	done()
	if err != nil {
		return err
	}
	e := explain(reading, result, options.Outcome)
	e.entry = c.Entry
	if c.JSON {
		out := json.NewEncoder(std.out)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false) // ranges are full of < and >
		return out.Encode(e)
	}
	return printExplanation(std.out, e)
}

// moment reads a time as people and logs write it.
func moment(text string) (time.Time, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 && n < 1e11 {
		whole, part := math.Modf(n)
		return time.Unix(int64(whole), int64(part*1e9)).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q: want a time such as 2026-03-01T12:00:00Z (UTC if it names no zone), or seconds since 1970", text)
}

// explain puts together what reading and mining found.
func explain(reading duckdb.TableReading, result interaction.Result, outcome request.Outcome) explanation {
	e := explanation{Result: result, Outcome: outcome, Slow: reading.Slow, Weight: reading.Weight, Columns: reading.Columns}
	e.Rows, e.Failed = reading.Rows, reading.Failed // where the table is a sample
	if reading.Sampled {
		e.Searched = reading.Searched
	}
	e.Missing = slices.Concat(result.Missing, reading.Notes)
	if e.Missing == nil {
		e.Missing = []string{}
	}
	var first interaction.Finding
	if len(e.Findings) > 0 && e.Findings[0].Verdict != interaction.Proxy {
		first = e.Findings[0]
	}
	e.Sentence = interaction.Sentence(first, "", e.Outcome)
	return e
}
