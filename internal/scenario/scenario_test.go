package scenario_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/scenario"
)

func TestAnExperimentProvesWhatWasPlanted(t *testing.T) {
	s := load(t, "small.yaml")
	study, err := s.Experiment(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if study.Result.Verdict != experiment.ProvenConjunction || !study.AsPlanted || study.Failed() {
		t.Errorf("%s, as planted %t, failed %t", study.Result.Verdict, study.AsPlanted, study.Failed())
	}
	var text bytes.Buffer
	if err := study.Write(&text); err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "small-experiment.txt", text.String())
}

func TestAnAssertThatDoesNotHoldSaysInWhichArm(t *testing.T) {
	text, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`{retries: false}, expr: "p(collapse) <= 5%"`), []byte(`{}, expr: "p(collapse) <= 5%"`), 1)
	s, err := scenario.Parse("small.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	study, err := s.Experiment(t.Context(), func(o *experiment.Options) { o.Min, o.Max = 3, 3 })
	if err != nil {
		t.Fatal(err)
	}
	if got := study.Asserts[1]; got.Passed || got.Arms != 4 || strings.Join(got.Failed, "") != "with retries, brownout: p(collapse) is 1" {
		t.Errorf("the assert is %+v", got)
	}
	if study.AsPlanted || study.Result.Verdict != experiment.Undecided {
		t.Errorf("three replications say %s, as planted %t", study.Result.Verdict, study.AsPlanted)
	}
}

func TestTheSameSeedGivesTheSamePicture(t *testing.T) {
	s := load(t, "small.yaml")
	var first []byte
	for range 2 {
		r, err := s.Run(t.Context(), 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(s.Draw(r))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(got, first) {
			t.Error("two runs under one seed differ")
		}
		first = got
	}
}

func TestConditionsCanBeSwitchedForARun(t *testing.T) {
	s := load(t, "small.yaml")
	r, err := s.Run(t.Context(), 3, map[string]bool{"brownout": false})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Responses(r); *got["failed_share"] > 0.01 || *got["collapse"] != 0 || got["ttr"] != nil {
		t.Errorf("without the brownout: failed share %g, collapse %g, ttr %v", *got["failed_share"], *got["collapse"], got["ttr"])
	}
	_, err = s.Run(t.Context(), 3, map[string]bool{"brownuot": true})
	if err == nil || !strings.Contains(err.Error(), `no condition "brownuot": it has retries, brownout and deploy`) {
		t.Errorf("a condition that does not exist: %v", err)
	}
}

func TestAPictureIsDrawnWithLetters(t *testing.T) {
	s := load(t, "small.yaml")
	r, err := s.Run(t.Context(), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.Draw(r).Write(&text); err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "small.txt", text.String())
	for line := range strings.Lines(text.String()) {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("%d letters in a line: %s", n, line)
		}
	}
}

func TestAPageLoadsNothingAndDrawsEverything(t *testing.T) {
	s := load(t, "small.yaml")
	r, err := s.Run(t.Context(), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	study, err := s.Experiment(t.Context(), func(o *experiment.Options) { o.Min, o.Max = 3, 3 })
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := scenario.Page(&page, s.Draw(r), &study); err != nil {
		t.Fatal(err)
	}
	tree, err := html.Parse(bytes.NewReader(page.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	for n := range tree.Descendants() {
		if n.Type == html.ElementNode {
			count[n.Data]++
		}
	}
	// The lanes, five charts with eight lines, the portrait in twelve parts, and a
	// bar for each of four arms.
	if count["svg"] != 1+5+1+4 || count["path"] != 8+12 || count["script"] != 0 {
		t.Errorf("elements: %v", count)
	}
	for _, tick := range []string{">0<", ">30s<", ">1m<", ">1m30s<"} {
		if !strings.Contains(page.String(), tick) {
			t.Errorf("the axis of time has no label %s", tick)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "http://", "https://", "%!"} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	for _, m := range regexp.MustCompile(`d="([^"]*)"`).FindAllStringSubmatch(page.String(), -1) {
		if !regexp.MustCompile(`^(M-?[\d.]+ -?[\d.]+(L-?[\d.]+ -?[\d.]+)*)*$`).MatchString(m[1]) {
			t.Errorf("a path is %.80s", m[1])
		}
	}
}

// conditions makes some out of "entity dimension".
func conditions(names ...string) []condition.Condition {
	var out []condition.Condition
	for _, n := range names {
		entity, dimension, _ := strings.Cut(n, " ")
		out = append(out, condition.Condition{Entity: entity, Dimension: dimension, Value: "x"})
	}
	return out
}

func TestWhatWasFoundIsHeldAgainstWhatWasPlanted(t *testing.T) {
	shows := map[string]string{"v2": "cart service.version", "flag": "pricing flag tax", "load": ""}
	set := conditions
	both := set("pricing flag tax", "cart service.version")
	for _, c := range []struct {
		name    string
		planted [][]string
		found   [][]condition.Condition
		want    scenario.Match
	}{
		{"the planted pair, in another order", [][]string{{"v2", "flag"}}, [][]condition.Condition{both}, scenario.Exact},
		{"the pair beside something else", [][]string{{"v2", "flag"}}, [][]condition.Condition{set("a b"), both}, scenario.Exact},
		{"half of it", [][]string{{"v2", "flag"}}, [][]condition.Condition{set("cart service.version")}, scenario.Part},
		{"more than it", [][]string{{"v2"}}, [][]condition.Condition{both}, scenario.Part},
		{"what does not show can not be found", [][]string{{"v2", "load"}}, [][]condition.Condition{set("cart service.version")}, scenario.Part},
		{"something else", [][]string{{"v2", "flag"}}, [][]condition.Condition{set("a b")}, scenario.Other},
		{"nothing", [][]string{{"v2", "flag"}}, nil, scenario.Missed},
		{"nothing where nothing is", nil, nil, scenario.Quiet},
		{"something where nothing is", nil, [][]condition.Condition{both}, scenario.FalseAlarm},
	} {
		if got := (scenario.Truth{Sets: c.planted}).Compare(c.found, shows); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestARecordingTellsOfChangesAndNotOfTheTruth(t *testing.T) {
	s := load(t, "small.yaml")
	var told bytes.Buffer
	shows, err := s.Record(t.Context(), 3, map[string]bool{"deploy": true}, &told)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"retries": "shop retry.max_attempts", "brownout": "", "deploy": "pay service.version"}
	if !maps.Equal(shows, want) {
		t.Errorf("conditions show as %v, want %v", shows, want)
	}
	if text := told.String(); !strings.Contains(text, "2.2.0") || strings.Contains(text, "brownout") {
		t.Error("the telemetry lacks the new version, or tells of the fault")
	}
}

func TestAHealthyScenarioIsAsPlantedOnlyIfNothingDoesHarm(t *testing.T) {
	text, err := os.ReadFile("testdata/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The same storm, of which the author says that nothing does harm, and with so
	// few replications that the verdict is left open.
	text = bytes.Replace(text, []byte("minimal_pairs: [[retries, brownout]]"), []byte("minimal_sets: []"), 1)
	s, err := scenario.Parse("small.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	study, err := s.Experiment(t.Context(), func(o *experiment.Options) { o.Min, o.Max = 3, 3 })
	if err != nil {
		t.Fatal(err)
	}
	if study.Result.Verdict != experiment.Undecided || study.AsPlanted {
		t.Errorf("%s, as planted %t", study.Result.Verdict, study.AsPlanted)
	}
}
