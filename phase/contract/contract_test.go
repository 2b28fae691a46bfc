package contract_test

import (
	"strings"
	"testing"
	"time"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/phase/contract"
)

// judged is when contracts are judged.
var judged = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

// read returns the text of a shipped contract, by the name of its file.
func read(t testing.TB, file string) []byte {
	t.Helper()
	text, ok := contracts.Read(strings.TrimSuffix(file, ".yaml"))
	if !ok {
		t.Fatalf("there is no contract %s", file)
	}
	return text
}

// shipped parses a shipped contract.
func shipped(t testing.TB, file string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse(file, read(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files are the names of the files of all shipped contracts.
func files(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, name := range contracts.Names() {
		files = append(files, name+".yaml")
	}
	if len(files) != 10 {
		t.Fatalf("got %d contracts, want 10", len(files))
	}
	return files
}

func TestShippedContractsHaveNothingToComplainAbout(t *testing.T) {
	for _, file := range files(t) {
		for _, p := range shipped(t, file).Lint(contract.LintOptions{Now: judged}) {
			t.Error(p)
		}
	}
}
