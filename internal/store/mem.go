package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
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

// Observations implements Store.
func (m *Mem) Observations(ctx context.Context, w telemetry.Window) iter.Seq2[Observation, error] {
	return func(yield func(Observation, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(Observation{}, err)
			return
		}
		list := m.observations.matching(func(o Observation) bool { return w.Contains(o.Time) })
		m.mu.Unlock()
		slices.SortFunc(list, func(a, b Observation) int {
			return cmp.Or(a.Time.Compare(b.Time),
				slices.Compare(a.Request.Trace[:], b.Request.Trace[:]),
				slices.Compare(a.Request.Span[:], b.Request.Span[:]))
		})
		yieldAll(ctx, list, func(o Observation, err error) bool {
			o.InForce = slices.Clone(o.InForce)
			return yield(o, err)
		})
	}
}

// yieldAll yields list until the consumer has enough or ctx ends.
func yieldAll[V any](ctx context.Context, list []V, yield func(V, error) bool) {
	for _, v := range list {
		if err := ctx.Err(); err != nil {
			var none V
			yield(none, err)
			return
		}
		if !yield(v, nil) {
			return
		}
	}
}

// Totals implements Store.
func (m *Mem) Totals(ctx context.Context, w telemetry.Window, entries ...request.Entry) ([]pipeline.Total, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := m.totals.matching(func(t pipeline.Total) bool {
		return w.Contains(time.Unix(t.Bucket, 0)) && (len(entries) == 0 || slices.Contains(entries, t.Entry))
	})
	slices.SortFunc(list, func(a, b pipeline.Total) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket),
			strings.Compare(a.Entry.Service, b.Entry.Service),
			strings.Compare(a.Entry.Operation, b.Entry.Operation))
	})
	return list, nil
}

// Changes implements Store.
func (m *Mem) Changes(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Change, error] {
	return func(yield func(*telemetry.Change, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		list := m.changes.matching(func(c *telemetry.Change) bool { return w.Contains(c.Time) })
		m.mu.Unlock()
		slices.SortStableFunc(list, func(a, b *telemetry.Change) int { return a.Time.Compare(b.Time) })
		yieldAll(ctx, list, yield)
	}
}

// InForce implements Store.
func (m *Mem) InForce(ctx context.Context, at time.Time) ([]*telemetry.Change, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []*telemetry.Change
	for _, c := range lastChanges(m.changes.values(), &at) {
		if !c.Ends {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *telemetry.Change) int {
		return cmp.Or(strings.Compare(a.Entity, b.Entity),
			strings.Compare(a.Dimension, b.Dimension), strings.Compare(a.Instance, b.Instance))
	})
	return list, nil
}

func keyOf(c *telemetry.Change) stateKey { return stateKey{c.Entity, c.Dimension, c.Instance} }

// lastChanges returns the last change of each state, at or before at unless
// that is nil.
func lastChanges(list []*telemetry.Change, at *time.Time) map[stateKey]*telemetry.Change {
	last := make(map[stateKey]*telemetry.Change)
	for _, c := range list {
		if at != nil && c.Time.After(*at) {
			continue
		}
		if p := last[keyOf(c)]; p == nil || !c.Time.Before(p.Time) {
			last[keyOf(c)] = c
		}
	}
	return last
}

// Spans implements Store.
func (m *Mem) Spans(ctx context.Context, w telemetry.Window) iter.Seq2[*telemetry.Span, error] {
	return func(yield func(*telemetry.Span, error) bool) {
		if err := m.enter(ctx); err != nil {
			yield(nil, err)
			return
		}
		list := m.spans.matching(func(s *telemetry.Span) bool { return w.Contains(s.Start) })
		m.mu.Unlock()
		slices.SortFunc(list, compareSpans)
		yieldAll(ctx, list, yield)
	}
}

func compareSpans(a, b *telemetry.Span) int {
	return cmp.Or(a.Start.Compare(b.Start), slices.Compare(a.Trace[:], b.Trace[:]), slices.Compare(a.ID[:], b.ID[:]))
}

// Trace implements Store.
func (m *Mem) Trace(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Span, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := m.spans.matching(func(s *telemetry.Span) bool { return s.Trace == id })
	if len(list) == 0 {
		return nil, fmt.Errorf("trace %s: %w", id, ErrNotFound)
	}
	slices.SortFunc(list, compareSpans)
	return list, nil
}

// Logs implements Store.
func (m *Mem) Logs(ctx context.Context, id telemetry.TraceID) ([]*telemetry.Log, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := m.logs.matching(func(l *telemetry.Log) bool { return l.Trace == id })
	slices.SortStableFunc(list, func(a, b *telemetry.Log) int { return a.Time.Compare(b.Time) })
	return list, nil
}

// Incidents implements Store.
func (m *Mem) Incidents(ctx context.Context, w telemetry.Window) ([]incident.Incident, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	all := w.Start.IsZero() && w.End.IsZero()
	list := m.incidents.matching(func(in memIncident) bool { return all || w.Contains(in.updated) })
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b memIncident) int {
		return cmp.Or(b.updated.Compare(a.updated), cmp.Compare(b.id, a.id))
	})
	out := make([]incident.Incident, len(list))
	for i, in := range list {
		var err error
		if out[i], err = in.decode(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Incident implements Store.
func (m *Mem) Incident(ctx context.Context, id incident.ID) (incident.Incident, error) {
	if err := m.enter(ctx); err != nil {
		return incident.Incident{}, err
	}
	in, ok := m.incidents.get(id)
	m.mu.Unlock()
	if !ok {
		return incident.Incident{}, fmt.Errorf("incident %s: %w", id, ErrNotFound)
	}
	return in.decode()
}

// Counts implements Store.
func (m *Mem) Counts(ctx context.Context) (map[string]int64, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	findings := 0
	for _, f := range m.findings.values() {
		findings += f.count
	}
	return map[string]int64{
		"spans":        int64(len(m.spans.rows)),
		"logs":         int64(len(m.logs.rows)),
		"changes":      int64(len(m.changes.rows)),
		"observations": int64(len(m.observations.rows)),
		"totals":       int64(len(m.totals.rows)),
		"incidents":    int64(len(m.incidents.rows)),
		"findings":     int64(findings),
	}, nil
}

// Retain implements Store.
func (m *Mem) Retain(ctx context.Context, keep Retention, now time.Time) (map[string]int64, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	old := func(t time.Time, kept time.Duration) bool { return kept > 0 && t.Before(now.Add(-kept)) }
	inForce := lastChanges(m.changes.values(), &now)
	var findings int64
	m.findings.drop(func(f memFindings) bool {
		gone := old(f.begin, keep.Observations)
		if gone {
			findings += int64(f.count)
		}
		return gone
	})
	return map[string]int64{
		"spans":        m.spans.drop(func(s *telemetry.Span) bool { return old(s.Start, keep.Spans) }),
		"logs":         m.logs.drop(func(l *telemetry.Log) bool { return old(l.Time, keep.Logs) }),
		"observations": m.observations.drop(func(o Observation) bool { return old(o.Time, keep.Observations) }),
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
