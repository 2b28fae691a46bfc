package request_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// Each testdata/*.txtar says in its comment what it shows, and holds traces;
// the requests that they give are in the golden file beside it.
func TestTracesBecomeRequests(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/*.txtar: %d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, f := range archive.Files {
				arrivals, err := eddytest.ParseArrivals(string(f.Data))
				if err != nil {
					t.Fatalf("%s: %v", f.Name, err)
				}
				fmt.Fprintf(&out, "-- %s --\n%s", f.Name, replay(request.Config{}, arrivals))
			}
			eddytest.Golden(t, name+".golden", out.String())
		})
	}
}

// replay plays arrivals at one second a step and writes what comes out when.
func replay(c request.Config, arrivals []eddytest.Arrival) string {
	var out strings.Builder
	a := request.New(c)
	slices.SortStableFunc(arrivals, func(x, y eddytest.Arrival) int { return cmp.Compare(x.After, y.After) })
	at := func(s int) time.Time { return eddytest.Start().Add(time.Duration(s) * time.Second) }
	step := 0
	for ; len(arrivals) > 0 || a.Stats().OpenTraces > 0; step++ {
		for len(arrivals) > 0 && arrivals[0].After <= time.Duration(step)*time.Second {
			a.Add(at(step), []*telemetry.Span{arrivals[0].Span})
			arrivals = arrivals[1:]
		}
		for _, r := range a.Flush(at(step)) {
			fmt.Fprintf(&out, "%ds: %s", step, describe(r))
		}
	}
	fmt.Fprintf(&out, "stats: %s\n", describeStats(a.Stats()))
	return out.String()
}

func describe(r request.Request) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %v, %v", r.Entry, r.Duration, r.Outcome)
	if r.Reason != "" {
		fmt.Fprintf(&out, " (%s)", r.Reason)
	}
	if n := r.Attempt(); n > 1 {
		fmt.Fprintf(&out, ", attempt %d", n)
	}
	fmt.Fprintln(&out)
	attempts := r.Attempts()
	for i, s := range r.Spans {
		fmt.Fprintf(&out, "    %s %s %s", s.Resource.Service, s.Kind, s.Name)
		if attempts[i] > 1 {
			fmt.Fprintf(&out, " attempt %d", attempts[i])
		}
		fmt.Fprintln(&out)
	}
	for _, s := range r.Upstream {
		fmt.Fprintf(&out, "    upstream: %s %s %s\n", s.Resource.Service, s.Kind, s.Name)
	}
	if r.Gaps != (request.Gaps{}) {
		fmt.Fprintf(&out, "    gaps: %s\n", gaps(r.Gaps))
	}
	return out.String()
}

func gaps(g request.Gaps) string {
	var list []string
	if g.MissingRoot {
		list = append(list, "missing root")
	}
	if g.MissingParents > 0 {
		list = append(list, fmt.Sprintf("%d missing parents", g.MissingParents))
	}
	if g.SkewedSpans > 0 {
		list = append(list, fmt.Sprintf("%d skewed spans", g.SkewedSpans))
	}
	if g.DroppedItems > 0 {
		list = append(list, fmt.Sprintf("%d dropped items", g.DroppedItems))
	}
	if g.Truncated {
		list = append(list, "truncated")
	}
	return strings.Join(list, ", ")
}

func describeStats(s request.Stats) string {
	var list []string
	for _, f := range []struct {
		name  string
		count uint64
	}{
		{"spans", s.Spans},
		{"requests", s.Requests},
		{"duplicates", s.Duplicates},
		{"late", s.Late},
		{"invalid", s.Invalid},
		{"refused", s.Refused},
		{"orphan traces", s.OrphanTraces},
		{"entryless traces", s.EntrylessTraces},
		{"truncated traces", s.TruncatedTraces},
		{"truncated spans", s.TruncatedSpans},
		{"early traces", s.EarlyTraces},
		{"missing parents", s.MissingParents},
		{"missing producers", s.MissingProducers},
		{"skewed", s.Skewed},
	} {
		if f.count > 0 {
			list = append(list, fmt.Sprintf("%s %d", f.name, f.count))
		}
	}
	return strings.Join(list, ", ")
}
