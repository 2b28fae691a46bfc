package sim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// A Blame says which conditions changed how a request ended: with everything else
// as it was, also all that is random, it would have ended otherwise without any
// one of them. It is the truth that no telemetry can tell.
type Blame struct {
	Ended

	// Conditions are those without any one of which it would have ended well if it
	// did not, or badly if it did: the defences.
	Conditions []string
	// Together says that no single condition would have made the difference, but
	// Conditions, all that were on, did together.
	Together bool
}

// Paired is a run beside the same run without its conditions.
type Paired struct {
	// With is the run itself.
	With *Result
	// Without are the runs without one of the conditions that were on, and Calm
	// the one without all of them.
	Without map[string]*Result
	Calm    *Result
	// Blames are the requests that would have ended otherwise, by workload and
	// number. Load conditions change which requests there are, so they are to
	// blame for none, and stay as they are in Calm.
	Blames []Blame
}

// Pair runs a model with the conditions of settings, once more without each
// condition that was on, and once without all of them, and compares.
func Pair(ctx context.Context, m *Model, seed uint64, settings Settings) (Paired, error) {
	out := Paired{Without: make(map[string]*Result)}
	with, result, err := endings(ctx, m, seed, settings)
	if err != nil {
		return out, err
	}
	out.With, out.Calm = result, result
	calm := with
	blamed := make(map[requestKey][]string)
	var steady []string
	for _, c := range m.Conditions {
		if !settings.has(&c) {
			continue
		}
		other, result, err := endings(ctx, m, seed, settings.without(c.ID))
		if err != nil {
			return out, fmt.Errorf("without %s: %w", c.ID, err)
		}
		out.Without[c.ID] = result
		if c.Kind == KindLoad {
			continue
		}
		steady = append(steady, c.ID)
		calm, out.Calm = other, result // if it stays the only one
		for key, e := range with {
			if o, ok := other[key]; ok && o.good() != e.good() {
				blamed[key] = append(blamed[key], c.ID)
			}
		}
	}
	if len(steady) > 1 {
		calm, out.Calm, err = endings(ctx, m, seed, settings.without(steady...))
		if err != nil {
			return out, fmt.Errorf("without any condition: %w", err)
		}
	}
	for key, e := range with {
		ids := blamed[key]
		o, ok := calm[key]
		together := len(ids) == 0 && ok && o.good() != e.good()
		if together {
			ids = steady
		}
		if len(ids) > 0 {
			out.Blames = append(out.Blames, Blame{Ended: e, Conditions: ids, Together: together})
		}
	}
	slices.SortFunc(out.Blames, func(a, b Blame) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Number, b.Number))
	})
	return out, nil
}

// has reports whether a condition is on: as On says or, where it is silent, by
// default.
func (s *Settings) has(c *Condition) bool {
	if on, said := s.On[c.ID]; said {
		return on
	}
	return c.Default
}

// without returns the settings with some conditions off.
func (s Settings) without(ids ...string) Settings {
	s.On = maps.Clone(s.On)
	if s.On == nil {
		s.On = make(map[string]bool)
	}
	for _, id := range ids {
		s.On[id] = false
	}
	return s
}

// A requestKey is the same in runs that differ in their conditions.
type requestKey struct {
	workload int
	number   uint64
}

// endings are how all requests of a run ended.
func endings(ctx context.Context, m *Model, seed uint64, settings Settings) (map[requestKey]Ended, *Result, error) {
	out := make(map[requestKey]Ended)
	settings.Sink = nil
	settings.Ended = func(e Ended) { out[requestKey{e.Workload, e.Number}] = e }
	s, err := New(m, seed, settings)
	if err != nil {
		return nil, nil, err
	}
	result, err := s.Run(ctx)
	return out, result, err
}
