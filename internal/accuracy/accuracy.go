// Package accuracy measures how often the answers of package interaction are
// right. Only tests and the command measure beside it link it.
//
// What is known to be true comes from two sides: worlds that the package makes
// itself, with causes planted in traffic of 52 attributes and with all that
// usually misleads, and labelled data from elsewhere, which is shipped in
// testdata with its origin and licence. Every figure is a share with its number
// of trials and Wilson's 95 % interval; simple rules stand beside the engine.
//
// A plan and its seed make the same world everywhere. Seeds to tune methods on
// (Tuning) and seeds to report figures on (Reporting) come from ranges that
// never meet; the seeds of tests are of the first.
package accuracy

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"example.test/eddy/internal/interaction"
)

// Settings say how much to measure and where to print it.
type Settings struct {
	// Worlds is how many are made for each cell of a table, Nulls how many
	// tables without a cause there are of each kind, Draws how many samples of
	// the jhipster table of each size.
	Worlds, Nulls, Draws int
	// Rows is how many requests a world has where the table does not say.
	Rows int
	// Risks are those inside planted sets, and Failures how many failures worlds
	// have, in the tables that go through them.
	Risks    []float64
	Failures []int
	// Seed returns the i-th seed: Tuning or Reporting.
	Seed func(i int) uint64
	// Workers is how many worlds are worked on at once.
	Workers int
	Out     io.Writer
	// Progress, if set, is told of what is done.
	Progress io.Writer
	// Wrong, if set, is told of each wrong answer: the seed, the truth, what was
	// said.
	Wrong func(line string)
}

// wrong tells of a wrong answer.
func (s *Settings) wrong(what string, seed uint64, truth string, r interaction.Result) {
	if s.Wrong == nil {
		return
	}
	said := []string{string(r.Verdict)}
	for _, f := range r.Findings {
		said = append(said, fmt.Sprintf("%s of %s (p %.2g, %d of %d failed)",
			f.Verdict, NewSet(f.Conditions...), f.P, f.Cells[0].Failed, f.Cells[0].Total))
	}
	s.Wrong(fmt.Sprintf("%s, seed %d: want %s; of %d failures it said: %s", what, seed, truth, r.Failed, strings.Join(said, "; ")))
}

// A Measurement prints one or more tables about one question.
type Measurement struct {
	Name  string
	About string
	Run   func(ctx context.Context, s *Settings) error
}

// Measurements lists all, in the order in which they are printed.
func Measurements() []Measurement {
	return []Measurement{
		{"rs", "100 incidents of a video service: is the labelled set among the first", incidentTables},
		{"jhipster", "builds of 26,256 configurations: are the reported sets pure, minimal, known", buildTables},
		{"power", "planted sets, by order and risk inside", powerTable},
		{"failures", "planted sets, by order, risk inside and number of failures", failureTables},
		{"bursts", "planted sets among bursts of failures that have nothing to do with them", burstTable},
		{"episodes", "planted sets that do harm for a part of the time", episodeTable},
		{"null", "tables without a cause: how many have a finding", nullTable},
		{"withheld", "is it said when the cause is not in the table", withheldTable},
		{"intervals", "how often the intervals of risks hold the true risk", intervalTable},
		{"distractors", "worlds that mislead: is what must be said said", distractorTable},
		{"weights", "successes sampled at the tail", weightTable},
	}
}

// A Share is how many of a number of trials.
type Share struct{ K, N int }

// Count adds a trial.
func (s *Share) Count(yes bool) {
	s.N++
	if yes {
		s.K++
	}
}

func (s *Share) plus(o Share) { s.K, s.N = s.K+o.K, s.N+o.N }

// Rate is K of N; 0 of none.
func (s Share) Rate() float64 {
	if s.N == 0 {
		return 0
	}
	return float64(s.K) / float64(s.N)
}

// Interval is Wilson's 95 % score interval (Wilson 1927).
func (s Share) Interval() (low, high float64) {
	const z = 1.959964
	if s.N == 0 {
		return 0, 1
	}
	n, p := float64(s.N), s.Rate()
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, centre-half), min(1, centre+half)
}

// String writes the share, its interval and the number of trials:
// "0.95 (0.84–0.99), n 40".
func (s Share) String() string {
	if s.N == 0 {
		return "–"
	}
	low, high := s.Interval()
	return fmt.Sprintf("%.2f (%.2f–%.2f), n %d", s.Rate(), low, high, s.N)
}

// brief writes the share alone with its interval, for tables that say n once.
func (s Share) brief() string {
	if s.N == 0 {
		return "–"
	}
	low, high := s.Interval()
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Rate(), low, high)
}

// A table is printed as Markdown, in columns that line up.
type table struct {
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	width := make([]int, len(t.rows[0]))
	for _, r := range t.rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c), 3)
		}
	}
	line := func(cells []string) {
		for i, c := range cells {
			fmt.Fprint(w, "| ", c, strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+1))
		}
		fmt.Fprintln(w, "|")
	}
	line(t.rows[0])
	rule := make([]string, len(width))
	for i := range rule {
		rule[i] = strings.Repeat("-", width[i])
	}
	line(rule)
	for _, r := range t.rows[1:] {
		line(r)
	}
	fmt.Fprintln(w)
}

// trials runs f for 0 to n-1, Settings.Workers at a time, and returns what it
// returned, in order. It stops at the first error.
func trials[T any](ctx context.Context, s *Settings, what string, n int, f func(ctx context.Context, i int) (T, error)) ([]T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make([]T, n)
	say := s.progress(what, n)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	for range max(1, min(s.Workers, n)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				x, err := f(ctx, i)
				if err != nil {
					cancel(fmt.Errorf("%s, trial %d: %w", what, i, err))
					return
				}
				out[i] = x
				say(int(done.Add(1)))
			}
		})
	}
	workers.Wait()
	return out, context.Cause(ctx)
}

// grid runs n trials for each of a number of cells.
func grid[T any](ctx context.Context, s *Settings, what string, cells, n int, f func(ctx context.Context, cell, i int) (T, error)) ([][]T, error) {
	flat, err := trials(ctx, s, what, cells*n, func(ctx context.Context, k int) (T, error) { return f(ctx, k/n, k%n) })
	out := make([][]T, cells)
	for c := range out {
		out[c] = flat[c*n : (c+1)*n]
	}
	return out, err
}

// progress returns what tells of progress, every few seconds.
func (s *Settings) progress(what string, n int) func(done int) {
	if s.Progress == nil {
		return func(int) {}
	}
	const every = 5 * time.Second
	began := time.Now()
	last := began
	var mu sync.Mutex
	return func(done int) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if done < n && now.Sub(last) < every {
			return
		}
		last = now
		fmt.Fprintf(s.Progress, "%s: %d of %d (%.0f s)\n", what, done, n, now.Sub(began).Seconds())
	}
}

// heading prints the title of a table, and what is to be known about it.
func (s *Settings) heading(title, note string) { fmt.Fprintf(s.Out, "**%s.** %s\n\n", title, note) }
