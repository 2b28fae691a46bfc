// Package modelcheck walks every interleaving of a contract and shows the
// shortest way to break it.
//
// [Check] takes the protocol's own machines, package phase/protocol, and puts
// around them everything that a network, a clock and a crash can do: confirms and
// pushes that are slow, lost, twice there or out of order, requests that arrive as
// late as they may, consumers that restart, leaders that are paused. It visits all
// states that this can lead to, nearest first, so the first violation it meets is
// a shortest one; a person can read it, see [Counterexample].
//
// A contract is checked for each of its roles with one consumer. That is enough
// for safety with any number: other consumers influence one only through "all have
// acknowledged", which includes its own acknowledgement, so whatever may happen
// among many may happen to one alone. For a role that does not acknowledge, the
// others are taken to have acknowledged whenever that lets something happen. An
// exclusive contract is checked for two candidates, for which there is no such
// argument.
//
// Guards are taken to hold or not at any time, unless they cannot hold at all;
// a dwell counts as far as it makes a difference. Both only add behaviour. What is
// not in the model: two producers of one subject; panic mode, which acts without a
// belief on purpose; and unknown.does of a role that does not observe eddy.
//
// [Follow] asks of a run of the real programs whether it is one of the model. It is
// what says that the model is about them.
//
// A search is bounded by states and by memory. When a bound is hit, the answer is
// neither yes nor no, and [Run.Bound] says which it was.
package modelcheck

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"example.test/eddy/phase/contract"
)

// The bounds of a search that Options leaves to the default.
const (
	DefaultMaxStates = 50_000_000
	DefaultMaxBytes  = 4 << 30
)

// Options are how far and against what a contract is checked.
type Options struct {
	// MaxStates and MaxBytes bound one run; 0 is the default.
	MaxStates, MaxBytes int
	// Workers is how many goroutines search; 0 is one for each CPU. The result does
	// not depend on it.
	Workers int
	// Tick, Consumers, Epochs and Faults take the place of the contract's model,
	// the first three where they are not 0.
	Tick      time.Duration
	Consumers int
	Epochs    int
	Faults    *int
	// Together checks one consumer of each role in one run, instead of each role by
	// itself.
	Together bool
	// Without are rules of the protocol to leave out.
	Without []Rule
	// SafetyOnly leaves the properties alone that begin with AG EF.
	SafetyOnly bool
	// Possible reports whether a guard can hold in a phase, while the subjects that
	// it reads are in the phases deps; nil deps may be anything. A nil Possible takes
	// all guards to.
	Possible func(guard string, in contract.PhaseName, deps map[string]contract.PhaseName) bool
	// Contracts are those that deps may name, by their names. A contract whose deps
	// are all among them, also those of deps, is checked with them.
	Contracts map[string]*contract.Contract
	// Progress is called now and then, from one goroutine.
	Progress func(Progress)
}

func (o Options) breaks() map[Rule]bool {
	breaks := map[Rule]bool{}
	for _, r := range o.Without {
		breaks[r] = true
	}
	return breaks
}

func (o Options) epochs(c *contract.Contract) int { return firstOf(o.Epochs, c.Model.MaxEpochs) }

func (o Options) candidates(c *contract.Contract) int {
	return firstOf(o.Consumers, c.Model.Candidates)
}

func (o Options) faults(c *contract.Contract) int {
	if o.Faults != nil {
		return *o.Faults
	}
	return c.Model.Loss
}

func firstOf(values ...int) int {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}

// A Report is what became of a contract.
type Report struct {
	Contract string `json:"contract"`
	Runs     []Run  `json:"runs"`
}

// OK reports whether every run was complete and found nothing.
func (r Report) OK() bool { return r.Violation() == nil && r.Complete() }

// Complete reports whether no run hit a bound.
func (r Report) Complete() bool {
	for _, run := range r.Runs {
		if run.Bound != "" {
			return false
		}
	}
	return true
}

// Violation returns the first counterexample, or nil.
func (r Report) Violation() *Counterexample {
	for _, run := range r.Runs {
		if run.Counterexample != nil {
			return run.Counterexample
		}
	}
	return nil
}

// A Run is one search.
type Run struct {
	// Name is the role, or "lease".
	Name string `json:"name"`
	// Properties are those that were checked.
	Properties []Property `json:"properties"`
	// Assumptions are what the run rests on, in words.
	Assumptions []string `json:"assumptions"`
	// Tick is the unit of time.
	Tick time.Duration `json:"tick_ns"`
	// States and Edges are how many were visited, and Depth how far the farthest
	// state is from the first. A run that ends early has visited part of them.
	States int `json:"states"`
	Edges  int `json:"edges"`
	Depth  int `json:"depth"`
	// Bytes is what the states take.
	Bytes   int           `json:"bytes"`
	Elapsed time.Duration `json:"elapsed_ns"`
	// Bound says which bound ended the run before it was complete.
	Bound          string          `json:"bound,omitempty"`
	Counterexample *Counterexample `json:"counterexample,omitempty"`
}

// Check runs every search that a contract needs. Lint errors are no hindrance, as
// the counterexample shows what they lead to, except for permissions and names that
// are missing, L02 and L03. The error is about such a contract, a model that cannot
// be made, or ctx.
func Check(ctx context.Context, c *contract.Contract, o Options) (Report, error) {
	report := Report{Contract: c.ID(), Runs: []Run{}}
	plans, err := plan(c, o)
	if err != nil {
		return report, fmt.Errorf("check %s: %w", c.ID(), err)
	}
	for _, p := range plans {
		run, err := p.runFiner(ctx, o)
		if err != nil {
			return report, fmt.Errorf("check %s: %w", c.ID(), err)
		}
		report.Runs = append(report.Runs, run)
		if run.Counterexample != nil {
			break
		}
	}
	return report, nil
}

// halvings is how often a tick is halved before a violation is believed.
const halvings = 3

// runFiner searches, and where rounding to ticks may be to blame for a violation
// again with shorter ticks.
func (p plannedRun) runFiner(ctx context.Context, o Options) (Run, error) {
	first, err := p.run(ctx, o)
	if err != nil || first.Counterexample == nil || p.finer == nil {
		return first, err
	}
	for n := 1; n <= halvings; n++ {
		finer, ok := p.finer(p.tick >> n)
		if !ok {
			break
		}
		run, err := finer.run(ctx, o)
		if err != nil {
			return Run{}, err
		}
		if run.Counterexample == nil && run.Bound == "" {
			return run, nil
		}
	}
	return first, nil
}

// run searches once.
func (p plannedRun) run(ctx context.Context, o Options) (Run, error) {
	began := time.Now() // how long it took is for people; nothing depends on it
	last := began
	s := newSearch(p.model, bounds{
		states: firstOf(o.MaxStates, DefaultMaxStates), bytes: firstOf(o.MaxBytes, DefaultMaxBytes),
		workers: firstOf(o.Workers, runtime.GOMAXPROCS(0)),
		report: func(states, edges, depth int) {
			if now := time.Now(); o.Progress != nil && now.Sub(last) > 500*time.Millisecond {
				last = now
				o.Progress(Progress{Run: p.name, States: states, Edges: edges, Depth: depth, Elapsed: now.Sub(began)})
			}
		},
	})
	if err := s.run(ctx); err != nil {
		return Run{}, err
	}
	run := Run{Name: p.name, Properties: p.safety, Assumptions: p.assumptions, Tick: p.tick, Bound: s.exhausted}
	switch {
	case s.broken != nil:
		run.Counterexample = p.counterexample(s, s.broken.property, append(s.path(s.broken.from), noID), s.broken.label)
	case s.exhausted == "" && p.deps != nil:
		run.Properties = append(run.Properties, p.liveness)
		if err := p.ends(ctx, s, &run); err != nil {
			return Run{}, err
		}
	case s.exhausted == "" && !o.SafetyOnly:
		run.Properties = append(run.Properties, p.liveness)
		stuck, found, err := s.stuck(ctx)
		if err != nil {
			return Run{}, err
		}
		if found {
			run.Counterexample = p.counterexample(s, p.liveness, s.path(stuck), 0)
		}
	}
	run.States, run.Edges, run.Depth, run.Bytes = s.states(), s.edges, s.depth, s.bytes()
	run.Elapsed = time.Since(began)
	return run, nil
}
