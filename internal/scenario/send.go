package scenario

import (
	"context"
	"time"

	"example.test/eddy/internal/sim"
)

// A Sending says how a run is told to a server.
type Sending struct {
	Sink sim.Sink
	// Speed is how many seconds of the run pass in one: 1 is as it would be, and 0
	// as fast as the server takes it.
	Speed float64
	// Began is now. Telemetry is dated so that the run ends when the sending of it
	// does, if the server keeps up with Speed.
	Began time.Time
}

// Send carries out one run, and tells it to a server while it goes on. It waits
// with what is not due yet.
func (s *Scenario) Send(ctx context.Context, seed uint64, on map[string]bool, to Sending) (*sim.Result, error) {
	horizon := s.Model.Horizon
	takes := time.Duration(0)
	if to.Speed > 0 {
		takes = time.Duration(float64(horizon) / to.Speed)
	}
	run, err := s.begin(seed, sim.Settings{On: s.Settings(on), Interval: s.interval(), Sink: to.Sink, Epoch: to.Began.Add(takes - horizon)})
	if err != nil {
		return nil, err
	}
	for at := time.Second; to.Speed > 0 && at < horizon; at += time.Second {
		due := to.Began.Add(time.Duration(float64(at) / to.Speed))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(due)):
		}
		// A sink that fails stops the run, and Run below says why.
		if stop, err := run.RunUntil(ctx, at); err != nil || stop != sim.Horizon {
			break
		}
	}
	return run.Run(ctx)
}
