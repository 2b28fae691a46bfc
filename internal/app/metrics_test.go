package app_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What /metrics shows, its reader must be able to look up.
func TestEveryMetricIsDocumented(t *testing.T) {
	document, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	server, _ := run(t, options(t.TempDir()))
	status, text := get(t, server, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", status, text)
	}
	names := regexp.MustCompile(`(?m)^# HELP (eddy_\w+) `).FindAllStringSubmatch(text, -1)
	if len(names) < 20 {
		t.Errorf("/metrics shows only %d metrics of Eddy's own", len(names))
	}
	for _, name := range names {
		if !strings.Contains(string(document), "`"+name[1]+"`") && !strings.Contains(string(document), "`"+name[1]+"{") {
			t.Errorf("docs/serve.md does not say what %s is", name[1])
		}
	}
}
