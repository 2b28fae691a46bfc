// Package request assembles spans into requests: units of user-visible work
// with an entry, an outcome and the path they took.
//
// A request enters at
//   - a server span without a parent, or whose parent never came while no other
//     request of its trace was running;
//   - a consumer span that handles a message of another service or trace, which
//     is a request of its own with the producer's spans as Upstream;
//   - a root of another kind, unless it only drives others: a client or internal
//     root whose service does nothing in the trace but call servers. Then each
//     server called is an entry, so that a load generator or a browser does not
//     hide what people know the work by.
//
// Other spans whose parent never came are given to the request that was running
// when they began, and counted as its gaps. Nothing here fails on bad input:
// what is broken, late or too much is counted in Gaps and Stats.
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
	// Upstream are the spans that led to the entry from outside the request: the
	// producer of the message that a consumer handles, and what ran before it;
	// or the client spans above an entry whose root only drives others (a load
	// generator, a browser). Usually empty.
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
