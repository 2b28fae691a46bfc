package request

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
)

// An Assembler gathers spans by trace until a trace is complete, and cuts it
// into requests. The clock is an argument of its methods: processing time in a
// server, event time in a replay. It is not safe for concurrent use.
//
// A trace is released when its root has come and no span came for
// Config.Quiet; a root that never comes is waited for until Config.MaxAge,
// unless the entry is known to have parents that never come (a caller that
// propagates context and sends no spans). Spans that come after the release
// are counted as late, except those of a consumer, for what handles a message
// is a request of its own however late it comes, and a server root that ran for
// longer than MaxAge, which gives a request that is marked as truncated.
//
// When Config.MaxSpans or Config.MaxTraces is hit, Add first forgets released
// traces, then refuses spans and counts them. Flush makes room again by
// releasing the oldest traces early once three quarters are in use.
type Assembler struct {
	config   Config
	open     map[telemetry.TraceID]*trace
	released map[telemetry.TraceID]*release
	queue    []*release // in the order of release
	held     int        // spans in open, and in released for the sake of consumers
	retained int        // those of them in released
	ids      int        // span ids in released
	callers  map[Entry]*caller
	usual    *usual
	limits   map[Entry]time.Duration // of objectives, by entry; 0 where none matches
	stats    Stats
	scratch  tree
}

// Stats count what an assembler did since it was made.
type Stats struct {
	Spans    uint64 `json:"spans"`    // taken in
	Requests uint64 `json:"requests"` // handed out

	Duplicates uint64 `json:"duplicates"` // spans sent more than once
	Late       uint64 `json:"late"`       // spans that came after their trace was released
	Invalid    uint64 `json:"invalid"`    // spans without a trace id, span id or resource
	Refused    uint64 `json:"refused"`    // spans left out because MaxSpans or MaxTraces was hit

	OrphanTraces     uint64 `json:"orphan_traces"`     // traces whose root never came, and was missed
	EntrylessTraces  uint64 `json:"entryless_traces"`  // traces that held no entry and gave no request
	TruncatedTraces  uint64 `json:"truncated_traces"`  // traces that hit MaxSpansPerTrace
	TruncatedSpans   uint64 `json:"truncated_spans"`   // spans left out of them
	EarlyTraces      uint64 `json:"early_traces"`      // traces released before their time, to make room
	MissingParents   uint64 `json:"missing_parents"`   // spans whose parent never came
	MissingProducers uint64 `json:"missing_producers"` // consumers whose producer is not known
	Skewed           uint64 `json:"skewed"`            // spans that begin before their parent or end long after it
	Unlearned        uint64 `json:"unlearned"`         // requests of entries beyond Usual.MaxEntries

	OpenTraces int `json:"open_traces"` // now
	HeldSpans  int `json:"held_spans"`  // now
}

// A trace is what has come of a trace that is not released.
type trace struct {
	id          telemetry.TraceID
	first, last time.Time // when spans came, by the assembler's clock
	spans       []*telemetry.Span
	rooted      bool // a span without a parent has come
	truncated   int
	early       bool
	before      *release // what was released of the same trace earlier
	tops        []Entry  // of the spans whose parent has not come, once searched
	searched    int      // how many spans were searched for them
}

// A release is what is remembered of a trace after its requests were handed
// out.
type release struct {
	trace telemetry.TraceID
	at    time.Time
	ids   []telemetry.SpanID // ascending
	spans []*telemetry.Span  // only of a trace with producers, for its consumers
}

func (r *release) has(id telemetry.SpanID) bool {
	_, ok := slices.BinarySearchFunc(r.ids, id, compareSpanIDs)
	return ok
}

// A caller counts how often the parent of an entry's server span came and did
// not.
type caller struct{ came, missing int }

// New returns an assembler. The config must be valid.
func New(c Config) *Assembler {
	c = c.withDefaults()
	return &Assembler{
		config:   c,
		open:     make(map[telemetry.TraceID]*trace),
		released: make(map[telemetry.TraceID]*release),
		callers:  make(map[Entry]*caller),
		limits:   make(map[Entry]time.Duration),
		usual:    newUsual(c.Usual),
	}
}

// Add takes spans in. It keeps the pointers; the spans must not be changed
// afterwards.
func (a *Assembler) Add(now time.Time, spans []*telemetry.Span) {
	var t *trace
	for _, s := range spans {
		if s == nil || s.Trace.IsZero() || s.ID.IsZero() || s.Resource == nil {
			a.stats.Invalid++
			continue
		}
		if t == nil || t.id != s.Trace {
			t = a.open[s.Trace]
		}
		if t == nil {
			if t = a.begin(now, s); t == nil {
				continue
			}
		}
		a.put(now, t, s)
	}
}

// begin opens a trace for s, unless s was seen before or there is no room.
func (a *Assembler) begin(now time.Time, s *telemetry.Span) *trace {
	before := a.released[s.Trace]
	if before != nil && before.has(s.ID) {
		a.stats.Duplicates++
		return nil
	}
	if len(a.open) >= a.config.MaxTraces || !a.room() {
		a.stats.Refused++
		return nil
	}
	t := &trace{id: s.Trace, first: now, before: before, spans: make([]*telemetry.Span, 0, 8)}
	a.open[s.Trace] = t
	return t
}

// rootReserve is how many spans without a parent a full trace still takes: the
// root is the last span to end, so without a reserve it would be the one that
// is missing.
const rootReserve = 64

func (a *Assembler) put(now time.Time, t *trace, s *telemetry.Span) {
	if t.before != nil && t.before.has(s.ID) {
		a.stats.Duplicates++
		return
	}
	limit := a.config.MaxSpansPerTrace
	if s.Parent.IsZero() {
		limit += rootReserve
	}
	if len(t.spans) >= limit {
		if t.truncated == 0 {
			a.stats.TruncatedTraces++
		}
		t.truncated++
		a.stats.TruncatedSpans++
		t.last = later(t.last, now)
		return
	}
	if !a.room() {
		a.stats.Refused++
		t.truncated++
		return
	}
	a.held++
	a.stats.Spans++
	t.spans = append(t.spans, s)
	t.rooted = t.rooted || s.Parent.IsZero()
	t.last = later(t.last, now)
}

// room reports whether one more span may be held, forgetting released traces
// if that helps.
func (a *Assembler) room() bool {
	for a.held >= a.config.MaxSpans && a.retained > 0 {
		a.forgetOldest()
	}
	return a.held < a.config.MaxSpans
}

// Flush returns the requests of the traces that are complete at now, or that
// are released for another reason, by start and then by id.
func (a *Assembler) Flush(now time.Time) []Request {
	var due, waiting []*trace
	for _, t := range a.open {
		if a.due(now, t) {
			due = append(due, t)
		} else {
			waiting = append(waiting, t)
		}
	}
	due = append(due, a.crowd(due, waiting)...)
	return a.release(now, due)
}

// Drain returns all requests that are left, complete or not: at the end of a
// replay, or before a shutdown.
func (a *Assembler) Drain(now time.Time) []Request {
	due := make([]*trace, 0, len(a.open))
	for _, t := range a.open {
		due = append(due, t)
	}
	return a.release(now, due)
}

// Stats returns what was counted so far.
func (a *Assembler) Stats() Stats {
	s := a.stats
	s.OpenTraces, s.HeldSpans, s.Unlearned = len(a.open), a.held, a.usual.refused
	return s
}

func (a *Assembler) due(now time.Time, t *trace) bool {
	if now.Sub(t.first) >= a.config.MaxAge {
		return true
	}
	if now.Sub(t.last) < a.config.Quiet {
		return false
	}
	return t.rooted || t.before != nil || a.rootless(t)
}

// rootless reports whether all that could be entries in t are known for
// parents that never come, so that waiting for the root is no use.
func (a *Assembler) rootless(t *trace) bool {
	// The search is quadratic, so large traces wait, and it is done once for
	// what has come.
	const most = 256
	if len(t.spans) > most {
		return false
	}
	if t.searched != len(t.spans) {
		t.searched, t.tops = len(t.spans), t.tops[:0]
		for _, s := range t.spans {
			if s.Kind != telemetry.KindServer && s.Kind != telemetry.KindConsumer {
				continue
			}
			if !slices.ContainsFunc(t.spans, func(p *telemetry.Span) bool { return p.ID == s.Parent }) {
				t.tops = append(t.tops, entryOf(s))
			}
		}
	}
	return len(t.tops) > 0 && !slices.ContainsFunc(t.tops, func(e Entry) bool { return !a.remote(e) })
}

// remote reports whether the parents of an entry's spans are known not to
// come: at least three did not, and hardly any did.
func (a *Assembler) remote(e Entry) bool {
	c := a.callers[e]
	return c != nil && c.missing >= 3 && c.came*20 < c.missing
}

// maxCallers bounds how many entries are learned.
const maxCallers = 10_000

func (a *Assembler) learnCaller(e Entry, came bool) {
	c := a.callers[e]
	if c == nil {
		if len(a.callers) >= maxCallers {
			return
		}
		c = &caller{}
		a.callers[e] = c
	}
	if came {
		c.came++
	} else {
		c.missing++
	}
	if c.came+c.missing > 1_000 { // so that a caller that changed is noticed
		c.came, c.missing = c.came/2, c.missing/2
	}
}

// crowd picks the oldest of the waiting traces when three quarters of a bound
// are in use, until half would be. What is remembered does not count: Add drops
// it when it needs the room.
func (a *Assembler) crowd(due, waiting []*trace) []*trace {
	spans, traces := a.held-a.retained, len(a.open)
	for _, t := range due {
		spans, traces = spans-len(t.spans), traces-1
	}
	over := func(quarters int) bool {
		return spans*4 > a.config.MaxSpans*quarters || traces*4 > a.config.MaxTraces*quarters
	}
	if !over(3) {
		return nil
	}
	slices.SortFunc(waiting, compareTraces)
	for i, t := range waiting {
		if !over(2) {
			return waiting[:i]
		}
		t.early = true
		a.stats.EarlyTraces++
		spans, traces = spans-len(t.spans), traces-1
	}
	return waiting
}

// release cuts the traces into requests and remembers what it needs to.
// The traces stay open until all are cut, so that a consumer finds its producer
// whichever of the two comes first.
func (a *Assembler) release(now time.Time, due []*trace) []Request {
	slices.SortFunc(due, compareTraces)
	var out []Request
	for _, t := range due {
		out = a.cut(out, t)
	}
	for _, t := range due {
		a.remember(now, t)
	}
	a.forget(now)
	slices.SortFunc(out, func(x, y Request) int {
		return cmp.Or(
			x.Start.Compare(y.Start),
			bytes.Compare(x.ID.Trace[:], y.ID.Trace[:]),
			compareSpanIDs(x.ID.Span, y.ID.Span),
		)
	})
	for i := range out {
		a.judge(now, &out[i])
	}
	a.stats.Requests += uint64(len(out))
	return out
}

// judge sets the outcome. What failed teaches nothing about what is usual: it
// may have ended early, or by a timeout.
func (a *Assembler) judge(now time.Time, r *Request) {
	if reason, failed := Failure(r.Spans[0]); failed {
		r.Outcome, r.Reason = Failed, reason
		return
	}
	if limit := a.objective(r.Entry); limit > 0 {
		if r.Duration > limit {
			r.Outcome, r.Reason = Slow, "slower than "+limit.String()
		}
		return
	}
	if a.usual.slow(now, r.Entry, r.Duration) {
		r.Outcome, r.Reason = Slow, "slower than usual"
	}
}

// objective returns the limit of the first objective that matches e, or 0.
func (a *Assembler) objective(e Entry) time.Duration {
	if len(a.config.Objectives) == 0 {
		return 0
	}
	limit, ok := a.limits[e]
	if ok {
		return limit
	}
	for _, o := range a.config.Objectives {
		if matches(o.Entry, e.String()) {
			limit = o.Latency
			break
		}
	}
	if len(a.limits) >= maxCallers {
		clear(a.limits)
	}
	a.limits[e] = limit
	return limit
}

// remember moves a trace from open to released.
func (a *Assembler) remember(now time.Time, t *trace) {
	delete(a.open, t.id)
	r := a.released[t.id]
	if r == nil {
		r = &release{trace: t.id, at: now, ids: make([]telemetry.SpanID, 0, len(t.spans))}
		a.released[t.id] = r
		a.queue = append(a.queue, r)
	}
	produces := r.spans != nil
	for _, s := range t.spans {
		r.ids = append(r.ids, s.ID)
		produces = produces || s.Kind == telemetry.KindProducer
	}
	a.ids += len(t.spans)
	slices.SortFunc(r.ids, compareSpanIDs)
	if produces {
		r.spans = append(r.spans, t.spans...) // they stay held
		a.retained += len(t.spans)
		return
	}
	a.held -= len(t.spans)
}

// forget drops releases that are old, or too many.
func (a *Assembler) forget(now time.Time) {
	for len(a.queue) > 0 {
		old := now.Sub(a.queue[0].at) >= a.config.Recent
		if !old && len(a.queue) <= a.config.MaxTraces && a.ids <= 4*a.config.MaxSpans {
			return
		}
		a.forgetOldest()
	}
}

func (a *Assembler) forgetOldest() {
	r := a.queue[0]
	a.queue[0] = nil
	a.queue = a.queue[1:]
	a.held -= len(r.spans)
	a.retained -= len(r.spans)
	a.ids -= len(r.ids)
	if a.released[r.trace] == r {
		delete(a.released, r.trace)
	}
	r.spans = nil
}

func compareTraces(x, y *trace) int {
	return cmp.Or(x.first.Compare(y.first), bytes.Compare(x.id[:], y.id[:]))
}

func compareSpanIDs(x, y telemetry.SpanID) int { return bytes.Compare(x[:], y[:]) }

func later(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}
