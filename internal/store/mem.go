package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// Limits bound what a Mem holds, by table. Zero means the default. A table
// that passes its limit loses its oldest rows, by when they were stored, at
// least one and at most an eighth of the limit at a time. Of the changes those
// go first that a later one has replaced.
type Limits struct {
	Spans        int // default 200,000
	Logs         int // default 100,000
	Observations int // default 500,000
	Totals       int // default 500,000
	Changes      int // default 100,000
	Incidents    int // default 10,000
	Findings     int // windows, default 10,000
}

// Mem is a Store in memory. It forgets everything when the process ends, and
// what passes its limits before that.
type Mem struct {
	mu           sync.Mutex
	closed       bool
	position     uint64
	logged       uint64 // log records so far: the key of the next
	spans        shelf[spanKey, *telemetry.Span]
	logs         shelf[uint64, *telemetry.Log]
	changes      shelf[string, *telemetry.Change]
	observations shelf[request.ID, Observation]
	totals       shelf[totalKey, pipeline.Total]
	incidents    shelf[incident.ID, memIncident]
	findings     shelf[findingKey, memFindings]
}

type (
	// spanKey has the start in parts, since two equal times can differ under ==.
	spanKey struct {
		trace   telemetry.TraceID
		id      telemetry.SpanID
		seconds int64
		nanos   int
	}
	totalKey struct {
		bucket int64
		entry  request.Entry
	}
	findingKey struct {
		outcome    request.Outcome
		start, end int64
	}
	// stateKey is whose and which state a change puts in force.
	stateKey struct{ entity, dimension, instance string }

	// memIncident is kept as JSON so that no caller shares memory with another.
	memIncident struct {
		id       incident.ID
		updated  time.Time
		resolved bool
		document []byte
	}
	// memFindings is how many findings a window had: no question asks for more.
	memFindings struct {
		begin time.Time
		count int
	}
)

var _ Store = (*Mem)(nil)

// NewMem returns an empty store with the default limits.
func NewMem() *Mem { return NewMemLimited(Limits{}) }

// NewMemLimited returns an empty store with the given limits.
func NewMemLimited(l Limits) *Mem {
	m := &Mem{}
	m.spans.limit = cmp.Or(l.Spans, 200_000)
	m.logs.limit = cmp.Or(l.Logs, 100_000)
	m.observations.limit = cmp.Or(l.Observations, 500_000)
	m.totals.limit = cmp.Or(l.Totals, 500_000)
	m.changes.limit = cmp.Or(l.Changes, 100_000)
	m.incidents.limit = cmp.Or(l.Incidents, 10_000)
	m.findings.limit = cmp.Or(l.Findings, 10_000)
	return m
}

// enter locks the store if it can be used; the caller unlocks it.
func (m *Mem) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Append implements Store.
func (m *Mem) Append(ctx context.Context, b telemetry.Batch, position uint64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, s := range b.Spans {
		key := spanKey{s.Trace, s.ID, s.Start.Unix(), s.Start.Nanosecond()}
		m.spans.add(key, s)
	}
	for _, l := range b.Logs {
		m.logs.add(m.logged, l)
		m.logged++
	}
	m.addChanges(b.Changes)
	m.position = max(m.position, position)
	return nil
}

// addChanges drops changes that were replaced before it lets the shelf drop
// the oldest. The caller holds the lock.
func (m *Mem) addChanges(list []*telemetry.Change) {
	for _, c := range list {
		if _, ok := m.changes.get(c.ID); ok {
			continue
		}
		if len(m.changes.rows) >= m.changes.limit {
			last := lastChanges(m.changes.values(), nil)
			spare := m.changes.limit/8 + 1
			m.changes.drop(func(c *telemetry.Change) bool {
				if spare > 0 && last[keyOf(c)] != c {
					spare--
					return true
				}
				return false
			})
		}
		m.changes.add(c.ID, c)
	}
}

// Position implements Store.
func (m *Mem) Position(ctx context.Context) (uint64, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return m.position, nil
}

// Save implements Store.
func (m *Mem) Save(ctx context.Context, r pipeline.Result) error {
	observations, err := spellOut(r)
	if err != nil {
		return fmt.Errorf("save step: %w", err)
	}
	incidents, err := encodeIncidents(r.Incidents)
	if err != nil {
		return fmt.Errorf("save step: %w", err)
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, o := range observations {
		m.observations.set(o.Request, o)
	}
	for _, t := range r.Totals {
		m.totals.set(totalKey{t.Bucket, t.Entry}, t)
	}
	m.addChanges(r.Changes)
	for _, in := range incidents {
		m.incidents.set(in.id, in)
	}
	for outcome, result := range r.Findings {
		m.setFindings(r.Window, outcome, result)
	}
	return nil
}

func (m *Mem) setFindings(w telemetry.Window, outcome request.Outcome, result interaction.Result) {
	key := findingKey{outcome, w.Start.UnixNano(), w.End.UnixNano()}
	m.findings.set(key, memFindings{begin: w.Start, count: len(result.Findings)})
}

// spellOut returns the observations of r with their conditions written out.
func spellOut(r pipeline.Result) ([]Observation, error) {
	var known []condition.Condition
	if r.Dictionary != nil {
		known = r.Dictionary.All()
	}
	out := make([]Observation, len(r.Observations))
	for i, o := range r.Observations {
		inForce := make([]condition.Condition, len(o.Conditions))
		for j, id := range o.Conditions {
			if int(id) >= len(known) {
				return nil, fmt.Errorf("observation %s: condition %d is not in the dictionary of %d", o.Request, id, len(known))
			}
			inForce[j] = known[id]
		}
		slices.SortFunc(inForce, condition.Compare)
		o.Conditions = nil
		out[i] = Observation{Observation: o, InForce: slices.Compact(inForce)}
	}
	return out, nil
}

func encodeIncidents(list []incident.Incident) ([]memIncident, error) {
	out := make([]memIncident, len(list))
	for i, in := range list {
		document, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("incident %s: %w", in.ID, err)
		}
		out[i] = memIncident{in.ID, in.Updated, in.State == incident.Resolved, document}
	}
	return out, nil
}

func (in memIncident) decode() (incident.Incident, error) {
	var out incident.Incident
	if err := json.Unmarshal(in.document, &out); err != nil {
		return incident.Incident{}, fmt.Errorf("incident %s: %w", in.id, err)
	}
	return out, nil
}

// Retain implements Store.
func (m *Mem) Retain(ctx context.Context, keep Retention, now time.Time) (map[string]int64, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	old := func(t time.Time, kept time.Duration) bool { return kept > 0 && t.Before(now.Add(-kept)) }
	outside := func(t time.Time, kept time.Duration) bool { return old(t, kept) || kept > 0 && t.After(now.Add(kept)) }
	inForce := lastChanges(m.changes.values(), &now)
	var findings int64
	m.findings.drop(func(f memFindings) bool {
		gone := outside(f.begin, keep.Observations)
		if gone {
			findings += int64(f.count)
		}
		return gone
	})
	return map[string]int64{
		"spans":        m.spans.drop(func(s *telemetry.Span) bool { return outside(s.Start, keep.Spans) }),
		"logs":         m.logs.drop(func(l *telemetry.Log) bool { return outside(l.Time, keep.Logs) }),
		"observations": m.observations.drop(func(o Observation) bool { return outside(o.Time, keep.Observations) }),
		"totals":       m.totals.drop(func(t pipeline.Total) bool { return old(time.Unix(t.Bucket, 0), keep.Totals) }),
		"changes": m.changes.drop(func(c *telemetry.Change) bool {
			return old(c.Time, keep.Changes) && (c.Ends || inForce[keyOf(c)] != c)
		}),
		"incidents": m.incidents.drop(func(in memIncident) bool { return in.resolved && old(in.updated, keep.Incidents) }),
		"findings":  findings,
	}, nil
}

// Close implements Store.
func (m *Mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
