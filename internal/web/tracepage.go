package web

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

const (
	// mostRows is how many spans a waterfall shows.
	mostRows = 1000
	// mostRecords is how many log records the page shows.
	mostRecords = 300
	// deepest is the indentation from which on spans are not indented further.
	deepest = 16
)

// traceView is what a trace's page shows.
type traceView struct {
	Title, ID, Short       string
	Name, Start, Took      string
	Spans, Services, Wrong string
	Failed                 bool
	Back                   string // the incident that the reader came from
	Rows                   []spanRow
	Cut                    string
	Scale                  []string
	Logs                   []logRow
	LogsCut                string
	Queries                []copyable
	Links                  []Link
}

// spanRow is one span of the waterfall.
type spanRow struct {
	ID, Name, Service, Version, Kind string
	Depth                            int
	Failed, Orphan, Inside           bool
	Left, Width, LabelX, Anchor      string
	Took, Offset, Message            string
	Fields                           []field
	Events                           []string
}

type field struct{ Key, Value string }

type logRow struct {
	Offset, Service, Severity, Body string
	Bad                             bool
	Fields                          []field
}

func (s *Server) tracePage(w http.ResponseWriter, r *http.Request) error {
	id, spans, logs, err := s.trace(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	v := viewTrace(id, spans, logs, s.config.Clock().UTC())
	// The incident only serves a link back, but it came from the address.
	if back := r.URL.Query().Get("incident"); regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(back) {
		v.Back = back
	}
	v.Queries = []copyable{apiQuery(r, "/api/v1/traces/"+id.String()), traceSQL(id)}
	for _, l := range s.config.TraceLinks {
		v.Links = append(v.Links, l.expand(map[string]string{"trace": id.String()}))
	}
	return s.render(w, r, http.StatusOK, "trace", v)
}

func viewTrace(id telemetry.TraceID, spans []*telemetry.Span, logs []*telemetry.Log, now time.Time) traceView {
	v := traceView{ID: id.String(), Short: id.String()[:8], Title: "Trace " + id.String()[:8]}
	if len(spans) == 0 {
		return v
	}
	start, end := spans[0].Start, spans[0].End
	services := make(map[string]bool)
	wrong := 0
	for _, sp := range spans {
		if sp.Start.Before(start) {
			start = sp.Start
		}
		if sp.End.After(end) {
			end = sp.End
		}
		services[serviceOf(sp)] = true
		if sp.Status == telemetry.StatusError {
			wrong++
		}
	}
	total := max(end.Sub(start), time.Microsecond)
	v.Start, v.Took = clock(start, now)+" UTC", spell(end.Sub(start))
	v.Spans, v.Services, v.Wrong = wording.Plural(len(spans), "span"), wording.Plural(len(services), "service"), wording.Plural(wrong, "error")
	v.Failed = wrong > 0
	for _, n := range nested(spans, mostRows) {
		v.Rows = append(v.Rows, viewSpan(n, start, total))
	}
	v.Name = v.Rows[0].Service + " " + v.Rows[0].Name
	if left := len(spans) - len(v.Rows); left > 0 {
		v.Cut = fmt.Sprintf("These are the first %s of %s spans; the API has more of them.", wording.Count(len(v.Rows)), wording.Count(len(spans)))
	}
	for k := range 5 {
		v.Scale = append(v.Scale, strings.TrimPrefix(offset(total*time.Duration(k)/4), "+"))
	}
	for _, l := range logs[:min(len(logs), mostRecords)] {
		v.Logs = append(v.Logs, viewLog(l, start))
	}
	if left := len(logs) - len(v.Logs); left > 0 {
		v.LogsCut = wording.Plural(left, "more record") + " in the API."
	}
	return v
}

// node is a span at its depth. An orphan's parent is not among the spans.
type node struct {
	span   *telemetry.Span
	depth  int
	orphan bool
}

// nested orders spans so that each follows its parent, and stops at limit.
// Spans may come from anywhere: ids may repeat, parents may be missing or form
// a ring, chains may be 50,000 deep. So it keeps a stack of its own, visits
// each span once, and starts from what is left over until nothing is.
func nested(spans []*telemetry.Span, limit int) []node {
	byID := make(map[telemetry.SpanID]bool, len(spans))
	for _, sp := range spans {
		byID[sp.ID] = true
	}
	children := make(map[telemetry.SpanID][]*telemetry.Span)
	var roots []node
	for _, sp := range spans {
		if !sp.Parent.IsZero() && byID[sp.Parent] && sp.Parent != sp.ID {
			children[sp.Parent] = append(children[sp.Parent], sp)
			continue
		}
		roots = append(roots, node{sp, 0, !sp.Parent.IsZero()})
	}
	byStart := func(a, b *telemetry.Span) int { return a.Start.Compare(b.Start) }
	for _, list := range children {
		slices.SortStableFunc(list, byStart)
	}
	// The true root first, then by time.
	slices.SortStableFunc(roots, func(a, b node) int {
		if a.orphan != b.orphan {
			if b.orphan {
				return -1
			}
			return 1
		}
		return byStart(a.span, b.span)
	})
	seen := make(map[*telemetry.Span]bool, len(spans))
	var out []node
	visit := func(from node) {
		stack := []node{from}
		for len(stack) > 0 && len(out) < limit {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[n.span] {
				continue
			}
			seen[n.span] = true
			out = append(out, n)
			list := children[n.span.ID]
			for k := len(list) - 1; k >= 0; k-- {
				stack = append(stack, node{list[k], n.depth + 1, false})
			}
		}
	}
	for _, root := range roots {
		visit(root)
	}
	for _, sp := range spans {
		if !seen[sp] && len(out) < limit {
			visit(node{sp, 0, true})
		}
	}
	return out
}

func serviceOf(sp *telemetry.Span) string {
	if sp.Resource == nil {
		return "unknown"
	}
	return sp.Resource.Service
}

func viewSpan(n node, start time.Time, total time.Duration) spanRow {
	sp := n.span
	from := float64(max(0, sp.Start.Sub(start))) / float64(total)
	width := float64(sp.Duration()) / float64(total)
	row := spanRow{
		ID: sp.ID.String(), Name: sp.Name, Service: serviceOf(sp), Kind: sp.Kind.String(),
		Depth: min(n.depth, deepest), Failed: sp.Status == telemetry.StatusError, Orphan: n.orphan,
		Left: share(from, 1), Width: share(min(max(width, 0.003), 1-from), 1),
		Took: spell(sp.Duration()), Offset: offset(sp.Start.Sub(start)), Message: sp.Message,
		LabelX: share(min(from+width, 1), 1), Anchor: "start",
	}
	if from+width > 0.86 {
		row.LabelX, row.Anchor = share(from, 1), "end"
		if from < 0.14 {
			// No room on either side: the label stands in the bar.
			row.Anchor, row.Inside = "start", true
		}
	}
	if sp.Resource != nil {
		row.Version = sp.Resource.Version
	}
	for _, a := range sp.Attributes {
		row.Fields = append(row.Fields, field{a.Key, shorten(a.Value, 2000)})
	}
	if sp.Resource != nil {
		for _, a := range sp.Resource.Attributes {
			row.Fields = append(row.Fields, field{a.Key, shorten(a.Value, 2000)})
		}
	}
	for _, e := range sp.Events {
		words := []string{offset(e.Time.Sub(start)), e.Name}
		for _, a := range e.Attributes {
			words = append(words, a.Key+"="+shorten(a.Value, 500))
		}
		row.Events = append(row.Events, strings.Join(words, " "))
	}
	if sp.Dropped > 0 {
		row.Events = append(row.Events, wording.Plural(int(sp.Dropped), "item")+" left out by the emitter or on arrival")
	}
	return row
}

func viewLog(l *telemetry.Log, start time.Time) logRow {
	row := logRow{Offset: offset(l.Time.Sub(start)), Body: shorten(l.Body, 2000), Bad: l.Severity >= 17}
	if l.Resource != nil {
		row.Service = l.Resource.Service
	}
	if row.Body == "" {
		row.Body = l.EventName
	}
	names := []string{"trace", "debug", "info", "warn", "error", "fatal"}
	row.Severity = "log"
	if l.Severity >= 1 && l.Severity <= 24 {
		row.Severity = names[(l.Severity-1)/4]
	}
	for _, a := range l.Attributes {
		row.Fields = append(row.Fields, field{a.Key, shorten(a.Value, 500)})
	}
	return row
}

// indent names the style of a depth.
func (r spanRow) Indent() string { return "d" + strconv.Itoa(r.Depth) }
