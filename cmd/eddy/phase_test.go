package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"

	"example.test/eddy/internal/eddytest"
)

// TestContractsDocumentShowsWhatTheCommandsPrint does for docs/contracts.md what
// the test of docs/explain.md does, with times as "0.00 s".
func TestContractsDocumentShowsWhatTheCommandsPrint(t *testing.T) {
	path, err := filepath.Abs("../../docs/contracts.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	blocks := regexp.MustCompile("(?ms)^```(\\S*) ?(.*?)\n(.*?)^```$")
	seconds := regexp.MustCompile(`\d+\.\d\d s\n`)
	ran := 0
	now := blocks.ReplaceAllStringFunc(string(page), func(block string) string {
		part := blocks.FindStringSubmatch(block)
		if name, ok := strings.CutPrefix(part[2], "file="); ok {
			if err := os.WriteFile(name, []byte(part[3]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		command, ok := strings.CutPrefix(part[3], "$ eddy ")
		if part[1] != "console" || !ok {
			return block
		}
		command, _, _ = strings.Cut(command, "\n")
		var stdout, stderr bytes.Buffer
		if status := execute(t.Context(), strings.Fields(command), stdio{strings.NewReader(""), &stdout, &stderr}); status > 1 || stderr.Len() > 0 {
			t.Errorf("eddy %s: exit status %d, %s", command, status, &stderr)
		}
		ran++
		out := seconds.ReplaceAllString(strings.TrimRight(stdout.String(), "\n"), "0.00 s\n")
		return "```console\n$ eddy " + command + "\n" + out + "\n```"
	})
	if ran < 2 {
		t.Errorf("ran %d examples of the page, want at least 2", ran)
	}
	if eddytest.Updating() {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := diff.Diff("docs/contracts.md", page, "got", []byte(now)); d != nil {
		t.Errorf("the page does not show what the commands print; if they are right, run \"make update\" and read the diff\n%s", d)
	}
}
