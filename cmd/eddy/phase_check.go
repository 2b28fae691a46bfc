package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/internal/wording"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
)

// phaseCheckCmd checks contracts.
type phaseCheckCmd struct {
	Contracts []string `arg:"" optional:"" name:"CONTRACT" help:"Files, or names of contracts that come with Eddy (eddy phase list)."`

	Without   []string      `placeholder:"RULE" help:"Leave a rule of the protocol out, to see what it is for; --rules lists them."`
	Rules     bool          `help:"List the rules of the protocol that can be left out."`
	Together  bool          `help:"One consumer of each role in one run, instead of each role by itself."`
	Consumers int           `placeholder:"N" help:"Consumers of a role, or candidates for a lease, 1 to 4 (default: 1, and 2 candidates)."`
	Epochs    int           `placeholder:"N" help:"Announcements to explore, 1 to 7 (default: that of the contract's model, or 4)."`
	Faults    *int          `placeholder:"N" help:"Messages lost or doubled and crashes, 0 to 3 (default: that of the contract's model)."`
	Tick      time.Duration `placeholder:"DURATION" help:"Unit of time (default: that of the contract's model, or a quarter of its bound)."`
	Safety    bool          `help:"Leave out whether everyone can always come to agree, which takes about as long again."`
	MaxStates int           `default:"50000000" placeholder:"N" help:"States to visit in a run at most."`
	MaxMemory int           `default:"4096" placeholder:"MIB" help:"MiB for the states of a run at most."`
	Promela   string        `placeholder:"DIR" help:"Instead of checking, write the same models for Spin into this directory."`
	JSON      bool          `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (phaseCheckCmd) Help() string {
	return `Examples:
  eddy phase check rolling-drain
  eddy phase check contracts/*.yaml --json
  eddy phase check serverless-init --without floor-outlives-belief
  eddy phase check rolling-drain --promela models

A violation is shown as a timeline of the fewest steps that lead to it. The exit
status is 0 if all that was checked holds, 1 if a contract has an error or a
violation, and 2 if a file is no contract or a bound was hit before the end.`
}

// A checkedContract is what --json prints of one.
type checkedContract struct {
	modelcheck.Report

	File     string             `json:"file"`
	Digest   string             `json:"digest"`
	Problems []contract.Problem `json:"problems"`
}

// Run checks every contract.
func (c *phaseCheckCmd) Run(ctx context.Context, std stdio) error {
	if c.Rules {
		return writeRules(std.out)
	}
	if len(c.Contracts) == 0 {
		return fmt.Errorf("phase check: no contract: want files, or names out of 'eddy phase list'")
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	all, err := findContracts(c.Contracts)
	if err != nil {
		return err
	}
	if o.Contracts, err = withShipped(all); err != nil {
		return err
	}
	if c.Promela != "" {
		return c.writeModels(std.out, all, o)
	}
	if terminal(std.err) {
		o.Progress = func(p modelcheck.Progress) { drawStates(std.err, p) }
	}
	results := []checkedContract{}
	for _, found := range all {
		result, err := checkContract(ctx, found, o)
		if terminal(std.err) {
			fmt.Fprint(std.err, "\r\x1b[K")
		}
		if err != nil {
			return err
		}
		results = append(results, result)
		if !c.JSON {
			if err := writeChecked(std.out, result); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		err = printJSON(std.out, results)
	} else {
		err = writeLegend(std.out, results)
	}
	if err != nil {
		return err
	}
	return conclude(results)
}

func (c *phaseCheckCmd) options() (modelcheck.Options, error) {
	o := modelcheck.Options{
		MaxStates: c.MaxStates, MaxBytes: c.MaxMemory << 20, Tick: c.Tick, Consumers: c.Consumers, Epochs: c.Epochs,
		Faults: c.Faults, Together: c.Together, SafetyOnly: c.Safety, Possible: possible(),
	}
	for _, n := range []struct {
		flag               string
		value, least, most int
	}{
		{"--consumers", c.Consumers, 0, 4},
		{"--epochs", c.Epochs, 0, 7},
		{"--max-states", c.MaxStates, 1, 1 << 30},
		{"--max-memory", c.MaxMemory, 1, 1 << 20},
	} {
		if n.value < n.least || n.value > n.most {
			return o, fmt.Errorf("%s %d: want %d to %d", n.flag, n.value, n.least, n.most)
		}
	}
	if c.Tick != 0 && c.Tick < time.Millisecond {
		return o, fmt.Errorf("--tick %v: want at least 1ms", c.Tick)
	}
	if c.Faults != nil && (*c.Faults < 0 || *c.Faults > 3) {
		return o, fmt.Errorf("--faults %d: want 0 to 3", *c.Faults)
	}
	for _, name := range c.Without {
		rule, err := modelcheck.ParseRule(name)
		if err != nil {
			return o, fmt.Errorf("--without: %w: 'eddy phase check --rules' lists those there are", err)
		}
		o.Without = append(o.Without, rule)
	}
	return o, nil
}

// withShipped returns contracts by their names, and those that come with Eddy where
// none of a name is given.
func withShipped(given []*contract.Contract) (map[string]*contract.Contract, error) {
	byName := make(map[string]*contract.Contract)
	shipped, err := findContracts(contracts.Names())
	if err != nil {
		return nil, err
	}
	for _, c := range append(shipped, given...) {
		byName[c.Name] = c
	}
	return byName, nil
}

// possible tells the checker which guards can hold in a phase.
func possible() func(guard string, in contract.PhaseName, deps map[string]contract.PhaseName) bool {
	var cache cel.Cache
	return func(guard string, in contract.PhaseName, deps map[string]contract.PhaseName) bool {
		g, err := cache.Guard(guard)
		return err != nil || g.Possible(in, deps) // L07 has said what is wrong
	}
}

// checkContract lints a contract, and checks it unless it names what does not
// exist. A lint error is no reason not to: the counterexample is what it means.
func checkContract(ctx context.Context, c *contract.Contract, o modelcheck.Options) (checkedContract, error) {
	result := checkedContract{File: c.File(), Digest: c.Digest(), Problems: lint(c)}
	for _, p := range result.Problems {
		if p.Code == "L02" || p.Code == "L03" { // there is no model without what is missing
			result.Report = modelcheck.Report{Contract: c.ID(), Runs: []modelcheck.Run{}}
			return result, nil
		}
	}
	var err error
	result.Report, err = modelcheck.Check(ctx, c, o)
	return result, err
}

// conclude is the answer of the command: no, if any contract is wrong.
func conclude(results []checkedContract) error {
	var open []string
	for _, r := range results {
		if len(contract.Errors(r.Problems)) > 0 || r.Violation() != nil {
			return errNo
		}
		if !r.Complete() {
			open = append(open, r.Contract)
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("phase check: a bound was hit before all states of %s were seen: raise it, or explore less with --epochs or --faults", strings.Join(open, ", "))
	}
	return nil
}

// drawStates overwrites one line of a terminal.
func drawStates(w io.Writer, p modelcheck.Progress) {
	fmt.Fprintf(w, "\r\x1b[K%s: %s states, %d steps deep, %.1f s", p.Run, wording.Count(p.States), p.Depth, p.Elapsed.Seconds())
}

func writeChecked(w io.Writer, c checkedContract) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", c.Contract, c.File)
	for _, p := range c.Problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	if len(c.Runs) == 0 {
		b.WriteString("  not checked: it names what does not exist, or has nothing to check\n")
	}
	said := map[string]bool{} // what runs have in common is said once
	for _, run := range c.Runs {
		writeRun(&b, run, said)
		if run.Counterexample != nil {
			if err := run.Counterexample.WriteText(&b); err != nil {
				return err
			}
		}
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRun(b *strings.Builder, run modelcheck.Run, said map[string]bool) {
	var names []string
	for _, p := range run.Properties {
		names = append(names, string(p))
	}
	verdict := strings.Join(names, ", ") + " hold"
	switch {
	case run.Counterexample != nil:
		verdict = string(run.Counterexample.Property) + " does not hold"
	case run.Bound != "":
		verdict = fmt.Sprintf("no answer, %s: no violation within %d steps", run.Bound, run.Depth)
	}
	fmt.Fprintf(b, "  %s: %s\n", run.Name, verdict)
	fmt.Fprintf(b, "    %s states, %s edges, depth %d, %.2f s\n", wording.Count(run.States), wording.Count(run.Edges), run.Depth, run.Elapsed.Seconds())
	for _, a := range run.Assumptions {
		if !said[a] {
			said[a] = true
			fmt.Fprintf(b, "    %s\n", a)
		}
	}
}

// writeLegend says once what the properties are that were checked.
func writeLegend(w io.Writer, results []checkedContract) error {
	said := map[modelcheck.Property]bool{}
	for _, r := range results {
		for _, run := range r.Runs {
			for _, p := range run.Properties {
				if said[p] {
					continue
				}
				said[p] = true
				if _, err := fmt.Fprintf(w, "%s: %s\n", p, p.Says()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func writeRules(w io.Writer) error {
	for _, r := range modelcheck.Rules() {
		if _, err := fmt.Fprintf(w, "%-22s %s\n", r.Rule, r.Says); err != nil {
			return err
		}
	}
	return nil
}

// writeModels writes a file for every run and says which.
func (c *phaseCheckCmd) writeModels(w io.Writer, all []*contract.Contract, o modelcheck.Options) error {
	for _, found := range all {
		models, err := modelcheck.Promela(found, o)
		if err != nil {
			return err
		}
		for _, m := range models {
			name, err := promelaFile(c.Promela, found.Name, m.Name, m.Text)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s: spin -a %s && gcc -O2 -DSAFETY -DNOREDUCE -DBFS -o pan pan.c && ./pan -E\n", m.Name, name); err != nil {
				return err
			}
		}
	}
	return nil
}
