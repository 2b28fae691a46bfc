package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"

	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/incident"
)

// What docs/phases.md says that "eddy phase report" prints of the files in
// testdata/phases is what it prints.
func TestThePhasesDocumentShowsWhatTheReportPrints(t *testing.T) {
	path, err := filepath.Abs("../../docs/phases.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("testdata/phases")
	examples := regexp.MustCompile(`(?m)^    \$ eddy (phase report .*)\n((?:    .*\n|\n)*?)(?:\n[^ ])`)
	found := 0
	now := examples.ReplaceAllStringFunc(string(page), func(block string) string {
		found++
		command := examples.FindStringSubmatch(block)[1]
		var out bytes.Buffer
		if status := execute(t.Context(), strings.Fields(command), stdio{strings.NewReader(""), &out, &out}); status != 1 {
			t.Errorf("eddy %s: status %d, want 1, since something was found:\n%s", command, status, out.String())
		}
		var text strings.Builder
		text.WriteString("    $ eddy " + command + "\n")
		for line := range strings.Lines(out.String()) {
			if strings.TrimSpace(line) != "" {
				line = "    " + line
			}
			text.WriteString(line)
		}
		return text.String() + block[len(block)-2:]
	})
	if found == 0 {
		t.Fatal("docs/phases.md has no example of eddy phase report with files")
	}
	if eddytest.Updating() {
		if err := os.WriteFile(path, []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := diff.Diff("docs/phases.md", page, "got", []byte(now)); d != nil {
		t.Errorf("the page does not show what the command prints; if it is right, run \"make update\" and read the diff\n%s", d)
	}
}

func TestAReportThatCannotBeMadeSaysWhy(t *testing.T) {
	for _, tt := range []struct {
		args, says string
	}{
		{"--window 2h", "want a duration up to 1h"},
		{"--contracts testdata", "a server has its own"},
		{"testdata/phases/calls.jsonl --contracts nowhere", "nowhere"},
		{"testdata/phases/calls.jsonl --contracts testdata/phases", "there is no *.yaml"},
		{"nowhere.jsonl", "nowhere.jsonl"},
	} {
		var out bytes.Buffer
		status := execute(t.Context(), append([]string{"phase", "report"}, strings.Fields(tt.args)...), stdio{strings.NewReader(""), &out, &out})
		if status != 2 || !strings.Contains(out.String(), tt.says) {
			t.Errorf("eddy phase report %s: status %d, want 2 and %q:\n%s", tt.args, status, tt.says, out.String())
		}
	}
}

func TestAnIncidentIsPrintedWithThePhaseFailuresOfItsTime(t *testing.T) {
	var out bytes.Buffer
	err := printIncident(&out, incident.Incident{
		Title: "GET / fails.", Phases: []conformance.Finding{{
			Code: conformance.DrainMisrouting, Name: "drain misrouting", Origin: conformance.Inferred, Severity: conformance.High, Subject: "cart/cart-7f",
			Text: "drain misrouting: 4 calls broke", For: []string{"12 of 64 say so"}, Against: []string{"52 do not"}, Missing: []string{"beliefs"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `Phases that did not agree at the time
F1 cart/cart-7f: drain misrouting: 4 calls broke (inferred)
  + 12 of 64 say so
  - 52 do not
  ? beliefs
`
	if !strings.Contains(out.String(), want) {
		t.Errorf("printed\n%s\nwant in it\n%s", out.String(), want)
	}
}
