package duckdb

// These tests stand inside the package: what they test is how values are
// written for DuckDB, which no question to the store shows by itself.

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"example.test/eddy/internal/telemetry"
)

func FuzzAppendStringIsReadAsItWas(f *testing.F) {
	for _, s := range []string{"", "a", "\x00", "\"\\", "\x1f\x7f", "é☃🌀", "\uFFFD", "\xff", "a\xc3", "\xed\xa0\x80", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("%q became %q: %v", s, appendString(nil, s), err)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("%q came back as %q", s, got)
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q came back as %q, which is not UTF-8", s, got)
		}
	})
}

func FuzzParseAttributesDoesNotPanic(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":"b"}`, `{"a":1}`, `[`, `{"a":"b","a":"c"}`, "null"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAttributes(s)
		if err == nil && !distinct(a) {
			t.Errorf("%q gave attributes that are not sorted: %q", s, a)
		}
		_, _ = parseEvents(s)
		_, _ = parseLinks(s)
	})
}

func TestEventsAndLinksAreReadAsTheyWere(t *testing.T) {
	attributes := rapid.Custom(func(t *rapid.T) telemetry.Attributes {
		var list []telemetry.Attribute
		for k, v := range rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "attributes") {
			list = append(list, telemetry.Attribute{Key: k, Value: v})
		}
		return telemetry.NewAttributes(list)
	})
	rapid.Check(t, func(t *rapid.T) {
		var events []telemetry.Event
		var links []telemetry.Link
		for range rapid.IntRange(0, 4).Draw(t, "count") {
			events = append(events, telemetry.Event{
				Time: time.Unix(0, rapid.Int64().Draw(t, "time")).UTC(),
				Name: rapid.String().Draw(t, "name"), Attributes: attributes.Draw(t, "of event"),
			})
			links = append(links, telemetry.Link{
				Trace:      telemetry.TraceID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace")),
				Span:       telemetry.SpanID(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "span")),
				Attributes: attributes.Draw(t, "of link"),
			})
		}
		gotEvents, err := parseEvents(string(appendEvents(nil, events)))
		near := cmp.Comparer(func(a, b time.Time) bool { return nanos(a) == nanos(b) })
		if d := cmp.Diff(events, gotEvents, near, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Fatalf("events: %v\n%s", err, d)
		}
		gotLinks, err := parseLinks(string(appendLinks(nil, links)))
		if d := cmp.Diff(links, gotLinks, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Fatalf("links: %v\n%s", err, d)
		}
	})
}

func TestNanosKeepsTheOrderOfTimes(t *testing.T) {
	times := []time.Time{
		{},
		time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1678, 1, 1, 0, 0, 0, 1, time.UTC),
		time.Unix(0, -1), time.Unix(0, 0), time.Unix(0, 1), time.Date(2261, 12, 31, 0, 0, 0, 999999999, time.UTC),
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64/2, 0),
	}
	for i, at := range times {
		if i > 0 && nanos(times[i-1]) > nanos(at) {
			t.Errorf("nanos(%v) = %d, after %d of an earlier time", at, nanos(at), nanos(times[i-1]))
		}
		back := timeOf(time.Unix(0, nanos(at)))
		if inside := at.IsZero() || at.Year() >= 1678 && at.Year() <= 2261; inside && !back.Equal(at) {
			t.Errorf("%v came back as %v", at, back)
		}
	}
}

func TestRunsCoverTheirTimesAndLittleElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOf(rapid.OneOf(rapid.Int64Range(0, 1e12), rapid.Int64Range(unknownTime, lastTime))).Draw(t, "times")
		slack := rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "slack")
		runs := runsOf(append([]int64(nil), times...), slack)
		if len(runs) > maxRuns || len(times) > 0 && len(runs) == 0 {
			t.Fatalf("%d runs for %d times", len(runs), len(times))
		}
		for _, x := range times {
			in := 0
			for _, r := range runs {
				if r.first <= x && x <= r.last {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("%d is in %d of the runs %v, want 1", x, in, runs)
			}
		}
	})
	apart := runsOf([]int64{0, 1e9, 4e18, 2e9}, 0)
	if want := []run{{0, 2e9}, {4e18, 4e18}}; !cmp.Equal(apart, want, cmp.AllowUnexported(run{})) {
		t.Errorf("runs = %v, want %v: what lies between is not to be read", apart, want)
	}
}
