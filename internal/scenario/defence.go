package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"example.test/eddy/internal/experiment"
)

// A Defended is what became of the planted harm of a scenario with one defence
// on, beside the same runs without it.
type Defended struct {
	Scenario string `json:"scenario"`
	Defence  string `json:"defence"` // the condition; "" is none of them
	Harm     string `json:"harm"`
	// Cell has how many runs were harmed, and the measures of defenceMeasures.
	Cell   experiment.Cell `json:"cell"`
	Effect Effect          `json:"effect"`
}

// An Effect says what a defence does against a harm.
type Effect string

// Effects.
const (
	Breaks  Effect = "breaks it"      // the harm is shown to be gone: at most 10 % of the runs, by the upper end of the interval
	Helps   Effect = "helps"          // fewer runs are harmed: the intervals do not overlap
	Nothing Effect = "no effect"      // neither is shown
	Worse   Effect = "makes it worse" // more runs are harmed, or more requests fail, by their intervals
)

// harmless is the share of runs up to which a harm counts as gone, as in an
// experiment.
const harmless = 0.1

// defenceMeasures are what is measured beside the harm.
func defenceMeasures() []string { return []string{"failed_share", "ttr"} }

// Defences runs the planted harm of a scenario without and with each of the
// defences that its truth names, under the same seeds.
func (s *Scenario) Defences(ctx context.Context, runs int) ([]Defended, error) {
	if s.Question == nil {
		return nil, ErrNoExperiment
	}
	if len(s.Truth.Defences) == 0 {
		return nil, fmt.Errorf("scenario %s: truth names no defences", s.File)
	}
	var plain sync.Map // outcomes without any, by seed: they are the same each time
	var out []Defended
	for _, id := range s.Truth.Defences {
		o := experiment.Options{Factors: []string{id}, Harm: s.Question.Harm.String(), Measures: defenceMeasures(), Min: runs, Max: runs, Seed: s.Seed}
		r, err := experiment.Run(ctx, o, func(ctx context.Context, arm experiment.Arm, seed uint64) (experiment.Outcome, error) {
			if arm.On(0) {
				return s.measured(ctx, seed, map[string]bool{id: true}, o.Measures)
			}
			if known, ok := plain.Load(seed); ok {
				return known.(experiment.Outcome), nil
			}
			got, err := s.measured(ctx, seed, nil, o.Measures)
			plain.Store(seed, got)
			return got, err
		})
		if err != nil {
			return nil, fmt.Errorf("scenario %s with %s: %w", s.File, id, err)
		}
		i := slices.IndexFunc(r.Cells, func(c experiment.Cell) bool { return len(c.On) == 0 })
		without, with := r.Cells[i], r.Cells[1-i]
		if len(out) == 0 {
			out = append(out, Defended{Scenario: s.Model.Name, Harm: o.Harm, Cell: without})
		}
		out = append(out, Defended{Scenario: s.Model.Name, Defence: id, Harm: o.Harm, Cell: with, Effect: effect(&without, &with)})
	}
	return out, nil
}

// measured carries out one run with conditions on beside those that are by
// default.
func (s *Scenario) measured(ctx context.Context, seed uint64, on map[string]bool, measures []string) (experiment.Outcome, error) {
	run, err := s.Run(ctx, seed, on)
	if err != nil {
		return experiment.Outcome{}, err
	}
	out := experiment.Outcome{Harm: s.value(s.Question.Harm.Response, run) >= s.Question.Harm.AtLeast}
	for _, m := range measures {
		out.Values = append(out.Values, s.value(m, run))
	}
	return out, nil
}

// effect compares two arms.
func effect(without, with *experiment.Cell) Effect {
	failed := func(c *experiment.Cell) experiment.Measure {
		i := slices.IndexFunc(c.Measures, func(m experiment.Measure) bool { return m.Name == "failed_share" })
		if i < 0 {
			return experiment.Measure{}
		}
		return c.Measures[i]
	}
	switch {
	case with.High <= harmless && without.Low > harmless:
		return Breaks
	case with.High < without.Low:
		return Helps
	case with.Low > without.High || failed(with).Low > failed(without).High:
		return Worse
	}
	return Nothing
}
