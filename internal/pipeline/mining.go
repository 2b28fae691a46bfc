package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
)

// maxMissed is how many analyses of an outcome in a row may be given up before
// that is told instead of a finding.
const maxMissed = 3

// mine looks for what explains one outcome. It reports false when there is no
// answer in time: then this step says nothing of the outcome, neither that it is
// explained nor that it is not. When that goes on, the answer is that it is not,
// and why.
func (p *Pipeline) mine(ctx context.Context, kept []condition.Observation, outcome request.Outcome) (interaction.Result, bool) {
	limited, stop := p.limit(ctx)
	defer stop()
	found, err := p.analyse(limited, outcome)
	if err == nil {
		p.missed[outcome] = 0
		return found, true
	}
	p.missed[outcome]++
	p.mu.Lock()
	p.unanalysed++
	p.mu.Unlock()
	if ctx.Err() != nil {
		return interaction.Result{}, false // the whole step was told to stop
	}
	p.log.WarnContext(ctx, "window not analysed", "outcome", outcome.String(), "observations", len(kept), "error", err)
	if p.missed[outcome] < maxMissed {
		return interaction.Result{}, false
	}
	why := fmt.Sprintf("The search for what explains %s requests goes wrong: %v.", outcome, err)
	if errors.Is(err, context.DeadlineExceeded) {
		why = fmt.Sprintf("The search for what explains %s requests did not end within mining_time, %s: "+
			"allow it more, or set a lower max_order or max_observations.", outcome, p.config.MiningTime)
	}
	return interaction.Result{
		Verdict: interaction.NoExplanation, Rows: len(kept), Findings: []interaction.Finding{}, Missing: []string{why},
	}, true
}

// analyse mines the window for an outcome. Buckets that are as they were at the
// last step are laid out already.
func (p *Pipeline) analyse(ctx context.Context, outcome request.Outcome) (interaction.Result, error) {
	w := p.mined[outcome]
	p.mu.Lock()
	panes, oldest, conditions := p.window.panes(outcome), p.window.oldest(), p.dictionary.All()
	p.mu.Unlock()
	w.Know(conditions)
	w.Drop(oldest)
	for _, x := range panes {
		if err := w.Put(x.start, x.rows); err != nil {
			return interaction.Result{}, fmt.Errorf("lay out %s: %w", x.start.UTC().Format(time.RFC3339), err)
		}
	}
	return w.Mine(ctx)
}

// limit bounds the time of one search, also so that a step that has a deadline
// keeps half of what is left for saving.
func (p *Pipeline) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := p.config.MiningTime
	if end, ok := ctx.Deadline(); ok {
		if left := time.Until(end) / 4; limit < 0 || left < limit { // there are two outcomes
			limit = left
		}
	}
	if limit < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
