package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// A Blame says which conditions changed how a request ended: with everything else
// as it was, also all that is random, it would have ended otherwise without any
// one of them. It is the truth that no telemetry can tell.
type Blame struct {
	Workload   string   `json:"workload"`
	Number     uint64   `json:"number"` // of the workload's requests
	Start      float64  `json:"start"`  // seconds of virtual time
	OK         bool     `json:"ok"`
	Conditions []string `json:"conditions"`
}

// Blames runs a model with the conditions of settings, and once more without each
// condition that was on, and returns the requests for which that made a
// difference, by workload and number. Requests are the same ones as long as a
// condition leaves arrivals alone; load conditions do not, and are left out.
func Blames(ctx context.Context, m *Model, seed uint64, settings Settings) ([]Blame, error) {
	with, err := endings(ctx, m, seed, settings)
	if err != nil {
		return nil, err
	}
	blamed := make(map[[2]uint64][]string)
	for _, c := range m.Conditions {
		on, said := settings.On[c.ID]
		if !said {
			on = c.Default
		}
		if !on || c.Kind == KindLoad {
			continue
		}
		without := settings
		without.On = maps.Clone(settings.On)
		if without.On == nil {
			without.On = make(map[string]bool)
		}
		without.On[c.ID] = false
		other, err := endings(ctx, m, seed, without)
		if err != nil {
			return nil, fmt.Errorf("without %s: %w", c.ID, err)
		}
		for key, e := range with {
			if o, ok := other[key]; ok && o.OK != e.OK {
				blamed[key] = append(blamed[key], c.ID)
			}
		}
	}
	var out []Blame
	for key, ids := range blamed {
		e := with[key]
		out = append(out, Blame{
			Workload: m.Workloads[e.Workload].ID, Number: e.Number, Start: e.Start.Seconds(), OK: e.OK, Conditions: ids,
		})
	}
	slices.SortFunc(out, func(a, b Blame) int {
		if a.Workload != b.Workload {
			return slices.IndexFunc(m.Workloads, func(w Workload) bool { return w.ID == a.Workload }) -
				slices.IndexFunc(m.Workloads, func(w Workload) bool { return w.ID == b.Workload })
		}
		return int(int64(a.Number) - int64(b.Number))
	})
	return out, nil
}

// endings are how all requests of a run ended, by workload and number.
func endings(ctx context.Context, m *Model, seed uint64, settings Settings) (map[[2]uint64]Ended, error) {
	out := make(map[[2]uint64]Ended)
	settings.Sink = nil
	settings.Ended = func(e Ended) { out[[2]uint64{uint64(e.Workload), e.Number}] = e }
	s, err := New(m, seed, settings)
	if err != nil {
		return nil, err
	}
	if _, err := s.Run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}
