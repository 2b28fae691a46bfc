package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/internal/wording"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
)

// phaseCmd are the verbs about phases: first those that need no server.
type phaseCmd struct {
	Check  phaseCheckCmd  `cmd:"" help:"Lint contracts, and walk every interleaving of each for a way to break it."`
	Lint   phaseLintCmd   `cmd:"" help:"Say what is wrong with contracts, line by line."`
	List   phaseListCmd   `cmd:"" help:"List the contracts that come with Eddy, or print one of them."`
	Schema phaseSchemaCmd `cmd:"" help:"Print the JSON schema of contract files."`

	Manifest phaseManifestCmd `cmd:"" help:"Say what is wrong with the preStop hooks and readiness gates of Kubernetes manifests."`

	phaseServerCmds
}

// phaseLintCmd lints contracts.
type phaseLintCmd struct {
	Contracts []string `arg:"" name:"CONTRACT" help:"Files, or names of contracts that come with Eddy."`
	JSON      bool     `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (phaseLintCmd) Help() string {
	return `Examples:
  eddy phase lint drain.yaml
  eddy phase lint --json *.yaml | jq '.[].problems[]'

Warnings do not fail. The exit status is 1 if a contract has an error, and 2 if a
file is no contract. Every code is explained in docs/contracts.md.`
}

// A linted contract is what --json prints of one.
type linted struct {
	File     string             `json:"file"`
	Contract string             `json:"contract"`
	Digest   string             `json:"digest"`
	Problems []contract.Problem `json:"problems"`
}

// Run lints every contract, also after one that is wrong.
func (c *phaseLintCmd) Run(std stdio) error {
	all, err := findContracts(c.Contracts)
	if err != nil {
		return err
	}
	results := []linted{}
	failed := false
	for _, found := range all {
		problems := lint(found)
		failed = failed || len(contract.Errors(problems)) > 0
		results = append(results, linted{File: found.File(), Contract: found.ID(), Digest: found.Digest(), Problems: problems})
	}
	if c.JSON {
		err = printJSON(std.out, results)
	} else {
		err = writeLints(std.out, results)
	}
	if err == nil && failed {
		return errNo
	}
	return err
}

// lint judges a contract as of now, guards included.
func lint(c *contract.Contract) []contract.Problem {
	problems := c.Lint(contract.LintOptions{Now: time.Now(), CheckGuard: cel.Check})
	if problems == nil {
		return []contract.Problem{}
	}
	return problems
}

func writeLints(w io.Writer, results []linted) error {
	var b strings.Builder
	for _, r := range results {
		for _, p := range r.Problems {
			b.WriteString(p.String() + "\n")
		}
		bad := 0
		for _, p := range r.Problems {
			if p.Severity == contract.SeverityError {
				bad++
			}
		}
		fmt.Fprintf(&b, "%s: %s, %s\n", r.Contract, wording.Plural(bad, "error"), wording.Plural(len(r.Problems)-bad, "warning"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// phaseListCmd lists what comes with Eddy.
type phaseListCmd struct {
	Name string `arg:"" optional:"" help:"Print this contract, to copy and change."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (phaseListCmd) Help() string {
	return `Examples:
  eddy phase list
  eddy phase list rolling-drain > drain.yaml`
}

// Run lists the contracts, or prints one.
func (c *phaseListCmd) Run(std stdio) error {
	if c.Name != "" {
		text, ok := contracts.Read(c.Name)
		if !ok {
			return noContract(c.Name)
		}
		_, err := std.out.Write(text)
		return err
	}
	type entry struct {
		Name string `json:"name"`
		Says string `json:"says"`
	}
	var entries []entry
	for _, name := range contracts.Names() {
		text, _ := contracts.Read(name)
		entries = append(entries, entry{name, opening(text)})
	}
	if c.JSON {
		return printJSON(std.out, entries)
	}
	for _, e := range entries {
		if _, err := fmt.Fprintf(std.out, "%-17s %s\n", e.Name, e.Says); err != nil {
			return err
		}
	}
	return nil
}

// opening is the comment that a file begins with, in one line.
func opening(text []byte) string {
	var words []string
	for line := range bytes.Lines(text) {
		comment, ok := bytes.CutPrefix(line, []byte("#"))
		if !ok {
			break
		}
		words = append(words, strings.TrimSpace(string(comment)))
	}
	return strings.Join(words, " ")
}

// phaseSchemaCmd prints the schema.
type phaseSchemaCmd struct{}

// Run prints the schema.
func (phaseSchemaCmd) Run(std stdio) error {
	_, err := std.out.Write(contract.Schema())
	return err
}

// findContracts reads every contract that is named. The error has all that is
// wrong with any of them.
func findContracts(names []string) ([]*contract.Contract, error) {
	var all []*contract.Contract
	var wrong []error
	for _, name := range names {
		c, err := findContract(name)
		if err != nil {
			wrong = append(wrong, err)
		}
		all = append(all, c)
	}
	return all, errors.Join(wrong...)
}

// findContract reads a file, or a contract that comes with Eddy.
func findContract(name string) (*contract.Contract, error) {
	c, err := contract.Load(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || strings.ContainsAny(name, "/.") {
		return c, err
	}
	text, ok := contracts.Read(name)
	if !ok {
		return nil, noContract(name)
	}
	return contract.Parse(name+".yaml", text)
}

func noContract(name string) error {
	return fmt.Errorf("contract %q: no such file, and none of that name comes with Eddy: %s do", name, strings.Join(contracts.Names(), ", "))
}

// promelaFile writes a model for Spin and returns the name of the file.
func promelaFile(dir, contractName, run, text string) (string, error) {
	name := path.Join(dir, contractName+"-"+strings.ReplaceAll(run, "+", "-")+".pml")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("directory for models: %w", err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("model for Spin: %w", err)
	}
	return name, nil
}
