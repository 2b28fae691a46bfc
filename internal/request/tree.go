package request

import (
	"cmp"
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/reuse"
	"example.test/eddy/internal/telemetry"
)

const (
	noParent      = -1 // the span is a root
	missingParent = -2 // its parent never came
)

// A tree is a trace as indexes into spans, which are ordered by start and then
// by id. Its slices are used again for the next trace.
type tree struct {
	spans    []*telemetry.Span
	byID     []int32 // indexes by span id
	parent   []int32
	children []int32 // those of i are children[from[i]:from[i+1]], by start
	from     []int32
	entry    []bool
	driver   []bool // roots that only drive others; see drives
	seen     []bool
	stack    []int32
}

// build orders the spans, drops the duplicates and links children to parents.
// It returns how many spans were duplicates.
func (t *tree) build(spans []*telemetry.Span) (duplicates int) {
	t.spans = append(t.spans[:0], spans...)
	slices.SortFunc(t.spans, func(x, y *telemetry.Span) int {
		return cmp.Or(compareSpanIDs(x.ID, y.ID), betterCopy(x, y))
	})
	t.spans = slices.CompactFunc(t.spans, func(x, y *telemetry.Span) bool { return x.ID == y.ID })
	duplicates = len(spans) - len(t.spans)
	slices.SortFunc(t.spans, func(x, y *telemetry.Span) int {
		return cmp.Or(x.Start.Compare(y.Start), compareSpanIDs(x.ID, y.ID))
	})

	n := len(t.spans)
	t.byID = reuse.Clear(t.byID, n)
	for i := range n {
		t.byID[i] = int32(i)
	}
	slices.SortFunc(t.byID, func(x, y int32) int { return compareSpanIDs(t.spans[x].ID, t.spans[y].ID) })
	t.parent = reuse.Clear(t.parent, n)
	t.entry = reuse.Clear(t.entry, n)
	t.driver = reuse.Clear(t.driver, n)
	for i, s := range t.spans {
		switch p := t.find(s.Parent); {
		case s.Parent.IsZero():
			t.parent[i] = noParent
		case p < 0 || p == i:
			t.parent[i] = missingParent
		default:
			t.parent[i] = int32(p)
		}
	}
	t.link()
	t.breakCycles()
	return duplicates
}

// betterCopy orders copies of one span so that the one that says most is
// first, whichever came first: an emitter may send a span twice, and a proxy
// may have cut one of the copies.
func betterCopy(x, y *telemetry.Span) int {
	return cmp.Or(
		y.End.Compare(x.End),
		cmp.Compare(len(y.Attributes)+len(y.Events)+len(y.Links), len(x.Attributes)+len(x.Events)+len(x.Links)),
		cmp.Compare(x.Resource.Service, y.Resource.Service),
		cmp.Compare(x.Name, y.Name),
		cmp.Compare(y.Status, x.Status),
		x.Start.Compare(y.Start),
	)
}

// find returns the index of the span with the id, or -1.
func (t *tree) find(id telemetry.SpanID) int {
	i, ok := slices.BinarySearchFunc(t.byID, id, func(x int32, id telemetry.SpanID) int {
		return compareSpanIDs(t.spans[x].ID, id)
	})
	if !ok {
		return -1
	}
	return int(t.byID[i])
}

// link fills children from parent. Spans are in order of start, so children
// come out in it too.
func (t *tree) link() {
	n := len(t.spans)
	t.from = reuse.Clear(t.from, n+2)
	for _, p := range t.parent {
		if p >= 0 {
			t.from[p+2]++
		}
	}
	for i := 2; i < len(t.from); i++ {
		t.from[i] += t.from[i-1]
	}
	t.children = reuse.Clear(t.children, int(t.from[n+1]))
	for i, p := range t.parent {
		if p >= 0 {
			t.children[t.from[p+1]] = int32(i)
			t.from[p+1]++
		}
	}
}

func (t *tree) below(i int32) []int32 { return t.children[t.from[i]:t.from[i+1]] }

// breakCycles makes the earliest span of each cycle one whose parent never
// came. Cycles come from broken emitters only.
func (t *tree) breakCycles() {
	n := len(t.spans)
	t.seen = reuse.Clear(t.seen, n)
	reached := 0
	for i := range n {
		if t.parent[i] < 0 {
			reached += t.mark(int32(i))
		}
	}
	if reached == n {
		return
	}
	for i := range n {
		if !t.seen[i] {
			t.parent[i] = missingParent
			t.mark(int32(i))
		}
	}
	t.link()
}

// mark visits all spans below and including i that were not seen.
func (t *tree) mark(i int32) (visited int) {
	t.stack = append(t.stack[:0], i)
	for len(t.stack) > 0 {
		i := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		if t.seen[i] {
			continue
		}
		t.seen[i] = true
		visited++
		t.stack = append(t.stack, t.below(i)...)
	}
	return visited
}

// walk calls visit for i and the spans below it, a parent before its children,
// siblings by start, without those of other entries.
func (t *tree) walk(i int32, visit func(int32)) {
	t.stack = append(t.stack[:0], i)
	for first := true; len(t.stack) > 0; first = false {
		i := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		if t.entry[i] && !first {
			continue
		}
		visit(i)
		children := t.below(i)
		for j := len(children) - 1; j >= 0; j-- {
			t.stack = append(t.stack, children[j])
		}
	}
}

// consumes reports whether the consumer span i begins a request of its own: it
// handles a message of another service or another trace. A consumer span below
// another span of its service that links to nothing is a step of that one.
func (t *tree) consumes(i int32) bool {
	s := t.spans[i]
	if s.Kind != telemetry.KindConsumer {
		return false
	}
	if t.parent[i] < 0 {
		return true
	}
	p := t.spans[t.parent[i]]
	if p.Kind == telemetry.KindProducer || p.Resource.Service != s.Resource.Service {
		return true
	}
	return slices.ContainsFunc(s.Links, func(l telemetry.Link) bool {
		return l.Trace != s.Trace || t.find(l.Span) < 0 || l.Span != s.Parent
	})
}

// drives reports whether the root i only sets other services to work: a load
// generator, a browser, a job that does nothing but call. It is a client or an
// internal span whose service has no spans in the trace but internal ones and
// calls, and at least one call is answered by a server span. To its users the
// work begins at that server.
func (t *tree) drives(i int32) bool {
	root := t.spans[i]
	if root.Kind == telemetry.KindServer || root.Kind == telemetry.KindConsumer || root.Kind == telemetry.KindProducer {
		return false
	}
	answered := false
	t.stack = append(t.stack[:0], i)
	for len(t.stack) > 0 {
		i := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		s := t.spans[i]
		switch s.Kind {
		case telemetry.KindServer:
			answered = true
			continue
		case telemetry.KindProducer, telemetry.KindConsumer:
			return false
		case telemetry.KindClient:
			if usesResource(s) {
				return false
			}
		case telemetry.KindInternal, telemetry.KindUnspecified:
		}
		if s.Resource.Service != root.Resource.Service {
			return false
		}
		t.stack = append(t.stack, t.below(i)...)
	}
	return answered
}

// usesResource reports whether a client span talks to a database or a broker.
func usesResource(s *telemetry.Span) bool {
	return slices.ContainsFunc(s.Attributes, func(a telemetry.Attribute) bool {
		k := attr.Current(a.Key)
		return k == attr.DBSystemName || k == attr.MessagingSystem
	})
}

// enter marks the spans at which requests enter. A server span whose parent
// never came is the entry of a request of its own only if no other request of
// the trace was running when it began: otherwise a broken link, not a new
// visitor, is the likelier reason. A server root that comes after its trace was
// released, because it ran longer than that was waited for, still is an entry:
// the longest requests must not be the ones that are lost.
func (t *tree) enter(before *release) {
	for i := range t.spans {
		i := int32(i)
		switch {
		case t.consumes(i):
			t.entry[i] = true
		case t.parent[i] != noParent:
		case before != nil && t.spans[i].Kind != telemetry.KindServer:
			// A late root that drives others: they were entries already.
		case t.drives(i):
			t.driver[i] = true
			t.enterBelow(i)
		default:
			t.entry[i] = true
		}
	}
	rooted := t.entries(nil)
	for i, s := range t.spans {
		if t.parent[i] != missingParent || s.Kind != telemetry.KindServer || (before != nil && before.has(s.Parent)) {
			continue
		}
		if t.runningAt(rooted, s.Start) < 0 {
			t.entry[i] = true
		}
	}
}

// enterBelow marks the highest server spans below a driver.
func (t *tree) enterBelow(i int32) {
	t.stack = append(t.stack[:0], i)
	for len(t.stack) > 0 {
		i := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		if t.spans[i].Kind == telemetry.KindServer {
			t.entry[i] = true
			continue
		}
		t.stack = append(t.stack, t.below(i)...)
	}
}

// entries appends the indexes of the entries, by start.
func (t *tree) entries(list []int32) []int32 {
	for i, is := range t.entry {
		if is {
			list = append(list, int32(i))
		}
	}
	return list
}

// lookBack is how many entries before a moment are asked whether they were
// running, so that a trace of many entries does not cost their square.
const lookBack = 64

// runningAt returns the entry, of those listed by start, that began last
// before at and had not ended, or -1.
func (t *tree) runningAt(entries []int32, at time.Time) int32 {
	n, _ := slices.BinarySearchFunc(entries, at, func(e int32, at time.Time) int {
		if t.spans[e].Start.After(at) {
			return 1
		}
		return -1
	})
	for k := n - 1; k >= 0 && k >= n-lookBack; k-- {
		if !t.spans[entries[k]].End.Before(at) {
			return entries[k]
		}
	}
	return -1
}

// adopt gives the spans whose parent never came, and that are no entries, to
// the entry that was running when they began, or else to the nearest. It
// returns how many it gave to each entry, or nil.
func (t *tree) adopt(entries []int32) map[int32]int {
	var adopted map[int32]int
	for i := range t.spans {
		if t.parent[i] != missingParent || t.entry[i] {
			continue
		}
		host := t.runningAt(entries, t.spans[i].Start)
		if host < 0 {
			host = t.nearest(entries, t.spans[i].Start)
		}
		if t.isBelow(host, int32(i)) {
			continue // it led to the entry, and is upstream of it
		}
		if adopted == nil {
			adopted = make(map[int32]int)
		}
		adopted[host]++
		t.parent[i] = host
	}
	if adopted != nil {
		t.link()
	}
	return adopted
}

// isBelow reports whether i is top, or below it.
func (t *tree) isBelow(i, top int32) bool {
	for ; i >= 0; i = t.parent[i] {
		if i == top {
			return true
		}
	}
	return false
}

// nearest returns the last entry that began before at, or else the first.
func (t *tree) nearest(entries []int32, at time.Time) int32 {
	n, _ := slices.BinarySearchFunc(entries, at, func(e int32, at time.Time) int {
		if t.spans[e].Start.After(at) {
			return 1
		}
		return -1
	})
	return entries[max(0, n-1)]
}
