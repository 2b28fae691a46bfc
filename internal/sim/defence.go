package sim

import (
	"context"
	"fmt"
	"time"
)

// A Defence is what one way to defend a service did against a retry storm: 300
// requests a second, timeout 1 s, three attempts, an outage of 10 s.
type Defence struct {
	Name      string   `json:"name"`
	Rate      float64  `json:"rate"`
	Runs      int      `json:"runs"`
	Recovered int      `json:"recovered"`
	Recovery  Interval `json:"recovery_seconds"` // after the outage, of those that recovered
	Failed    Interval `json:"failed"`           // requests of users in the run
	Good      Interval `json:"good"`             // share, in the last minute
	Attempts  Interval `json:"attempts"`         // for a request, in the last minute
}

// An Interval is a mean with its 95 % interval over N runs.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	N    int     `json:"n"`
}

// A defence changes the model of the storm.
type defence struct {
	name string
	make func(m *Model)
}

func defences() []defence {
	retry := func(set func(r *Retry)) func(*Model) { return func(m *Model) { set(&m.Policies[0].Retry) } }
	queue := func(q Queue) func(*Model) { return func(m *Model) { m.Services[0].Queue = q } }
	budget := func(r *Retry) { r.Budget.Tokens = TokenBudget{Ratio: .1, Burst: 10} }
	wait := func(d time.Duration) func(r *Retry) {
		return func(r *Retry) { r.Backoff = Backoff{Base: d, Cap: d, Jitter: FullJitter} }
	}
	ms := time.Millisecond
	return []defence{
		{"nothing", func(*Model) {}},
		{"backoff of 1 s with full jitter", retry(wait(time.Second))},
		{"backoff of 10 s with full jitter", retry(wait(10 * time.Second))},
		{"no retries", retry(func(r *Retry) { r.MaxAttempts = 1 })},
		{"budget of 10 %", retry(budget)},
		{"budget of 10 % and backoff of 1 s", retry(func(r *Retry) { budget(r); wait(time.Second)(r) })},
		{"queue of 0.6 of what the timeout allows", queue(Queue{Bound: 180})},
		{"queue of twice what the timeout allows", queue(Queue{Bound: 600})},
		{"drop what has expired", queue(Queue{DropExpired: true})},
		{"drop what has less than 1 service time left", queue(Queue{DropExpired: true, DropMargin: 100 * ms})},
		{"drop what has less than 3 service times left", queue(Queue{DropExpired: true, DropMargin: 300 * ms})},
		{"last in, first out", queue(Queue{Discipline: LIFO})},
		{"budget of 10 % and queue of 0.6", func(m *Model) { retry(budget)(m); queue(Queue{Bound: 180})(m) }},
	}
}

// Defences measures each defence at two loads, in ten runs of six minutes with
// fixed seeds.
func Defences(ctx context.Context, progress func(what string, nth, of int)) ([]Defence, error) {
	const reps, length, end = 10, 6 * time.Minute, 40 * time.Second
	all := defences()
	var out []Defence
	for i, d := range all {
		for k, rate := range []float64{200, 280} {
			if progress != nil {
				progress(d.name, 2*i+k+1, 2*len(all))
			}
			m := station300(rate, 3, length, Queue{})
			stops(m, 0.01, end-10*time.Second, 10*time.Second)
			d.make(m)
			row, err := measureDefence(ctx, m, reps, end)
			if err != nil {
				return nil, fmt.Errorf("%s at %v/s: %w", d.name, rate, err)
			}
			row.Name, row.Rate = d.name, rate
			out = append(out, row)
		}
	}
	return out, nil
}

func measureDefence(ctx context.Context, m *Model, reps int, end time.Duration) (Defence, error) {
	v := &verifier{ctx: ctx}
	results := replicate(v, reps, func(seed uint64) (*Result, error) { return v.run(m, seed) })
	if v.err != nil {
		return Defence{}, v.err
	}
	var recovery, failed, good, attempts []float64
	for _, r := range results {
		if after, ok := r.Recovery(end, .95, 10*time.Second); ok {
			recovery = append(recovery, after.Seconds())
		}
		all, last := r.Total(0, r.End), r.Total(r.End-time.Minute, r.End)
		e := r.Edge("u", "s", r.End-time.Minute, r.End)
		failed = append(failed, float64(all.Failed+all.Slow))
		good = append(good, float64(last.Good)/float64(last.Offered))
		attempts = append(attempts, float64(e.Attempts)/float64(e.Calls))
	}
	return Defence{
		Runs: reps, Recovered: len(recovery), Recovery: intervalOf(recovery), Failed: intervalOf(failed), Good: intervalOf(good),
		Attempts: intervalOf(attempts),
	}, nil
}

func intervalOf(xs []float64) Interval {
	switch len(xs) {
	case 0:
		return Interval{}
	case 1:
		return Interval{xs[0], xs[0], xs[0], 1}
	}
	e := meanOf(xs)
	return Interval{e.mean, max(e.low, 0), e.high, e.n}
}
