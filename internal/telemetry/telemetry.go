// Package telemetry is what arrives: spans, log records, metric points and
// changes, in the form that every later stage reads.
//
// The types here are values that are built once, at the border (package
// ingest), and never changed afterwards; they may be shared between goroutines
// without locks. Attribute values are kept as text: Eddy compares states, it
// does not compute with attributes, and the few numbers that matter are parsed
// where they are needed. Text is never empty by accident: an absent attribute
// is absent.
package telemetry

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A TraceID is the 16 bytes that all spans of a trace share. The zero value is
// invalid and means "no trace".
type TraceID [16]byte

// String returns the id as 32 lowercase hexadecimal digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id is the invalid one.
func (id TraceID) IsZero() bool { return id == TraceID{} }

// MarshalText writes the id as String does.
func (id TraceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (id *TraceID) UnmarshalText(text []byte) error {
	parsed, err := ParseTraceID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// ParseTraceID reads 32 hexadecimal digits.
func ParseTraceID(s string) (TraceID, error) {
	var id TraceID
	if len(s) != 2*len(id) {
		return id, fmt.Errorf("trace id %q: want 32 hexadecimal digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return TraceID{}, fmt.Errorf("trace id %q: want 32 hexadecimal digits", s)
	}
	return id, nil
}

// A SpanID is the 8 bytes that name a span within its trace. The zero value is
// invalid; as a parent it means "root".
type SpanID [8]byte

// String returns the id as 16 lowercase hexadecimal digits.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id is the invalid one.
func (id SpanID) IsZero() bool { return id == SpanID{} }

// MarshalText writes the id as String does.
func (id SpanID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 16 hexadecimal digits.
func (id *SpanID) UnmarshalText(text []byte) error {
	parsed, err := ParseSpanID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// ParseSpanID reads 16 hexadecimal digits.
func ParseSpanID(s string) (SpanID, error) {
	var id SpanID
	if len(s) != 2*len(id) {
		return id, fmt.Errorf("span id %q: want 16 hexadecimal digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return SpanID{}, fmt.Errorf("span id %q: want 16 hexadecimal digits", s)
	}
	return id, nil
}

// An Attribute is a key and a value rendered as text: numbers in their
// shortest form, booleans as "true" and "false", lists and maps as JSON.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Attributes are sorted by key, each key once. The zero value is empty and
// usable.
type Attributes []Attribute

// NewAttributes sorts list by key, in place, and keeps the last of each key.
func NewAttributes(list []Attribute) Attributes {
	slices.SortStableFunc(list, func(a, b Attribute) int { return strings.Compare(a.Key, b.Key) })
	kept := list[:0]
	for i, a := range list {
		if i+1 < len(list) && list[i+1].Key == a.Key {
			continue
		}
		kept = append(kept, a)
	}
	return kept
}

// Get returns the value of key, and whether it is there.
func (a Attributes) Get(key string) (string, bool) {
	i, ok := slices.BinarySearchFunc(a, key, func(x Attribute, k string) int { return strings.Compare(x.Key, k) })
	if !ok {
		return "", false
	}
	return a[i].Value, true
}

// First returns the value of the first of keys that is there, or "". It serves
// attributes that had other names in older semantic conventions.
func (a Attributes) First(keys ...string) string {
	for _, k := range keys {
		if v, ok := a.Get(k); ok {
			return v
		}
	}
	return ""
}

// A Resource is who emitted telemetry. Spans of one batch share the pointer.
type Resource struct {
	Service     string     // service.name; "unknown_service" if the sender gave none
	Namespace   string     // service.namespace, may be empty
	Version     string     // service.version, may be empty
	Instance    string     // service.instance.id, or else the pod or host name, may be empty
	Environment string     // deployment.environment.name, may be empty
	Attributes  Attributes // all resource attributes, the above included
}

// A Kind is a span's role in a call.
type Kind uint8

// The kinds, numbered as in OTLP.
const (
	KindUnspecified Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

// String returns the kind in lowercase, as OpenTelemetry writes it.
func (k Kind) String() string {
	switch k {
	case KindInternal:
		return "internal"
	case KindServer:
		return "server"
	case KindClient:
		return "client"
	case KindProducer:
		return "producer"
	case KindConsumer:
		return "consumer"
	case KindUnspecified:
	}
	return "unspecified"
}

// A Status is what the instrumentation said of a span.
type Status uint8

// The statuses, numbered as in OTLP.
const (
	StatusUnset Status = iota
	StatusOK
	StatusError
)

// String returns the status in lowercase.
func (s Status) String() string {
	switch s {
	case StatusOK:
		return "ok"
	case StatusError:
		return "error"
	case StatusUnset:
	}
	return "unset"
}

// A Span is one operation of one service.
type Span struct {
	Trace      TraceID
	ID         SpanID
	Parent     SpanID // zero for a root
	Name       string
	Kind       Kind
	Start, End time.Time // by the emitter's clock
	Status     Status
	Message    string // of the status
	Attributes Attributes
	Events     []Event
	Links      []Link
	Resource   *Resource // never nil
	Dropped    uint32    // attributes, events and links that the emitter or the border left out
}

// Duration is End minus Start, and zero where the clock ran backwards.
func (s *Span) Duration() time.Duration { return max(0, s.End.Sub(s.Start)) }

// An Event happened during a span.
type Event struct {
	Time       time.Time
	Name       string
	Attributes Attributes
}

// A Link points from a span to a span that is not its parent, usually in
// another trace.
type Link struct {
	Trace      TraceID
	Span       SpanID
	Attributes Attributes
}

// A Log is one log record. EventName is set for OpenTelemetry events.
type Log struct {
	Time       time.Time
	Trace      TraceID // zero if the record belongs to no trace
	Span       SpanID
	Severity   int // 1 to 24 as in OTLP, 0 if unknown
	EventName  string
	Body       string
	Attributes Attributes
	Resource   *Resource
}

// A Point is one value of one metric at one time.
type Point struct {
	Time       time.Time
	Name, Unit string
	Value      float64   // gauge or sum; for a histogram the sum of its values
	Count      uint64    // of a histogram's or summary's values, else 0
	Cumulative bool      // Value counts since Start, not since the last point
	Start      time.Time // of the count, by the emitter's clock; zero if it is not told or Value is not cumulative
	Attributes Attributes
	Resource   *Resource
}

// A Batch is what one request to the border carried.
type Batch struct {
	Spans   []*Span
	Logs    []*Log
	Points  []*Point
	Changes []*Change
}

// Len is the number of items of all kinds.
func (b Batch) Len() int { return len(b.Spans) + len(b.Logs) + len(b.Points) + len(b.Changes) }

// A Window is the span of time that is analysed together: Start is in it, End
// is not.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Contains reports whether t is in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End) }

// Duration is the length of the window.
func (w Window) Duration() time.Duration { return w.End.Sub(w.Start) }
