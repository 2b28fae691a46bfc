package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"example.test/eddy/internal/telemetry"
)

// A state is what one object is like in one respect.
type state struct{ entity, instance, dimension string }

// A reporter hands changes on in the order in which they came.
type reporter struct {
	report  func(*telemetry.Change) error
	log     *slog.Logger
	metrics *metrics
	queue   chan *telemetry.Change

	mu    sync.Mutex
	known map[state]string           // what is in force of what was reported, or seen in order
	owed  map[state]telemetry.Change // ends for which there was no room
}

func newReporter(report func(*telemetry.Change) error, log *slog.Logger, m *metrics) *reporter {
	return &reporter{report: report, log: log, metrics: m, queue: make(chan *telemetry.Change, queueSize), known: make(map[state]string), owed: make(map[state]telemetry.Change)}
}

// run reports what is queued until ctx ends.
func (r *reporter) run(ctx context.Context) {
	for {
		select {
		case c := <-r.queue:
			r.deliver(ctx, c)
		case <-ctx.Done():
			return
		}
	}
}

// deliver reports a change, and tries again until it is taken or ctx ends. One that
// never will be holds up nothing.
func (r *reporter) deliver(ctx context.Context, c *telemetry.Change) {
	for wait := firstTry; ; wait = min(2*wait, lastSend) {
		err := r.report(c)
		switch {
		case err == nil:
			r.metrics.changes.WithLabelValues(string(c.Kind)).Inc()
			return
		case errors.Is(err, ErrInvalid):
			r.metrics.dropped.Inc()
			r.log.WarnContext(ctx, "a change of the cluster is left out", "entity", c.Entity, "dimension", c.Dimension, "error", err)
			return
		}
		r.log.WarnContext(ctx, "a change of the cluster was not taken; it is sent again", "entity", c.Entity, "dimension", c.Dimension, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// silently notes that a state is in force without reporting it.
func (r *reporter) silently(s state, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fits(s) {
		r.known[s] = value
	}
}

// put reports that a state is in force, unless it was already. The change says
// everything but which state it is of.
func (r *reporter) put(s state, c telemetry.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.known[s]
	if known && before == c.Value || !r.fits(s) {
		return
	}
	c.Previous = before
	delete(r.owed, s)
	if r.send(s, c) {
		r.known[s] = c.Value
		return
	}
	delete(r.known, s) // the next resync tells it
}

// end reports that no state is in force any more, if one was.
func (r *reporter) end(s state, c telemetry.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.known[s]
	if !known {
		return
	}
	c.Previous, c.Ends = before, true
	if !r.send(s, c) {
		r.owed[s] = c // no resync tells of what is gone
		return
	}
	delete(r.known, s)
}

// settle reports the ends that are owed, as far as there is room now.
func (r *reporter) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, c := range r.owed {
		if !r.send(s, c) {
			return
		}
		delete(r.owed, s)
		delete(r.known, s)
	}
}

// event reports a change whose state is not followed.
func (r *reporter) event(s state, c telemetry.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(s, c)
}

// fits reports whether there is room for a state.
func (r *reporter) fits(s state) bool {
	if _, known := r.known[s]; known || len(r.known) < maxStates {
		return true
	}
	r.metrics.dropped.Inc()
	return false
}

// send queues a change, and reports whether there was room.
func (r *reporter) send(s state, c telemetry.Change) bool {
	c.Entity, c.Instance, c.Dimension = s.entity, s.instance, s.dimension
	c.Origin, c.Source, c.Time = telemetry.OriginReported, "kubernetes", c.Time.UTC()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%v\x00%d", s.entity, s.instance, s.dimension, c.Value, c.Ends, c.Time.UnixNano()))
	c.ID = "kubernetes-" + hex.EncodeToString(sum[:16])
	select {
	case r.queue <- &c:
		return true
	default:
		r.metrics.dropped.Inc()
		return false
	}
}
