package request

import (
	"cmp"
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
)

// cut appends the requests of a trace to out.
func (a *Assembler) cut(out []Request, t *trace) []Request {
	tree := &a.scratch
	a.stats.Duplicates += uint64(tree.build(t.spans))
	tree.enter(t.before)
	defer a.learnCallers(tree, t.before)
	entries := tree.entries(nil)
	if t.before != nil {
		a.countLate(tree)
	}
	if len(entries) == 0 {
		if t.before == nil {
			a.stats.EntrylessTraces++
		}
		return out
	}
	var adopted map[int32]int
	if t.before == nil {
		adopted = tree.adopt(entries)
	}
	orphan := false
	for _, e := range entries {
		r := a.request(tree, t, e)
		// What a bound cut away is not missing: the gap is the truncation.
		if t.truncated == 0 {
			r.Gaps.MissingParents = adopted[e]
			a.stats.MissingParents += uint64(adopted[e])
		}
		orphan = orphan || r.Gaps.MissingRoot
		out = append(out, r)
	}
	if orphan {
		a.stats.OrphanTraces++
	}
	return out
}

// countLate counts the spans of a second release that belong to no entry of
// their own.
func (a *Assembler) countLate(tree *tree) {
	late := len(tree.spans)
	for _, e := range tree.entries(nil) {
		tree.walk(e, func(int32) { late-- })
	}
	a.stats.Late += uint64(late)
}

// learnCallers notes which spans had a parent. A parent that came earlier, with
// a trace that is released, came.
func (a *Assembler) learnCallers(tree *tree, before *release) {
	for i, s := range tree.spans {
		if (s.Kind == telemetry.KindServer || s.Kind == telemetry.KindConsumer) && tree.parent[i] != noParent {
			a.learnCaller(entryOf(s), tree.parent[i] >= 0 || (before != nil && before.has(s.Parent)))
		}
	}
}

// request makes the request that enters at e.
func (a *Assembler) request(tree *tree, t *trace, e int32) Request {
	s := tree.spans[e]
	r := Request{
		ID:       ID{Trace: t.id, Span: s.ID},
		Entry:    entryOf(s),
		Start:    s.Start,
		Duration: s.Duration(),
	}
	n := 0
	tree.walk(e, func(int32) { n++ })
	r.Spans = make([]*telemetry.Span, 0, n)
	tree.walk(e, func(i int32) {
		s := tree.spans[i]
		r.Spans = append(r.Spans, s)
		r.Gaps.DroppedItems += int(s.Dropped)
		if p := tree.parent[i]; i != e && p >= 0 && skewed(tree.spans[p], s) {
			r.Gaps.SkewedSpans++
		}
	})
	a.stats.Skewed += uint64(r.Gaps.SkewedSpans)
	lateRoot := t.before != nil && tree.parent[e] == noParent // what is below it was released before
	r.Gaps.Truncated = t.truncated > 0 || t.early || lateRoot
	r.Gaps.MissingRoot = s.Kind == telemetry.KindServer && tree.parent[e] == missingParent && !a.remote(r.Entry)
	r.Upstream = a.upstream(tree, t, e)
	return r
}

// skewed reports whether a child's times cannot be right beside its parent's.
// A millisecond is within what synchronised clocks differ; work that goes on
// after the parent's end is common, and suspicious only when it lasts longer
// than the parent did and a second more.
func skewed(parent, child *telemetry.Span) bool {
	if child.Start.Before(parent.Start.Add(-time.Millisecond)) {
		return true
	}
	return child.End.Sub(parent.End) > time.Second+parent.Duration()
}

func entryOf(s *telemetry.Span) Entry {
	return Entry{Service: s.Resource.Service, Operation: Operation(s)}
}

const (
	// maxUpstream is how many spans are kept of what led to a request.
	maxUpstream = 256
	// maxLinks is how many links of a batch consumer are followed.
	maxLinks = 16
)

// upstream returns the spans that led to the entry e from outside its request:
// of a consumer, the spans of the trace that produced the message; of a server
// below a driver, the driver's spans above it.
func (a *Assembler) upstream(tree *tree, t *trace, e int32) []*telemetry.Span {
	s := tree.spans[e]
	if s.Kind != telemetry.KindConsumer {
		var up []*telemetry.Span
		for p := tree.parent[e]; p >= 0; p = tree.parent[p] {
			up = append(up, tree.spans[p])
		}
		slices.Reverse(up)
		return up[:min(len(up), maxUpstream)]
	}
	var up []*telemetry.Span
	missing := false
	switch p := tree.parent[e]; {
	case p >= 0:
		for tree.parent[p] >= 0 && !tree.entry[p] {
			p = tree.parent[p]
		}
		var spans []*telemetry.Span
		tree.walk(p, func(i int32) { spans = append(spans, tree.spans[i]) })
		up = leadingTo(spans, s.Parent)
	case p == missingParent:
		found := a.known(t.before, nil, s.Parent)
		up, missing = append(up, found...), found == nil
	}
	for _, l := range s.Links[:min(len(s.Links), maxLinks)] {
		if l.Trace == t.id {
			continue // the parent, or a step of the same trace
		}
		found := a.known(a.released[l.Trace], a.open[l.Trace], l.Span)
		up, missing = append(up, found...), missing || found == nil
	}
	if missing {
		a.stats.MissingProducers++
	}
	return up[:min(len(up), maxUpstream)]
}

// known returns the spans that led to the span id in another trace, or nil.
func (a *Assembler) known(r *release, t *trace, id telemetry.SpanID) []*telemetry.Span {
	if t != nil {
		if up := leadingTo(t.spans, id); up != nil {
			return up
		}
	}
	if r != nil {
		return leadingTo(r.spans, id)
	}
	return nil
}

// leadingTo returns the span id and the spans that had begun before it ended,
// by start: what was in force when the message was made. Nil if the span is
// not among them. Of very many, those nearest to the span are kept.
func leadingTo(spans []*telemetry.Span, id telemetry.SpanID) []*telemetry.Span {
	i := slices.IndexFunc(spans, func(s *telemetry.Span) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	end := later(spans[i].Start, spans[i].End)
	up := slices.Clone(spans)
	up = slices.DeleteFunc(up, func(s *telemetry.Span) bool { return s.Start.After(end) })
	slices.SortFunc(up, func(x, y *telemetry.Span) int {
		return cmp.Or(x.Start.Compare(y.Start), compareSpanIDs(x.ID, y.ID), betterCopy(x, y))
	})
	up = slices.CompactFunc(up, func(x, y *telemetry.Span) bool { return x.ID == y.ID })
	return up[max(0, len(up)-maxUpstream):]
}
