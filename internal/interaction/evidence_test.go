package interaction_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
)

// evidence is all that a result says in sentences.
func evidence(r interaction.Result, outcome request.Outcome) string {
	said := slices.Clone(r.Missing)
	for _, f := range r.Findings {
		said = append(said, interaction.Sentence(f, "", outcome), interaction.Sentence(f, "Checkout", outcome))
		said = append(said, slices.Concat(f.For, f.Against, f.Missing)...)
	}
	return strings.Join(said, "\n")
}

func TestSlowRequestsAreNeverSaidToHaveFailed(t *testing.T) {
	changed := since()
	few := newWorld(1)
	for i := range 40 {
		few.add(0, i == 0, "entry=GET /cart", "a="+onOff(i%2 == 0))
	}
	concentrated := newWorld(2)
	for i := range 4000 {
		at := []string{"entry=GET /cart", "entry=POST /order"}[i%2]
		concentrated.add(time.Duration(i)*time.Millisecond, i%2 == 1 && i%40 == 1, at, "a="+onOff(concentrated.chance(0.5)))
	}
	whole := newWorld(3)
	whole.add(0, true, "a=on")
	for name, c := range map[string]struct {
		table   interaction.Table
		options interaction.Options
		want    string // of what is said, once
	}{
		"three conditions":    {twist(0.7).run(1), interaction.Options{}, `[\d,]+ of [\d,]+ requests with cart 1\.9, pricing flag bulk-quote=on and pricing 2\.0 were slow`},
		"one episode":         {nightly(1, [][2]int{{20, 40}}, together), interaction.Options{}, `in force for \d+% of the slow requests, but in only 1 episode`},
		"nothing in the data": {nightly(3, nil, func(string, bool) float64 { return 0.01 }), interaction.Options{}, `With \d+ slow requests, any condition`},
		"in bursts":           {bursts(3, 40, 8), interaction.Options{Alpha: 0.5}, ``},
		"a change":            {standing(1, 0.2), changed, `Before 2026-03-01T12:04:00Z, [\d.]+% of them were slow`},
		"too few":             {few.done(), interaction.Options{}, `1 slow request is too few`},
		"at one entry":        {concentrated.done(), interaction.Options{}, `The slow requests are concentrated at entry=POST /order`},
		"all of them":         {whole.done(), interaction.Options{}, `All requests were slow`},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.options
			o.Outcome = request.Slow
			r := mine(t, c.table, o)
			said := evidence(r, request.Slow)
			if regexp.MustCompile(`(?i)fail`).MatchString(said) {
				t.Errorf("want no word of failures, got\n%s", said)
			}
			if !regexp.MustCompile(c.want).MatchString(said) {
				t.Errorf("want %q, got\n%s", c.want, said)
			}
			// Only the words differ.
			o.Outcome = request.Failed
			failed := mine(t, c.table, o)
			if a, b := bare(t, r), bare(t, failed); a != b {
				t.Errorf("slow and failed requests give different numbers:\n%s\n%s", a, b)
			}
		})
	}
}

// bare is a result without its sentences.
func bare(t *testing.T, r interaction.Result) string {
	t.Helper()
	r.Missing, r.Findings = nil, slices.Clone(r.Findings)
	for i := range r.Findings {
		r.Findings[i].For, r.Findings[i].Against, r.Findings[i].Missing = nil, nil, nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAMixThatExaggeratesACauseIsSaid(t *testing.T) {
	for _, c := range []struct {
		name        string
		risky, safe float64 // share of version 2 at the risky entry and at the other
		want        string
	}{
		{"exaggerates", 0.8, 0.2, "the mix exaggerates the effect"},
		{"hides", 0.2, 0.8, "the mix hides the effect"},
		{"even", 0.5, 0.5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(5)
			for i := range 30_000 {
				entry, p, share := "GET /cart", 0.02, c.safe
				if i%2 == 0 {
					entry, p, share = "POST /order", 0.08, c.risky
				}
				version := "1"
				if w.chance(share) {
					version, p = "2", 2.5*p
				}
				w.add(time.Duration(i)*10*time.Millisecond, w.chance(p), "entry="+entry, "cart: service.version="+version)
			}
			r := mine(t, w.done(), interaction.Options{})
			if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"cart service.version=2"}) {
				t.Fatalf("want only cart 2, got %s", describe(r))
			}
			got := strings.Join(r.Findings[0].Against, " ")
			if said := strings.Contains(got, "Mix shift"); said != (c.want != "") || !strings.Contains(got, c.want) {
				t.Errorf("want %q, got %q", c.want, got)
			}
		})
	}
}
