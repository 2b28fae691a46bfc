package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/wording"
	"example.test/eddy/phase/contract"
)

// maxManifest bounds what is read of one file of manifests.
const maxManifest = 64 << 20

// phaseManifestCmd checks Kubernetes manifests.
type phaseManifestCmd struct {
	Files    []string `arg:"" name:"FILE" help:"Manifests, or - for standard input."`
	Contract []string `help:"A contract that they name: a file, or one that comes with Eddy, all of which are known anyway." placeholder:"CONTRACT"`
	JSON     bool     `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (phaseManifestCmd) Help() string {
	return `Examples:
  eddy phase manifest --contract pod-drain.yaml checkout.yaml
  kubectl kustomize overlays/production | eddy phase manifest --contract pod-drain.yaml -

It compares the grace period with what the hook and the contract may take, and what
the hook announces with what the readiness gate goes by. Warnings do not fail. The
exit status is 1 if a manifest has an error, and 2 if a file is no YAML. Every code is
explained in docs/kubernetes.md.`
}

// A checkedManifest is what --json prints of one file.
type checkedManifest struct {
	File      string             `json:"file"`
	Workloads int                `json:"workloads"` // with a hook or a gate
	Problems  []contract.Problem `json:"problems"`
}

// Run checks every file, also after one that is wrong.
func (c *phaseManifestCmd) Run(std stdio) error {
	given, err := findContracts(c.Contract)
	if err != nil {
		return err
	}
	contracts := func(name string) *contract.Contract {
		for _, k := range given {
			if k.Name == name {
				return k
			}
		}
		if k, err := findContract(name); err == nil && k.Name == name {
			return k
		}
		return nil
	}
	results := []checkedManifest{}
	failed := false
	for _, file := range c.Files {
		text, err := readManifest(file, std.in)
		if err != nil {
			return err
		}
		r := checkedManifest{File: file}
		if r.Problems, r.Workloads, err = kubernetes.CheckManifests(file, text, contracts); err != nil {
			return err
		}
		failed = failed || len(contract.Errors(r.Problems)) > 0
		if r.Problems == nil {
			r.Problems = []contract.Problem{}
		}
		results = append(results, r)
	}
	if c.JSON {
		err = printJSON(std.out, results)
	} else {
		err = writeManifests(std.out, results)
	}
	if err == nil && failed {
		return errNo
	}
	return err
}

// readManifest reads a file, or standard input.
func readManifest(file string, in io.Reader) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err == nil && len(text) > maxManifest {
		err = errors.New("it is larger than 64 MiB")
	}
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", file, err)
	}
	return text, nil
}

func writeManifests(w io.Writer, results []checkedManifest) error {
	for _, r := range results {
		for _, p := range r.Problems {
			if _, err := fmt.Fprintln(w, p.String()); err != nil {
				return err
			}
		}
		bad := len(contract.Errors(r.Problems))
		if _, err := fmt.Fprintf(w, "%s: %s with a hook or a gate, %s, %s\n", r.File, wording.Plural(r.Workloads, "workload"), wording.Plural(bad, "error"), wording.Plural(len(r.Problems)-bad, "warning")); err != nil {
			return err
		}
	}
	return nil
}
