package main

import (
	"strings"
	"testing"
)

// What a run sends to a server is explained there as it is when a file of it is
// replayed.
func TestARunThatIsSentToAServerIsExplainedThere(t *testing.T) {
	url, otlp := startServer(t)
	_, errs, status := eddy(t, "sim", "run", "flag-combination", "--otlp", otlp)
	if status != 0 || !strings.HasPrefix(errs, "sent to "+otlp+": ") {
		t.Fatalf("sim run --otlp said %q, status %d", errs, status)
	}
	k := explained(t, url)[0]
	if want := "when pricing flag rounding=banker meets pricing flag tax=v2"; !strings.Contains(k.Title, want) {
		t.Errorf("the incident is %q, want %q in it", k.Title, want)
	}
	if _, errs, status := eddy(t, "sim", "run", "flag-combination", "--otlp", "127.0.0.1:4317"); status != 2 || !strings.Contains(errs, "want one such as http://127.0.0.1:4318 or grpc://127.0.0.1:4317") {
		t.Errorf("an address without scheme gives %q, status %d", errs, status)
	}
	if _, errs, status := eddy(t, "sim", "run", "flag-combination", "--speed", "2"); status != 2 || !strings.Contains(errs, "--otlp") {
		t.Errorf("a speed alone gives %q, status %d", errs, status)
	}
}
