// Package request assembles spans into requests: units of user-visible work
// with an entry, an outcome and the path they took.
package request

import (
	"fmt"
	"time"

	"example.test/eddy/internal/telemetry"
)

// An ID names a request: the trace it is part of and the span at which it
// entered. A trace with two entries is two requests.
type ID struct {
	Trace telemetry.TraceID `json:"trace"`
	Span  telemetry.SpanID  `json:"span"`
}

// String returns "trace-span" in hexadecimal.
func (id ID) String() string { return id.Trace.String() + "-" + id.Span.String() }

// An Entry is where a request comes in: a service and the operation asked of
// it. Operation is low in cardinality: "POST /checkout", "orders process".
type Entry struct {
	Service   string `json:"service"`
	Operation string `json:"operation"`
}

// String returns "service operation".
func (e Entry) String() string { return e.Service + " " + e.Operation }

// An Outcome is how a request ended for the one who asked.
type Outcome uint8

// The outcomes. A request that failed is not also counted as slow.
const (
	OK Outcome = iota
	Failed
	Slow
)

// String returns "ok", "failed" or "slow".
func (o Outcome) String() string {
	switch o {
	case Failed:
		return "failed"
	case Slow:
		return "slow"
	case OK:
	}
	return "ok"
}

// MarshalText writes the outcome as String does.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (o *Outcome) UnmarshalText(text []byte) error {
	for _, x := range []Outcome{OK, Failed, Slow} {
		if x.String() == string(text) {
			*o = x
			return nil
		}
	}
	return fmt.Errorf("outcome %q: want ok, failed or slow", text)
}

// A Request is one unit of user-visible work.
type Request struct {
	ID       ID
	Entry    Entry
	Start    time.Time // of the entry span
	Duration time.Duration
	Outcome  Outcome
	// Reason says why a request failed, in the emitter's terms: an HTTP or gRPC
	// status, an error.type. It is a symptom and never a condition.
	Reason string
	// Spans are the spans below and including the entry, the entry first, a
	// parent always before its children, siblings by start time.
	Spans []*telemetry.Span
	// Upstream are spans of the traces that the entry links to: the producer of
	// the message that a consumer handles. Empty for synchronous requests.
	Upstream []*telemetry.Span
	// Gaps are what is known to be missing; they lower the coverage of every
	// verdict that uses the request.
	Gaps Gaps
}

// Gaps counts what is known to be wrong or missing in a request's spans.
type Gaps struct {
	MissingRoot    bool `json:"missing_root,omitempty"`    // the entry's parent, if it has one, never came and is not remote by design
	MissingParents int  `json:"missing_parents,omitempty"` // spans whose parent never came
	SkewedSpans    int  `json:"skewed_spans,omitempty"`    // spans that begin before their parent or end long after it
	DroppedItems   int  `json:"dropped_items,omitempty"`   // attributes, events and links left out by emitters
	Truncated      bool `json:"truncated,omitempty"`       // spans were left out because a bound was hit
}
