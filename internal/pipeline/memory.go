package pipeline

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Memory is what an earlier pipeline left in the store. A sequence that is
// nil is empty.
type Memory struct {
	// Changes are those in force, and those of the window.
	Changes []*telemetry.Change
	// Totals and Observations are those of the window; of observations the
	// oldest first.
	Totals       []Total
	Observations iter.Seq2[Remembered, error]
	// Spans returns those that started after a time, whose requests may not have
	// been complete.
	Spans     func(from time.Time) iter.Seq2[*telemetry.Span, error]
	Incidents []incident.Incident
}

// Remembered is an observation with its conditions written out.
type Remembered struct {
	condition.Observation
	InForce []condition.Condition
}

// Restore takes up what an earlier pipeline left, before the first Add. A
// request of which both the observation and some spans are left is not
// observed again. An error is one of the sequences'.
func (p *Pipeline) Restore(now time.Time, m Memory) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apply(now, m.Changes)
	p.phases.Add(now, telemetry.Batch{Changes: m.Changes})
	for _, t := range m.Totals {
		p.window.restoreTotal(t)
	}
	last, err := p.recall(now, m.Observations)
	if err != nil {
		return fmt.Errorf("observations: %w", err)
	}
	if m.Spans != nil {
		// What was not complete when the last observation was made had begun at
		// most this long before it, however long ago that is.
		if err := p.reassemble(now, m.Spans(last.Add(-p.open()))); err != nil {
			return fmt.Errorf("spans: %w", err)
		}
	}
	p.tracker = incident.NewTracker(p.config.Incident, m.Incidents)
	p.tellPages(m.Incidents)
	return nil
}

// recall puts observations back into the window and returns when the last of
// them was, up to now; the beginning of the window if there is none.
func (p *Pipeline) recall(now time.Time, list iter.Seq2[Remembered, error]) (last time.Time, err error) {
	last = now.Add(-p.config.Window)
	if list == nil {
		return last, nil
	}
	p.known, p.forgotten = make(map[request.ID]bool), now.Add(p.config.Window)
	for r, err := range list {
		if err != nil {
			return last, err
		}
		o := r.Observation
		o.Conditions = make([]condition.ID, 0, len(r.InForce))
		for _, c := range r.InForce {
			if id, ok := p.dictionary.ID(c); ok {
				o.Conditions = append(o.Conditions, id)
			}
		}
		slices.Sort(o.Conditions)
		p.sightings.add(o)
		p.window.keep(o) // the totals have counted it
		p.known[o.Request] = true
		if o.Time.After(last) && !o.Time.After(now) {
			last = o.Time
		}
	}
	return last, nil
}

// reassemble takes in spans of before a restart. They may be more than may be
// held at once; so that there is room, traces are released on the way.
func (p *Pipeline) reassemble(now time.Time, spans iter.Seq2[*telemetry.Span, error]) error {
	const some, many = 1 << 10, 1 << 16
	held, n := make([]*telemetry.Span, 0, some), 0
	for s, err := range spans {
		if err != nil {
			return err
		}
		held, n = append(held, s), n+1
		if len(held) == some {
			p.assembler.Add(now, held)
			held = held[:0]
		}
		if n%many == 0 {
			p.observe(now, p.assembler.Flush(now))
		}
	}
	p.assembler.Add(now, held)
	return nil
}

// open is how long a request may stay incomplete.
func (p *Pipeline) open() time.Duration { return cmp.Or(p.config.Request.MaxAge, time.Minute) }
