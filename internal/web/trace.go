package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// A Span is a span as the API gives it.
type Span struct {
	ID         telemetry.SpanID     `json:"id"`
	Parent     *telemetry.SpanID    `json:"parent,omitempty"`
	Name       string               `json:"name"`
	Kind       string               `json:"kind"`
	Service    string               `json:"service"`
	Version    string               `json:"version,omitempty"`
	Instance   string               `json:"instance,omitempty"`
	Start      time.Time            `json:"start"`
	DurationMS float64              `json:"duration_ms"`
	Status     string               `json:"status"`
	Message    string               `json:"message,omitempty"`
	Attributes telemetry.Attributes `json:"attributes"`
	Resource   telemetry.Attributes `json:"resource"`
	Events     []SpanEvent          `json:"events"`
	Links      []SpanLink           `json:"links"`
	Dropped    uint32               `json:"dropped,omitempty"`
}

// A SpanEvent happened during a span.
type SpanEvent struct {
	Time       time.Time            `json:"time"`
	Name       string               `json:"name"`
	Attributes telemetry.Attributes `json:"attributes"`
}

// A SpanLink points to a span of another trace.
type SpanLink struct {
	Trace telemetry.TraceID `json:"trace"`
	Span  telemetry.SpanID  `json:"span"`
}

// A LogRecord is a log record as the API gives it.
type LogRecord struct {
	Time       time.Time            `json:"time"`
	Span       *telemetry.SpanID    `json:"span,omitempty"`
	Severity   int                  `json:"severity"`
	Event      string               `json:"event,omitempty"`
	Body       string               `json:"body"`
	Service    string               `json:"service,omitempty"`
	Attributes telemetry.Attributes `json:"attributes"`
}

// A Trace is what is kept of one trace.
type Trace struct {
	ID    telemetry.TraceID `json:"id"`
	Spans []Span            `json:"spans"`
	Logs  []LogRecord       `json:"logs"`
	// SpansKept and LogsKept are how many there are; the lists are cut at 5,000
	// and 1,000.
	SpansKept int `json:"spans_kept"`
	LogsKept  int `json:"logs_kept"`
}

// trace reads the trace that the path names.
func (s *Server) trace(ctx context.Context, text string) (telemetry.TraceID, []*telemetry.Span, []*telemetry.Log, error) {
	id, err := telemetry.ParseTraceID(text)
	if err != nil {
		return id, nil, nil, &problem{
			http.StatusBadRequest, "bad_trace_id", "trace id " + fmt.Sprintf("%q", shorten(text, 80)) + ": want 32 hexadecimal digits",
			"copy the whole id, without dashes",
		}
	}
	spans, err := s.config.Records.Trace(ctx, id)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = store.ErrNotFound
		}
		return id, nil, nil, fmt.Errorf("trace %s: %w", id, err)
	}
	logs, err := s.config.Records.Logs(ctx, id)
	if err != nil {
		return id, nil, nil, fmt.Errorf("logs of trace %s: %w", id, err)
	}
	return id, spans, logs, nil
}

func (s *Server) getTrace(w http.ResponseWriter, r *http.Request) error {
	id, spans, logs, err := s.trace(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	out := Trace{ID: id, Spans: []Span{}, Logs: []LogRecord{}, SpansKept: len(spans), LogsKept: len(logs)}
	for _, sp := range spans[:min(len(spans), mostSpans)] {
		out.Spans = append(out.Spans, spanOf(sp))
	}
	for _, l := range logs[:min(len(logs), mostLogs)] {
		out.Logs = append(out.Logs, logOf(l))
	}
	return writeJSON(w, http.StatusOK, out)
}

func spanOf(sp *telemetry.Span) Span {
	out := Span{
		ID: sp.ID, Name: sp.Name, Kind: sp.Kind.String(), Start: sp.Start,
		DurationMS: float64(sp.Duration().Microseconds()) / 1000,
		Status:     sp.Status.String(), Message: sp.Message,
		Attributes: orEmpty(sp.Attributes), Resource: telemetry.Attributes{},
		Events: []SpanEvent{}, Links: []SpanLink{}, Dropped: sp.Dropped,
	}
	if !sp.Parent.IsZero() {
		out.Parent = &sp.Parent
	}
	if res := sp.Resource; res != nil {
		out.Service, out.Version, out.Instance = res.Service, res.Version, res.Instance
		out.Resource = orEmpty(res.Attributes)
	}
	for _, e := range sp.Events {
		out.Events = append(out.Events, SpanEvent{e.Time, e.Name, orEmpty(e.Attributes)})
	}
	for _, l := range sp.Links {
		out.Links = append(out.Links, SpanLink{l.Trace, l.Span})
	}
	return out
}

func logOf(l *telemetry.Log) LogRecord {
	out := LogRecord{
		Time: l.Time, Severity: l.Severity, Event: l.EventName, Body: l.Body,
		Attributes: orEmpty(l.Attributes),
	}
	if !l.Span.IsZero() {
		out.Span = &l.Span
	}
	if l.Resource != nil {
		out.Service = l.Resource.Service
	}
	return out
}
