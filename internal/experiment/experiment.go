// Package experiment asks the simulator, or a live system, a factorial
// question: which of these conditions, alone or together, do the harm?
//
// Run switches every factor off and on in all combinations (arms), repeats each
// arm under the same seeds, and says from the arms which sets of factors are
// enough for harm, whether each element of a set is needed, and how sure that
// is. Up to six factors are crossed in full. More are screened first: by a
// fraction of resolution V up to fifteen, above that by a covering array of all
// pairs whose harmful arms are shrunk; what the screen points at is then crossed
// in full with the rest off. Harmful arms of the screen that the sets found do
// not explain are reported as missing.
//
// All arms share their seeds, so a seed is a block: arms are compared within
// it. Replications are added until the interval of every arm is narrow enough
// and the verdict is settled, or Options.Max is reached; then the verdict may be
// Undecided, and Result.Missing says what would settle it.
//
// Run is deterministic: the same options and the same trial give the same
// result whatever the number of workers. It is safe for concurrent use if the
// trial is.
package experiment

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
)

// A Trial runs one arm once. It must depend on nothing but its arguments, and
// is called from several goroutines at the same time. Arms with the same seed
// should share their chance as far as they can (common random numbers).
type Trial func(ctx context.Context, arm Arm, seed uint64) (Outcome, error)

// An Outcome is what one run of one arm gave.
type Outcome struct {
	// Harm is the primary response: whether what the experiment asks about
	// happened, such as a collapse.
	Harm bool
	// Values are the further responses, in the order of Options.Measures. NaN
	// means that the run does not define it.
	Values []float64
}

// Options say what to ask. Factors must be set; zero values of the rest mean
// the defaults.
type Options struct {
	// Factors are the conditions to switch, up to 64, each once.
	Factors []string
	// Harm is what Outcome.Harm means, as in "collapse". Default "harm".
	Harm string
	// Measures names Outcome.Values.
	Measures []string
	// Min and Max bound the replications of an arm. Default 40 and 200. Below 35
	// an arm without any harm cannot be told from one with Harmless of it.
	Min, Max int
	// HalfWidth is how narrow the interval of each arm's risk must be for
	// replications to stop, 0 to 0.5. Default 0.1.
	HalfWidth float64
	// Within, if its Measure is set, must hold too.
	Within Within
	// Sufficient is the risk from which an arm counts as harmful, 0 to 1.
	// Default 0.5. Harmless is the risk that the upper end of an arm's interval
	// must stay within to count as free of harm. Default 0.1.
	Sufficient, Harmless float64
	// Q is the share of false ones tolerated among the contrasts called
	// significant (Benjamini and Hochberg 1995). Default 0.05.
	Q float64
	// Seed is the first seed; replication i runs under Seed+i, the same in all arms
	// unless Apart is set. Then each arm has seeds of its own, which is better where
	// Contrast.Sharing is below 1.
	Seed  uint64
	Apart bool
	// Workers is how many trials run at the same time. Default GOMAXPROCS.
	Workers int
	// Progress, if set, is told how many trials have ended, and how many there
	// will be at most. Calls do not overlap.
	Progress func(done, most int)
}

// Within says how narrow the intervals of the mean of a measure must be for
// replications to stop: their half width is at most Relative times the largest
// mean of all arms.
type Within struct {
	Measure  string
	Relative float64
}

// maxCrossed is how many factors are crossed in full: 64 arms.
const maxCrossed = 6

// Run makes the experiment. An error is that of the options, of the context, or
// of the first trial, by arm and seed, that failed.
func Run(ctx context.Context, o Options, trial Trial) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("experiment: %w", err)
	}
	o = o.withDefaults()
	r := Result{Factors: o.Factors, Harm: o.Harm, Sets: []Set{}, Missing: []string{}, options: o}
	r.data = &sample{options: o, trial: trial, outcomes: make(map[Arm][]Outcome)}
	for i := range o.Factors {
		r.crossed = append(r.crossed, i)
	}
	if len(o.Factors) > maxCrossed {
		if err := r.screen(ctx); err != nil {
			return Result{}, err
		}
	}
	if err := r.cross(ctx); err != nil {
		return Result{}, err
	}
	r.Trials = r.data.done
	r.compare()
	r.round()
	return r, nil
}

// cross runs all combinations of the crossed factors until they say enough.
func (r *Result) cross(ctx context.Context) error {
	arms := full(r.crossed)
	for n := r.options.Min; ; n = min(r.options.Max, n+(n+1)/2) {
		if err := r.data.extend(ctx, arms, n); err != nil {
			return err
		}
		r.judge(arms, n)
		narrow := r.narrow()
		switch {
		case narrow && r.settled():
			r.Stopped = "the intervals are narrow enough and the verdict is settled"
		case n == r.options.Max:
			r.Stopped = fmt.Sprintf("%d replications are the most that were asked for", n)
		default:
			continue
		}
		if !narrow {
			r.Missing = append(r.Missing, fmt.Sprintf("an interval is wider than was asked for: more replications than %d", n))
		}
		r.Contrasts = r.data.contrasts(r.crossed, arms)
		return nil
	}
}

// judge describes the arms after n replications.
func (r *Result) judge(arms []Arm, n int) {
	r.Replications = n
	r.Seeds = [2]uint64{r.options.Seed, r.options.Seed + uint64(n) - 1}
	r.Crossed = r.Crossed[:0]
	for _, f := range r.crossed {
		r.Crossed = append(r.Crossed, r.Factors[f])
	}
	r.Cells = r.Cells[:0]
	for _, a := range arms {
		r.Cells = append(r.Cells, r.data.cell(a))
	}
	r.rule(arms)
}

// narrow reports whether the interval of every arm is.
func (r *Result) narrow() bool {
	var widest, largest float64 // of the measure of Within
	for _, c := range r.Cells {
		if (c.High-c.Low)/2 > r.options.HalfWidth {
			return false
		}
		for _, m := range c.Measures {
			if m.Name == r.options.Within.Measure {
				widest, largest = max(widest, (m.High-m.Low)/2), max(largest, m.Mean)
			}
		}
	}
	return widest <= r.options.Within.Relative*largest
}

// settled reports whether more replications are not needed for a verdict.
func (r *Result) settled() bool {
	return r.Verdict != Undecided &&
		!slices.ContainsFunc(r.Sets, func(s Set) bool { return s.Verdict == Undecided })
}

func (o Options) withDefaults() Options {
	o.Harm = orDefault(o.Harm, "harm")
	o.Min = orDefault(o.Min, 40)
	o.Max = orDefault(o.Max, max(200, o.Min))
	o.HalfWidth = orDefault(o.HalfWidth, 0.1)
	o.Sufficient = orDefault(o.Sufficient, 0.5)
	o.Harmless = orDefault(o.Harmless, 0.1)
	o.Q = orDefault(o.Q, 0.05)
	o.Workers = orDefault(o.Workers, runtime.GOMAXPROCS(0))
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	return o
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Validate says what is wrong with the options, or nothing.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case len(o.Factors) == 0:
		return errors.New("no factors: name the conditions to switch")
	case len(o.Factors) > 64:
		return fmt.Errorf("%d factors: want at most 64", len(o.Factors))
	case o.Min < 2 || o.Max < o.Min:
		return fmt.Errorf("replications from %d to %d: want at least 2, and the most not below the least", o.Min, o.Max)
	case !(o.HalfWidth > 0 && o.HalfWidth <= 0.5):
		return fmt.Errorf("half width is %g: want more than 0 and at most 0.5", o.HalfWidth)
	case !(o.Harmless > 0 && o.Harmless < o.Sufficient && o.Sufficient <= 1):
		return fmt.Errorf("harmless is %g and sufficient %g: want 0 < harmless < sufficient <= 1", o.Harmless, o.Sufficient)
	case !(o.Q > 0 && o.Q < 1):
		return fmt.Errorf("q is %g: want more than 0 and less than 1", o.Q)
	case o.Workers < 1:
		return fmt.Errorf("%d workers: want at least 1", o.Workers)
	}
	if m := o.Within.Measure; m != "" && (!slices.Contains(o.Measures, m) || !(o.Within.Relative > 0)) {
		return fmt.Errorf("stop when %q is within %g: want one of the responses %v, and more than 0", m, o.Within.Relative, o.Measures)
	}
	for i, f := range o.Factors {
		if f == "" || slices.Contains(o.Factors[:i], f) {
			return fmt.Errorf("factor %q: want names, each once", f)
		}
	}
	return nil
}
