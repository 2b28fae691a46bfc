package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

const (
	// keepEvery is how long a batch waits for more before it is stored.
	keepEvery = time.Second
	// keepItems is how many items are stored in one transaction.
	keepItems = 20_000
	// keepRetry bounds the pause between attempts to store.
	keepRetry = 30 * time.Second
)

// A keeper stores what was received, in batches, and then releases it from the
// journal. When the store refuses, it tries the same batch again, with pauses
// that double up to 30 s; put waits meanwhile, and that is what makes the
// queue fill and senders slow down.
type keeper struct {
	store   store.Store
	journal releaser
	log     *slog.Logger
	metrics *metrics
	in      chan ingest.Received
}

// A releaser forgets what is stored.
type releaser interface{ Release(position uint64) error }

func newKeeper(s store.Store, j releaser, log *slog.Logger, m *metrics) *keeper {
	return &keeper{store: s, journal: j, log: log, metrics: m, in: make(chan ingest.Received)}
}

// put hands over what was received; it waits while a batch is being stored.
func (k *keeper) put(ctx context.Context, r ingest.Received) error {
	select {
	case k.in <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish says that nothing more will be put.
func (k *keeper) finish() { close(k.in) }

// run stores until finish, or until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	var batch telemetry.Batch
	var position uint64
	for {
		full := false
		select {
		case <-ctx.Done():
			return nil // it is in the journal
		case r, ok := <-k.in:
			if !ok {
				return k.keep(ctx, batch, position)
			}
			batch.Spans = append(batch.Spans, r.Spans...)
			batch.Logs = append(batch.Logs, r.Logs...)
			batch.Changes = append(batch.Changes, r.Changes...)
			position = r.Position
			full = batch.Len() >= keepItems
		case <-tick.C:
			full = position > 0
		}
		if !full {
			continue
		}
		if err := k.keep(ctx, batch, position); err != nil {
			return nil // ctx ended; it is in the journal
		}
		batch, position = telemetry.Batch{}, 0
	}
}

// keep stores one batch, however often it takes, and releases it.
func (k *keeper) keep(ctx context.Context, batch telemetry.Batch, position uint64) error {
	if position == 0 {
		return nil
	}
	pause := time.Second
	for {
		began := time.Now()
		err := k.store.Append(ctx, batch, position)
		k.metrics.append(time.Since(began), batch.Len(), err)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k.log.ErrorContext(ctx, "telemetry not stored yet; it is safe in the journal", "error", err, "items", batch.Len(), "retry_in", pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, keepRetry)
	}
	if err := k.journal.Release(position); err != nil && !errors.Is(err, ctx.Err()) {
		k.log.WarnContext(ctx, "journal not released; it will be later", "error", err)
	}
	return nil
}
