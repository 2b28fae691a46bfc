package experiment

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// A sample holds what the trials of each arm gave, in the order of their seeds.
type sample struct {
	options  Options
	trial    Trial
	outcomes map[Arm][]Outcome
	done     int
}

// extend runs trials until each of the arms has n outcomes. What was run before
// is kept.
func (s *sample) extend(ctx context.Context, arms []Arm, n int) error {
	type task struct {
		arm  Arm
		seed int
	}
	var tasks []task
	for i := range n { // by seed, so that what runs together shares what a seed decides
		for _, a := range arms {
			if i >= len(s.outcomes[a]) {
				tasks = append(tasks, task{a, i})
			}
		}
	}
	results := make([]Outcome, len(tasks))
	most := s.done + len(tasks)
	var mu sync.Mutex
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(s.options.Workers)
	for i, t := range tasks {
		if running.Err() != nil {
			break
		}
		group.Go(func() error {
			out, err := s.run(running, t.arm, s.seed(t.arm, t.seed))
			if err != nil {
				return err
			}
			results[i] = out
			mu.Lock()
			defer mu.Unlock()
			s.done++
			s.options.Progress(s.done, most)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, t := range tasks {
		s.outcomes[t.arm] = append(s.outcomes[t.arm], results[i])
	}
	return nil
}

// seed is that of the n-th trial of an arm.
func (s *sample) seed(a Arm, n int) uint64 {
	if s.options.Apart {
		const golden = 0x9e3779b97f4a7c15 // so that seeds of arms do not meet
		return s.options.Seed + uint64(n) + golden*uint64(a)
	}
	return s.options.Seed + uint64(n)
}

// run runs one trial and checks what it gives.
func (s *sample) run(ctx context.Context, a Arm, seed uint64) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	out, err := s.trial(ctx, a, seed)
	if err != nil {
		return Outcome{}, fmt.Errorf("run arm %s, seed %d: %w", a.text(s.options.Factors), seed, err)
	}
	if len(out.Values) != len(s.options.Measures) {
		return Outcome{}, fmt.Errorf("run arm %s, seed %d: %d values for the measures %v",
			a.text(s.options.Factors), seed, len(out.Values), s.options.Measures)
	}
	return out, nil
}

// count returns how many trials of an arm there were, and how many did harm.
func (s *sample) count(a Arm) (harmed, n int) {
	for _, o := range s.outcomes[a] {
		if o.Harm {
			harmed++
		}
	}
	return harmed, len(s.outcomes[a])
}

// risk is the share of an arm's trials that did harm.
func (s *sample) risk(a Arm) float64 {
	harmed, n := s.count(a)
	return float64(harmed) / float64(max(n, 1))
}
