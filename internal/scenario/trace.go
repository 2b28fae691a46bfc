package scenario

import (
	"slices"
	"time"

	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A trace says who did what in a request.
type trace struct {
	spans    []*telemetry.Span
	owner    []int // the server span, or the entry, that each span is part of
	answered map[telemetry.SpanID]int
	calls    [][]int // of each owner, its client spans
	attempts []int
}

func traceOf(r *request.Request) *trace {
	t := &trace{
		spans: r.Spans, owner: make([]int, len(r.Spans)), answered: make(map[telemetry.SpanID]int),
		calls: make([][]int, len(r.Spans)), attempts: r.Attempts(),
	}
	at := make(map[telemetry.SpanID]int, len(r.Spans))
	for i, s := range r.Spans {
		at[s.ID] = i
		parent, known := at[s.Parent]
		if i == 0 || s.Kind == telemetry.KindServer || !known {
			t.owner[i] = i
			if known && r.Spans[parent].Kind == telemetry.KindClient {
				t.answered[s.Parent] = i
			}
			continue
		}
		t.owner[i] = t.owner[parent]
		if s.Kind == telemetry.KindClient {
			t.calls[t.owner[i]] = append(t.calls[t.owner[i]], i)
		}
	}
	return t
}

// self is how long a server span worked itself: its duration less the time in
// which it waited for at least one of its calls.
func (t *trace) self(i int) time.Duration {
	s := t.spans[i]
	calls := t.calls[i]
	slices.SortFunc(calls, func(a, b int) int { return t.spans[a].Start.Compare(t.spans[b].Start) })
	waited, until := time.Duration(0), s.Start
	for _, k := range calls {
		from, to := t.spans[k].Start, t.spans[k].End
		if from.Before(until) {
			from = until
		}
		if to.After(s.End) {
			to = s.End
		}
		if to.After(from) {
			waited += to.Sub(from)
			until = to
		}
	}
	return max(s.Duration()-waited, 0)
}
