package main

import (
	"strings"
	"testing"
)

func TestADrainLosesNoRequest(t *testing.T) {
	var out, errs strings.Builder
	if status := run(t.Context(), []string{"-runs", "1", "-workers", "8"}, &out, &errs); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out.String(), errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("want a heading and four ways:\n%s", out.String())
	}
	for i, lossless := range map[int]bool{1: false, 4: true} {
		if fields := strings.Fields(lines[i]); (fields[len(fields)-1] == "0") != lossless {
			t.Errorf("want that it loses none: %v\n%s", lossless, lines[i])
		}
	}
}

func TestArgumentsOutOfRangeAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-runs", "0"}, {"-workers", "1000"}, {"-lag", "1m"}, {"-no-such"}} {
		var out, errs strings.Builder
		if status := run(t.Context(), args, &out, &errs); status != 2 || errs.Len() == 0 {
			t.Errorf("%v: status %d, %q, want 2 and a reason", args, status, errs.String())
		}
	}
}
