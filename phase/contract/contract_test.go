package contract_test

import (
	"io/fs"
	"testing"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/phase/contract"
)

// judged is when the shipped contracts are judged: their keys hold until the end
// of 2027.
var judged = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

// shipped parses a contract of examples/contracts.
func shipped(t testing.TB, file string) *contract.Contract {
	t.Helper()
	text, err := contracts.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files are the names of all shipped contracts.
func files(t testing.TB) []string {
	t.Helper()
	names, err := fs.Glob(contracts.Files, "*.yaml")
	if err != nil || len(names) != 10 {
		t.Fatalf("got %d contracts, %v; want 10", len(names), err)
	}
	return names
}

func TestShippedContractsHaveNothingToComplainAbout(t *testing.T) {
	for _, file := range files(t) {
		for _, p := range shipped(t, file).Lint(contract.LintOptions{Now: judged}) {
			t.Error(p)
		}
	}
}
