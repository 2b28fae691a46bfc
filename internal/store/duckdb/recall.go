package duckdb

import (
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/telemetry"
)

const (
	// recallPeriod is how much time of starts is remembered, or not, together.
	recallPeriod = int64(4 * time.Second)
	// recallSpans bounds how many spans are remembered, some 10 MB; a period
	// counts as periodSpans more. Beyond it the period that was asked for least
	// recently is forgotten.
	recallSpans = 500_000
	periodSpans = 50
	// learnSpans is up to how many spans of a period are read from the table to
	// remember it.
	learnSpans = 50_000
	// learnPeriods is how many periods are read from the table for one batch.
	learnPeriods = 8
)

// A recall says of most spans that they are new without asking the table,
// which costs more than to store them. Of each period that it remembers it has
// a print of every span that is stored and starts in it, so what has no print
// there is new. Equal prints, and periods that it does not remember, prove
// nothing: then the table is asked. So it can forget at any time.
//
// Only the writer uses it.
type recall struct {
	periods map[int64]*period // by start / recallPeriod
	spans   int               // in all periods
	batch   uint64            // counts batches
}

// A period is what is stored of one period.
type period struct {
	prints map[uint64]struct{} // nil if there are too many to learn
	used   uint64              // the last batch that had spans in it
}

func newRecall() *recall { return &recall{periods: make(map[int64]*period)} }

// forget forgets everything.
func (r *recall) forget() {
	clear(r.periods)
	r.spans = 0
}

// mayHold reports whether a span may be stored. If not, it is new.
func (r *recall) mayHold(k spanKey) bool {
	p := r.periods[k.period()]
	if p == nil || p.prints == nil {
		return true
	}
	_, ok := p.prints[k.print()]
	return ok
}

// learn reads from the table what is stored of those periods that most spans of
// a batch are in and that are not remembered.
func (r *recall) learn(ctx context.Context, t transaction, list []newSpan) error {
	r.batch++
	counts := make(map[int64]int)
	for _, s := range list {
		counts[s.key.period()]++
	}
	for n := range counts {
		if p := r.periods[n]; p != nil {
			p.used = r.batch
			delete(counts, n)
		}
	}
	wanted := slices.SortedFunc(maps.Keys(counts), func(a, b int64) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for _, n := range wanted[:min(len(wanted), learnPeriods)] {
		p := &period{prints: make(map[uint64]struct{}), used: r.batch}
		read := 0
		err := each(ctx, t.conn, "span_keys", func(row scanner) error {
			var start time.Time
			var trace duck.UUID
			var span uint64
			if err := row.Scan(&start, &trace, &span); err != nil {
				return err
			}
			read++
			k := spanKey{trace: telemetry.TraceID(trace), start: start.UnixNano()}
			binary.BigEndian.PutUint64(k.id[:], span)
			p.prints[k.print()] = struct{}{}
			return nil
		}, n*recallPeriod, lastOfPeriod(n), learnSpans)
		if err != nil {
			return err
		}
		if read == learnSpans { // there may be more
			p.prints = nil
		}
		r.periods[n] = p
		r.spans += len(p.prints)
	}
	return nil
}

// add remembers spans that were stored.
func (r *recall) add(list []newSpan) {
	for _, s := range list {
		if p := r.periods[s.key.period()]; p != nil && p.prints != nil {
			before := len(p.prints)
			p.prints[s.key.print()] = struct{}{}
			r.spans += len(p.prints) - before
		}
	}
	for r.spans+periodSpans*len(r.periods) > recallSpans {
		var oldest int64
		var found *period
		for n, p := range r.periods {
			if found == nil || p.used < found.used || p.used == found.used && n < oldest {
				oldest, found = n, p
			}
		}
		r.spans -= len(found.prints)
		delete(r.periods, oldest)
	}
}

// period is the number of the period that a span starts in.
func (k spanKey) period() int64 {
	n := k.start / recallPeriod
	if k.start < n*recallPeriod {
		n-- // towards the past also before 1970
	}
	return n
}

// lastOfPeriod is the last start in period n.
func lastOfPeriod(n int64) int64 {
	return min(n*recallPeriod, lastTime-recallPeriod+1) + recallPeriod - 1
}

// print is the same for equal keys, and hardly ever for others.
func (k spanKey) print() uint64 {
	const a, b, c = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9
	high, low := binary.BigEndian.Uint64(k.trace[:8]), binary.BigEndian.Uint64(k.trace[8:])
	x := (high ^ uint64(k.start)*a) * b
	x = (x ^ x>>32 ^ low) * c
	x = (x ^ x>>29 ^ number(k.id)) * a
	return x ^ x>>32
}
