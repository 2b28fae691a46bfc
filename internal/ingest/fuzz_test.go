package ingest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

func FuzzRedact(f *testing.F) {
	for _, s := range []string{
		"anna@example.com", "Bearer abcdefgh12345678", "4111 1111 1111 1111", "amqp://u:p@h/", "eyJhbGciOi.eyJzdWIi.x", "4-1-1-1-", "%40",
	} {
		f.Add(s)
	}
	rules := newRedactor(RedactConfig{Values: []string{`cust-\d+`}})
	f.Fuzz(func(t *testing.T, s string) {
		var h hits
		got := rules.text(s, &h)
		if (got != s) != (h != hits{}) && !strings.Contains(s, Redacted) {
			t.Errorf("%q became %q with counts %v", s, got, h)
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q became invalid UTF-8: %q", s, got)
		}
		if rules.email.MatchString(got) && !strings.Contains(s, Redacted) && !rules.email.MatchString(strings.ReplaceAll(got, Redacted, " ")) {
			t.Errorf("%q became %q, which an email is made of", s, got)
		}
		rules.secretKey(s)
	})
}

// FuzzTraces checks that no request that decodes harms the border, and that a
// walk over what a walk left gives the same: a restart depends on it.
func FuzzTraces(f *testing.F) {
	td := ptrace.NewTraces()
	s := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID([16]byte{1})
	s.SetSpanID([8]byte{1})
	s.SetStartTimestamp(1_772_373_780_000_000_000)
	s.SetEndTimestamp(1_772_373_780_000_000_001)
	s.Attributes().PutStr("mail", "anna@example.com")
	s.Attributes().PutEmptyMap("m").PutEmptySlice("l").AppendEmpty().SetInt(4111111111111111)
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	m, err := newMetrics(nil)
	if err != nil {
		f.Fatal(err)
	}
	b := newBorder(Config{}.withDefaults().Bounds, newRedactor(RedactConfig{}), m)
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkNesting(data) != nil {
			return
		}
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil {
			return
		}
		at := fromNano(1_772_373_790_000_000_000)
		w := b.begin(at)
		first := w.traces(td)
		w.end()
		again, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		if err != nil {
			t.Fatalf("MarshalTraces: %v", err)
		}
		if td, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(again); err != nil {
			t.Fatalf("UnmarshalTraces of what was journaled: %v", err)
		}
		w = b.begin(at)
		second := w.traces(td)
		w.end()
		if len(first) != len(second) || w.rejected != [reasonCount]int{} {
			t.Fatalf("%d spans, then %d, rejected %v", len(first), len(second), w.rejected)
		}
		for i := range first {
			if first[i].Name != second[i].Name || first[i].Dropped != second[i].Dropped || !sameAttributes(first[i].Attributes, second[i].Attributes) {
				t.Errorf("span %d: %+v, then %+v", i, first[i], second[i])
			}
			for _, a := range first[i].Attributes {
				if !utf8.ValidString(a.Key) || !utf8.ValidString(a.Value) || len(a.Value) > 4<<10 {
					t.Errorf("attribute %q = %q", a.Key, a.Value)
				}
			}
		}
	})
}
