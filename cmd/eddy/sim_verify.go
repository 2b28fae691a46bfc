package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"example.test/eddy/internal/sim"
)

// simVerifyCmd measures the simulator.
type simVerifyCmd struct {
	Checks   []string `arg:"" optional:"" help:"Which checks, such as V7 (default: all)."`
	Defences bool     `help:"Measure the table of defences against a retry storm instead."`
	JSON     bool     `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (simVerifyCmd) Help() string {
	return `Examples:
  eddy sim verify
  eddy sim verify V7 V12
  eddy sim verify --defences

Each figure stands beside what a closed form, a published experiment or a promise
of the simulator says it should be, with its 95 % interval over runs with
different, fixed seeds. The exit status is 1 if one is not right. V20 measures the
machine, so it may fail on a slow or busy one.`
}

// Run prints the figures.
func (c *simVerifyCmd) Run(ctx context.Context, std stdio) error {
	began := time.Now()
	progress := func(string, int, int) {}
	if terminal(std.err) {
		progress = func(what string, nth, of int) { fmt.Fprintf(std.err, "\r\x1b[K%d of %d: %s", nth, of, what) }
		defer fmt.Fprint(std.err, "\r\x1b[K")
	}
	if c.Defences {
		rows, err := sim.Defences(ctx, progress)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(std.out, rows)
		}
		return printDefences(std.out, rows)
	}
	figures, err := sim.Verify(ctx, progress, c.Checks...)
	if err != nil {
		return err
	}
	wrong := 0
	for _, f := range figures {
		if !f.OK {
			wrong++
		}
	}
	if c.JSON {
		err = printJSON(std.out, figures)
	} else {
		err = printFigures(std.out, figures, time.Since(began))
	}
	if err == nil && wrong > 0 {
		err = errNo
	}
	return err
}

func printFigures(w io.Writer, figures []sim.Figure, took time.Duration) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tcheck\texpected\tmeasured\t95 % interval\tn\tright if")
	right := 0
	for _, f := range figures {
		verdict := "ok"
		if f.OK {
			right++
		} else {
			verdict = "WRONG"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s: %s\n",
			f.ID, f.What, figure(f.Expected, f.Unit), figure(f.Measured, f.Unit), interval(f), f.N, f.Rule, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d are right (in %.0f s)\n", right, len(figures), took.Seconds())
	return err
}

func interval(f sim.Figure) string {
	if f.Low == f.High {
		return "exact"
	}
	return figure(f.Low, "") + " to " + figure(f.High, "")
}

// figure writes a number with four digits that count.
func figure(x float64, unit string) string {
	text := strconv.FormatFloat(x, 'g', 4, 64)
	if x == math.Trunc(x) && math.Abs(x) < 1e7 || math.Abs(x) >= 1e3 && math.Abs(x) < 1e7 {
		text = strconv.FormatFloat(x, 'f', 0, 64)
	}
	if unit == "" {
		return text
	}
	return text + " " + unit
}

func printDefences(w io.Writer, rows []sim.Defence) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "defence\tload\trecovered\tseconds to recover\tfailed in 6 min\tgood in the last minute\tattempts a request")
	for _, r := range rows {
		recovery := "never"
		if r.Recovered > 0 {
			recovery = mean(r.Recovery)
		}
		fmt.Fprintf(t, "%s\t%.0f/s\t%d of %d\t%s\t%s\t%s\t%s\n",
			r.Name, r.Rate, r.Recovered, r.Runs, recovery, mean(r.Failed), mean(r.Good), mean(r.Attempts))
	}
	return t.Flush()
}

func mean(e sim.Interval) string {
	if e.N < 2 {
		return figure(e.Mean, "")
	}
	return fmt.Sprintf("%s (%s to %s)", figure(e.Mean, ""), figure(e.Low, ""), figure(e.High, ""))
}

// simBenchCmd measures how fast the simulator is.
type simBenchCmd struct {
	Time time.Duration `help:"Processor time for each." default:"2s"`
	JSON bool          `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (simBenchCmd) Help() string {
	return `Examples:
  eddy sim bench
  eddy sim bench --time 10s --json

Events a second of processor time, on one core. The last line is the same kind of
model written the naive way, with a goroutine for each process.`
}

// Run prints the speeds.
func (c *simBenchCmd) Run(ctx context.Context, std stdio) error {
	speeds, err := sim.Bench(ctx, c.Time)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, speeds)
	}
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "million events/s\tallocations/event\tspans/event\ttimes real time\t\t")
	for _, s := range speeds {
		fmt.Fprintf(t, "%.2f\t%.5f\t%.2f\t%.0f\t\t%s\n", s.PerSecond/1e6, s.Allocations, s.Spans, s.RealTime, s.Name)
	}
	return t.Flush()
}
