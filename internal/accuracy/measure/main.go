// Command measure prints how often the answers of the engine are right.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"example.test/eddy/internal/accuracy"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(2)
	}
}

// flags are what the command was told.
type flags struct {
	settings accuracy.Settings
	chosen   []accuracy.Measurement
	into     string
}

// run reads the flags and prints the tables.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	f, err := parse(args, &lines{w: progress})
	if err != nil {
		return err
	}
	for _, m := range f.chosen {
		if f.into == "" {
			break
		}
		if _, _, err := place(f.into, m.Name); err != nil {
			return err // now, and not after half an hour
		}
	}
	for _, m := range f.chosen {
		s := f.settings
		began := time.Now()
		var tables bytes.Buffer
		s.Out = &tables
		if err := m.Run(ctx, &s); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if s.Progress != nil {
			fmt.Fprintf(s.Progress, "%s took %.0f s\n", m.Name, time.Since(began).Seconds())
		}
		if f.into == "" {
			_, err = out.Write(tables.Bytes())
		} else {
			err = replace(f.into, m.Name, tables.Bytes())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parse(args []string, progress io.Writer) (flags, error) {
	all := accuracy.Measurements()
	r := flags{settings: accuracy.Settings{Progress: progress, Seed: accuracy.Reporting}}
	s := &r.settings
	f := flag.NewFlagSet("measure", flag.ContinueOnError)
	f.SetOutput(progress)
	full := f.Bool("full", false, "measure as for a report: half an hour on two cores; without it about a minute")
	only := f.String("only", "", "these `tables` alone, by name, with commas between")
	f.StringVar(&r.into, "into", "", "replace the tables in this `document`, instead of printing them: what stands between the lines <!-- tables: NAME --> and <!-- end -->")
	tuning := f.Bool("tuning", false, "use the seeds that methods are tuned on, not those for reports")
	quiet := f.Bool("quiet", false, "no progress on the standard error")
	wrong := f.Bool("wrong", false, "tell of each wrong answer on the standard error: seed, truth and what was said")
	f.IntVar(&s.Worlds, "worlds", 0, "`worlds` for each cell of a table (1; full: 24)")
	f.IntVar(&s.Nulls, "nulls", 0, "`tables` without a cause of each kind and size (10; full: 1000)")
	f.IntVar(&s.Draws, "draws", 0, "`draws` from the jhipster table of each size (5; full: 20)")
	f.IntVar(&s.Rows, "rows", 0, "`requests` of a world where the table does not say (40000; full: 200000)")
	f.IntVar(&s.Workers, "workers", 0, "how many `worlds` are worked on at once (2)")
	f.Usage = func() {
		fmt.Fprint(progress, "Prints how often the answers of the engine are right, as Markdown.\n\nusage: measure [flags]\n\nThe tables:\n")
		for _, m := range all {
			fmt.Fprintf(progress, "  %-12s %s\n", m.Name, m.About)
		}
		fmt.Fprint(progress, "\nThe flags:\n")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return r, err
	}
	if f.NArg() > 0 {
		return r, fmt.Errorf("%q: want flags alone; -only chooses tables", f.Arg(0))
	}
	if *tuning {
		s.Seed = accuracy.Tuning
	}
	if *wrong {
		s.Wrong = func(line string) { fmt.Fprintln(progress, "wrong:", line) }
	}
	if *quiet {
		s.Progress = nil
	}
	if err := amounts(s, *full); err != nil {
		return r, err
	}
	var err error
	r.chosen, err = choose(all, *only)
	return r, err
}

// amounts fills in how much is measured where no flag said.
func amounts(s *accuracy.Settings, full bool) error {
	for _, d := range []struct {
		name       string
		value      *int
		quick, all int
	}{
		{"worlds", &s.Worlds, 1, 24},
		{"nulls", &s.Nulls, 10, 1000},
		{"draws", &s.Draws, 5, 20},
		{"rows", &s.Rows, 40_000, 200_000},
		{"workers", &s.Workers, 2, 2},
	} {
		switch {
		case *d.value < 0:
			return fmt.Errorf("%s %d: want 1 or more", d.name, *d.value)
		case *d.value == 0 && full:
			*d.value = d.all
		case *d.value == 0:
			*d.value = d.quick
		}
	}
	s.Risks, s.Failures = []float64{0.02, 0.3}, []int{50, 1000}
	if full {
		s.Risks, s.Failures = []float64{0.01, 0.02, 0.05, 0.1, 0.3}, []int{50, 200, 1000, 5000}
	}
	return nil
}

// choose returns the measurements of those names; all if there are none.
func choose(all []accuracy.Measurement, names string) ([]accuracy.Measurement, error) {
	if names == "" {
		return all, nil
	}
	var chosen []accuracy.Measurement
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(m accuracy.Measurement) bool { return m.Name == strings.TrimSpace(name) })
		if i < 0 {
			var known []string
			for _, m := range all {
				known = append(known, m.Name)
			}
			return nil, fmt.Errorf("no table %q: want some of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// place finds where the tables of a name stand in a document.
func place(document, name string) (before, after []byte, err error) {
	text, err := os.ReadFile(document)
	if err != nil {
		return nil, nil, err
	}
	begin, end := "<!-- tables: "+name+" -->\n", "<!-- end -->"
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, nil, fmt.Errorf("%s: no place for %s: want the lines %s and, below, %s", document, name, strings.TrimSpace(begin), end)
	}
	return append(before[:len(before):len(before)], begin...), append([]byte(end), after...), nil
}

// replace puts tables into their place in a document.
func replace(document, name string, tables []byte) error {
	before, after, err := place(document, name)
	if err != nil {
		return err
	}
	return os.WriteFile(document, slices.Concat(before, []byte("\n"), tables, after), 0o644)
}

// lines writes what it is given at once, for several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
