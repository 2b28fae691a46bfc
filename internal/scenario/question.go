package scenario

import (
	"slices"
	"strconv"
	"strings"

	"example.test/eddy/internal/experiment"
)

// A Question is the experiment that a scenario asks for.
type Question struct {
	Options experiment.Options
	// Harm is the response that counts as harm, and from which value on.
	Harm Harm
}

// A Harm says when a run did harm.
type Harm struct {
	Response string
	// AtLeast is the value of the response from which on it is harm. That of
	// collapse, which is 0 or 1, is 1.
	AtLeast float64
}

// questionEntry is the experiment as it is written.
type questionEntry struct {
	Design       string
	Harm         string
	Factors      []string
	Responses    []string
	Replications struct {
		Min, Max int
		Stop     struct {
			Response        string
			WilsonHalfwidth float64
			RelHalfwidth    float64
		}
	}
	Analysis struct {
		Contrasts   string
		Correction  string
		Q           float64
		MinimalSets struct {
			Response  string
			Threshold float64
		}
	}
}

// question checks an experiment.
func (d *decoder) question(s *Scenario, e *questionEntry) *Question {
	const at = "experiment"
	q := &Question{Harm: d.harm(e.Harm)}
	for _, f := range e.Factors {
		if s.condition(f) == nil {
			d.about("", at+".factors", "no condition %q: want some of %s", f, list(s.ids()))
		}
	}
	if len(e.Factors) == 0 {
		d.about("", at+".factors", "none: name the conditions to switch, some of %s", list(s.ids()))
	}
	d.oneOf(at+".design", e.Design, "full")
	d.oneOf(at+".analysis.contrasts", e.Analysis.Contrasts, "all")
	d.oneOf(at+".analysis.correction", e.Analysis.Correction, "bh")
	for _, r := range e.Responses {
		if r != q.Harm.Response {
			d.response(at+".responses", r)
		}
	}
	if r := e.Analysis.MinimalSets.Response; r != "" && r != q.Harm.Response {
		d.about("", at+".analysis.minimal_sets.response", "%q: want %s, the harm of this experiment", r, q.Harm.Response)
	}
	q.Options = experiment.Options{
		Factors: e.Factors, Harm: q.Harm.String(), Measures: measures(e.Responses, q.Harm),
		Min: e.Replications.Min, Max: e.Replications.Max, HalfWidth: e.Replications.Stop.WilsonHalfwidth,
		Sufficient: e.Analysis.MinimalSets.Threshold, Q: e.Analysis.Q, Seed: s.Seed,
	}
	if e.Replications.Stop.RelHalfwidth != 0 {
		q.Options.Within = experiment.Within{Measure: e.Replications.Stop.Response, Relative: e.Replications.Stop.RelHalfwidth}
	}
	if err := q.Options.Validate(); err != nil {
		d.about("", at, "%v", err)
	}
	return q
}

// oneOf complains about a choice that is not the only one there is.
func (d *decoder) oneOf(at, value, only string) {
	if value != "" && value != only {
		d.about("", at, "%q: want %s", value, only)
	}
}

// measures are the responses beside the harm.
func measures(responses []string, h Harm) []string {
	return slices.DeleteFunc(slices.Clone(responses), func(r string) bool { return r == h.Response })
}

// harm reads "collapse", which is the default, or "failed_share >= 0.05".
func (d *decoder) harm(text string) Harm {
	if text == "" || text == "collapse" {
		return Harm{Response: "collapse", AtLeast: 1}
	}
	name, value, ok := strings.Cut(text, ">=")
	least, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !ok || err != nil {
		d.about("", "experiment.harm", "%q: want collapse, or a response and a number as in \"failed_share >= 0.05\"", text)
		return Harm{Response: text}
	}
	h := Harm{Response: strings.TrimSpace(name), AtLeast: least}
	d.response("experiment.harm", h.Response)
	return h
}

// String writes the harm as a file has it.
func (h Harm) String() string {
	if h.Response == "collapse" {
		return h.Response
	}
	return h.Response + " >= " + strconv.FormatFloat(h.AtLeast, 'g', -1, 64)
}
