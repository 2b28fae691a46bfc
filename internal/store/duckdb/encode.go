package duckdb

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.test/eddy/internal/telemetry"
)

// DuckDB's TIMESTAMP_NS counts nanoseconds from 1970 in 64 bits; the driver
// takes those from 1678 to 2262. The first of them stands for the zero time, so
// that it sorts before all others.
const (
	unknownTime = -9214560000 * int64(time.Second) // 1678-01-01 00:00:00
	firstTime   = unknownTime + 1
	lastTime    = math.MaxInt64 - 1
)

// nanos returns t as nanoseconds since 1970, or the nearest that can be kept.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return unknownTime
	case t.Unix() < unknownTime/int64(time.Second):
		return firstTime
	case t.Unix() >= lastTime/int64(time.Second):
		return lastTime
	}
	return max(t.UnixNano(), firstTime)
}

// timeOf undoes nanos, for a time as the driver returns it.
func timeOf(t time.Time) time.Time {
	if t.UnixNano() == unknownTime {
		return time.Time{}
	}
	return t.UTC()
}

// text returns s with U+FFFD for what is not UTF-8, which DuckDB refuses.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// appendString writes s as a JSON string. It differs from encoding/json in
// that it does not allocate and escapes only what it must.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[done:i]...)
		switch {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, "\uFFFD"...)
		}
		i += size
		done = i
	}
	return append(append(b, s[done:]...), '"')
}

// appendAttributes writes a as a JSON object.
func appendAttributes(b []byte, a telemetry.Attributes) []byte {
	if !distinct(a) {
		list := slices.Clone(a)
		for i := range list {
			list[i].Key = text(list[i].Key)
		}
		a = telemetry.NewAttributes(list)
	}
	b = append(b, '{')
	for i, x := range a {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, x.Key), ':')
		b = appendString(b, x.Value)
	}
	return append(b, '}')
}

// distinct reports whether no two keys of a are, or would become, the same;
// DuckDB refuses a map in which they are.
func distinct(a telemetry.Attributes) bool {
	for i := range a {
		if i > 0 && a[i-1].Key >= a[i].Key || !utf8.ValidString(a[i].Key) {
			return false
		}
	}
	return true
}

func parseAttributes(s string) (telemetry.Attributes, error) {
	if s == "{}" || s == "" {
		return nil, nil
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	list := make([]telemetry.Attribute, 0, len(m))
	for k, v := range m {
		list = append(list, telemetry.Attribute{Key: k, Value: v})
	}
	return telemetry.NewAttributes(list), nil
}

func appendEvents(b []byte, events []telemetry.Event) []byte {
	b = append(b, '[')
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"time_ns":`...), nanos(e.Time), 10)
		b = appendString(append(b, `,"name":`...), e.Name)
		b = appendAttributes(append(b, `,"attributes":`...), e.Attributes)
		b = append(b, '}')
	}
	return append(b, ']')
}

func parseEvents(s string) ([]telemetry.Event, error) {
	var list []struct {
		Time       int64           `json:"time_ns"`
		Name       string          `json:"name"`
		Attributes json.RawMessage `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(s), &list); err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	events := make([]telemetry.Event, len(list))
	for i, e := range list {
		attributes, err := parseAttributes(string(e.Attributes))
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		events[i] = telemetry.Event{Time: timeOf(time.Unix(0, e.Time)), Name: e.Name, Attributes: attributes}
	}
	return events, nil
}

func appendLinks(b []byte, links []telemetry.Link) []byte {
	b = append(b, '[')
	for i, l := range links {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"trace_id":`...), l.Trace.String())
		b = appendString(append(b, `,"span_id":`...), l.Span.String())
		b = appendAttributes(append(b, `,"attributes":`...), l.Attributes)
		b = append(b, '}')
	}
	return append(b, ']')
}

func parseLinks(s string) ([]telemetry.Link, error) {
	var list []struct {
		Trace      telemetry.TraceID `json:"trace_id"`
		Span       telemetry.SpanID  `json:"span_id"`
		Attributes json.RawMessage   `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(s), &list); err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	links := make([]telemetry.Link, len(list))
	for i, l := range list {
		attributes, err := parseAttributes(string(l.Attributes))
		if err != nil {
			return nil, fmt.Errorf("link %d: %w", i, err)
		}
		links[i] = telemetry.Link{Trace: l.Trace, Span: l.Span, Attributes: attributes}
	}
	return links, nil
}
