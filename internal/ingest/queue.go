package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/telemetry"
)

// ErrClosed says that no further batch will come: the server was shut down and
// everything it had accepted was taken.
var ErrClosed = errors.New("ingest closed")

// A Received is one batch on its way out.
type Received struct {
	telemetry.Batch
	// Position is the batch's place in the journal; positions grow from one
	// batch to the next. What was read from a file has none: 0.
	Position uint64
	// At is when the batch arrived, by this machine's clock; for a file, when
	// its last event happened.
	At time.Time
	// First and Last are the earliest and latest times of what is in it; zero
	// if it is empty.
	First, Last time.Time
	// Bytes estimates the memory that the batch holds.
	Bytes int64
}

// A queue passes batches from many senders to one receiver. Memory is reserved
// before a batch is put, so that a sender is refused before its batch is
// journaled, and put never fails or waits.
type queue struct {
	max   int64
	gauge prometheus.Gauge

	mu       sync.Mutex
	items    []Received
	head     int
	reserved int64 // bytes of items, and of batches that will be put
	pending  int   // batches that will be put
	closed   bool
	changed  chan struct{} // closed and replaced when something was put or closed
}

func newQueue(max int64, gauge prometheus.Gauge) *queue {
	return &queue{max: max, gauge: gauge, changed: make(chan struct{})}
}

// full reports whether not even bytes more would fit now.
func (q *queue) full(bytes int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reserved > 0 && q.reserved+bytes > q.max
}

// reserve makes room for bytes, or reports that there is none. A batch that is
// larger than the whole queue fits when the queue is empty; a request's bound
// limits how large it can be.
func (q *queue) reserve(bytes int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.reserved > 0 && q.reserved+bytes > q.max {
		return false
	}
	q.reserved += bytes
	q.pending++
	q.gauge.Set(float64(q.reserved))
	return true
}

// cancel gives back what was reserved.
func (q *queue) cancel(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved -= bytes
	q.pending--
	q.gauge.Set(float64(q.reserved))
	q.wake()
}

// put hands over a batch for which r.Bytes were reserved.
func (q *queue) put(r Received) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending--
	if q.head > 64 && 2*q.head > len(q.items) {
		// Without this the slice would grow for as long as it is never empty.
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, r)
	q.wake()
}

// wake tells the receiver to look again. The caller holds mu.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// take waits for a batch. It returns ErrClosed when the queue was closed and is
// empty, or the error of ctx.
func (q *queue) take(ctx context.Context) (Received, error) {
	for {
		q.mu.Lock()
		if q.head < len(q.items) {
			r := q.items[q.head]
			q.items[q.head] = Received{}
			q.head++
			if q.head == len(q.items) {
				q.items, q.head = q.items[:0], 0
			}
			q.reserved -= r.Bytes
			q.gauge.Set(float64(q.reserved))
			q.mu.Unlock()
			return r, nil
		}
		done, changed := q.closed && q.pending == 0, q.changed
		q.mu.Unlock()
		if done {
			return Received{}, ErrClosed
		}
		select {
		case <-ctx.Done():
			return Received{}, ctx.Err()
		case <-changed:
		}
	}
}

// close lets the receiver take what is there, and then ErrClosed.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	q.wake()
}
