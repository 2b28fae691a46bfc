package scenario

import (
	"context"
	"errors"
	"slices"

	"example.test/eddy/internal/experiment"
)

// A Study is an experiment carried out, with what the file said about it.
type Study struct {
	Name    string            `json:"name"`
	Result  experiment.Result `json:"result"`
	Asserts []Checked         `json:"asserts"`
	Truth   Truth             `json:"truth"`
	// AsPlanted says whether what was shown to do harm, alone or together, are
	// exactly the planted sets; where none is planted, that nothing does.
	AsPlanted bool `json:"as_planted"`
}

// ErrNoExperiment is returned by Experiment if the file asks for none.
var ErrNoExperiment = errors.New("scenario has no experiment: add one, with the conditions to switch as factors")

// Experiment carries out the experiment of the file. Change, if not nil, may
// adjust its options, such as the number of workers.
func (s *Scenario) Experiment(ctx context.Context, change func(*experiment.Options)) (Study, error) {
	if s.Question == nil {
		return Study{}, ErrNoExperiment
	}
	o := s.Question.Options
	if change != nil {
		change(&o)
	}
	// The number behind the harm is always measured: it says more than yes or no.
	if h := s.Question.Harm.Response; h != "collapse" && !slices.Contains(o.Measures, h) {
		o.Measures = append(slices.Clone(o.Measures), h)
	}
	trial := func(ctx context.Context, arm experiment.Arm, seed uint64) (experiment.Outcome, error) {
		on := make(map[string]bool, len(o.Factors))
		for i, f := range o.Factors {
			on[f] = arm.On(i)
		}
		return s.measured(ctx, seed, on, o.Measures)
	}
	r, err := experiment.Run(ctx, o, trial)
	if err != nil {
		return Study{}, err
	}
	study := Study{Name: s.Model.Name, Result: r, Asserts: []Checked{}, Truth: s.Truth}
	for _, a := range s.Asserts {
		study.Asserts = append(study.Asserts, a.check(&r))
	}
	study.AsPlanted = asPlanted(&r, s.Truth.Sets)
	return study, nil
}

// asPlanted holds a result against the planted sets.
func asPlanted(r *experiment.Result, planted [][]string) bool {
	if len(planted) == 0 {
		return r.Verdict == experiment.None
	}
	shown := found(r)
	return len(shown) == len(r.Sets) && same(shown, planted)
}

// found are the sets that were shown to do harm, alone or together.
func found(r *experiment.Result) [][]string {
	var sets [][]string
	for _, s := range r.Sets {
		if s.Verdict == experiment.ProvenConjunction || s.Verdict == experiment.SingleCause {
			sets = append(sets, s.Factors)
		}
	}
	return sets
}

// same reports whether two lists hold the same sets, in any order.
func same(a, b [][]string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(set []string) bool {
		return !slices.ContainsFunc(b, func(other []string) bool {
			return slices.Equal(slices.Sorted(slices.Values(set)), slices.Sorted(slices.Values(other)))
		})
	})
}

// Failed reports whether an assert did not hold.
func (s *Study) Failed() bool {
	return slices.ContainsFunc(s.Asserts, func(c Checked) bool { return !c.Passed })
}
