package accuracy_test

import (
	"testing"

	"example.test/eddy/internal/accuracy"
	"example.test/eddy/internal/condition"
)

func set(pairs ...string) accuracy.Set {
	var cs []condition.Condition
	for i := 0; i < len(pairs); i += 2 {
		cs = append(cs, condition.Condition{Dimension: pairs[i], Value: pairs[i+1]})
	}
	return accuracy.NewSet(cs...)
}

func TestEveryIncidentHasFiveMinutesAndItsLabels(t *testing.T) {
	all, err := accuracy.Incidents()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 100 {
		t.Errorf("got %d incidents, want 100", len(all))
	}
	for _, i := range all {
		var seen [5]bool
		held := make([]bool, len(i.Causes))
		for _, c := range i.Cells {
			if c.Minute < 0 || c.Minute > 4 || c.Bad < 0 || c.Bad > c.All {
				t.Fatalf("%s: got %d of %d in minute %d, want a count in minutes 0 to 4", i.Name, c.Bad, c.All, c.Minute)
			}
			seen[c.Minute] = true
			for k, cause := range i.Causes {
				held[k] = held[k] || c.Minute == 4 && c.Bad > 0 && c.Set.Contains(cause)
			}
		}
		if seen != [5]bool{true, true, true, true, true} {
			t.Errorf("%s: got minutes %v, want all five", i.Name, seen)
		}
		for k, ok := range held {
			if !ok {
				t.Errorf("%s: nothing failed with %s in the last minute", i.Name, i.Causes[k])
			}
		}
	}
}

func TestAnAnswerIsRightIfAllLabelsAreAmongTheFirst(t *testing.T) {
	a, b, c := set("x", "1"), set("y", "1", "x", "2"), set("z", "3")
	one := accuracy.Incident{Causes: []accuracy.Set{a}}
	two := accuracy.Incident{Causes: []accuracy.Set{a, b}}
	for _, x := range []struct {
		name     string
		incident accuracy.Incident
		answer   []accuracy.Set
		k        int
		want     bool
	}{
		{"first", one, []accuracy.Set{a, c}, 1, true},
		{"second", one, []accuracy.Set{c, a}, 1, false},
		{"second of three", one, []accuracy.Set{c, a, b}, 3, true},
		{"nothing", one, nil, 5, false},
		{"two labels take two places", two, []accuracy.Set{b, a}, 1, true},
		{"one of two labels", two, []accuracy.Set{a, c, c}, 3, false},
		{"a part of a label", two, []accuracy.Set{a, set("y", "1")}, 5, false},
	} {
		if got := x.incident.Right(x.answer, x.k); got != x.want {
			t.Errorf("%s: right at %d is %v, want %v", x.name, x.k, got, x.want)
		}
	}
}

func TestAnIncidentIsExplainedByWhatChanged(t *testing.T) {
	all, err := accuracy.Incidents()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		// In the first, another part of the traffic always fails more often; in
		// the second, most of what fails does so through one CDN, p2p or not.
		if i.Name != "case20_0921_2227875499" && i.Name != "case41_1128_1394565189" {
			continue
		}
		answer, err := i.Since(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !i.Right(answer, 1) {
			t.Errorf("%s: got %v, want %s first", i.Name, answer, i.Causes[0])
		}
	}
}

func TestTheBuildsAreThePublishedOnes(t *testing.T) {
	b, err := accuracy.ReadBuilds()
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, f := range b.Failed {
		if f {
			failed++
		}
	}
	if len(b.Rows) != 26_256 || failed != 9_376 || len(b.Named) != 6 {
		t.Errorf("got %d builds, %d failed, %d named interactions; want 26256, 9376, 6", len(b.Rows), failed, len(b.Named))
	}
	want := accuracy.Share{K: 4248, N: 4248}
	if got := b.Purity(set("prodDatabaseType", "mariadb", "buildTool", "gradle")); got != want {
		t.Errorf("MariaDB built with Gradle: got %d of %d failed, want %d of %d", got.K, got.N, want.K, want.N)
	}
}
