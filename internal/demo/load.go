package demo

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// inFlight is how many requests the load keeps open at most. Beyond it,
// customers wait: the load is open until the shop is that far behind. A request
// takes some 10 ms, so this is 20 times what the default rate needs, and few
// enough that a machine that is busy with other things answers each in time.
const inFlight = 16

// Stats is what the shop's customers saw, and what became of the telemetry.
type Stats struct {
	// Requests were answered or given up; Failures of them had a status of 500
	// and above, or no answer.
	Requests uint64 `json:"requests"`
	Failures uint64 `json:"failures"`
	// LostExports are OTLP requests that were not accepted.
	LostExports uint64 `json:"lost_exports"`
	// LostChanges are change events that were not accepted.
	LostChanges uint64 `json:"lost_changes"`
}

// load is the shop's customers: plain HTTP clients that send no trace context,
// so that a request begins at the gateway.
type load struct {
	rate   float64
	plan   plan
	dice   *dice
	client *http.Client

	requests, failures atomic.Uint64
}

func newLoad(c Config, p plan, d *directory) *load {
	return &load{
		rate:   c.Rate,
		plan:   p,
		dice:   newDice(c.Seed, "load"),
		client: &http.Client{Transport: d, Timeout: 10 * time.Second},
	}
}

// run sends requests, spaced as a Poisson process, until ctx ends, and returns
// when the last answer is there.
func (l *load) run(ctx context.Context) {
	var open sync.WaitGroup
	defer open.Wait()
	slots := make(chan struct{}, inFlight)
	next := time.NewTimer(0)
	defer next.Stop()
	for due := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		entry, v := l.plan.entry(l.dice), l.plan.visit(l.dice)
		open.Go(func() {
			defer func() { <-slots }()
			l.request(ctx, entry, v)
		})
		// A shop that was behind is not made to catch up more than a moment.
		due = due.Add(l.dice.gap(l.rate))
		if late := time.Since(due); late > 100*time.Millisecond {
			due = due.Add(late)
		}
		next.Reset(time.Until(due))
	}
}

// request sends one request. One that the end of the run cuts off is let
// finish, so that no span ends as a failure that no customer saw.
func (l *load) request(ctx context.Context, entry share, v visit) {
	ctx = context.WithoutCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, entry.method, "http://gateway"+entry.path, nil)
	if err != nil {
		l.count(true)
		return
	}
	v.cookies(r)
	r.Header.Set("User-Agent", []string{"shop-web/3", "shop-ios/7", "shop-android/7"}[hashOf(v.User)%3])
	res, err := l.client.Do(r)
	if err != nil {
		l.count(true)
		return
	}
	// The body is read to its end so that the connection can be used again.
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	l.count(err != nil || res.StatusCode >= http.StatusInternalServerError)
}

func (l *load) count(failed bool) {
	l.requests.Add(1)
	if failed {
		l.failures.Add(1)
	}
}
