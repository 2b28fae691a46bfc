package eddytest_test

import (
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/telemetry"
)

const sample = `
resource cart service.version=2.4.0
cart POST /buy 900ms http.route=/buy as=buy   # the entry
  cart "call pay" 300ms client
    pay charge 250ms +10ms error
  pay charge 300ms error=timeout retry=1 note="two words"
  pay audit 5ms lost
    pay write 1ms flag:fast=on
trace 2
at 30s
mail send 40ms consumer link=buy after=45s dropped=2
`

func TestTracesAreReadAsTheyAreSaid(t *testing.T) {
	arrivals, err := eddytest.ParseArrivals(sample)
	if err != nil {
		t.Fatal(err)
	}
	if len(arrivals) != 6 {
		t.Fatalf("%d spans, want 6: the lost one never came", len(arrivals))
	}
	at := func(i int) *telemetry.Span { return arrivals[i].Span }
	start := eddytest.Start()

	if s := at(0); s.Kind != telemetry.KindServer || s.Name != "POST /buy" || s.Resource.Version != "2.4.0" || s.Duration() != 900*time.Millisecond {
		t.Errorf("entry = %+v", s)
	}
	if s := at(1); s.Name != "call pay" || s.Kind != telemetry.KindClient || s.Parent != at(0).ID {
		t.Errorf("client = %+v", s)
	}
	if s := at(2); s.Status != telemetry.StatusError || !s.Start.Equal(start.Add(10*time.Millisecond)) {
		t.Errorf("shifted child = %+v", s)
	}
	s := at(3)
	if v, _ := s.Attributes.Get("error.type"); v != "timeout" || !s.Start.Equal(start.Add(300*time.Millisecond)) {
		t.Errorf("second sibling = %+v, want it to begin where the first ended", s)
	}
	if v, _ := s.Attributes.Get("note"); v != "two words" {
		t.Errorf("note = %q, want both words", v)
	}
	if s := at(4); s.Name != "write" || s.Parent == at(0).ID || len(s.Events) != 1 {
		t.Errorf("child of a lost span = %+v", s)
	}
	last := arrivals[5]
	if last.After != 45*time.Second || last.Span.Dropped != 2 || last.Span.Links[0].Span != at(0).ID || last.Span.Trace == at(0).Trace {
		t.Errorf("consumer = %+v after %v", last.Span, last.After)
	}
}

func TestMistakesInTracesNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"cart buy":                     "line 1: span of cart: want SERVICE NAME DURATION",
		"cart buy 1s\n    pay x 1s":    "line 2: indent of 4 spaces",
		"cart buy 1s\n\ncart b 1s odd": `line 3: span cart b: word "odd"`,
		"cart buy 1s link=x":           `link to "x": no span above is called so`,
		"cart buy 1s \"x":              "quote is not closed",
		"resource":                     "want resource SERVICE",
		"at soon":                      "invalid duration",
		"trace":                        "want trace NAME",
	} {
		if _, err := eddytest.ParseTrace(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTrace(%q) = %v, want an error with %q", text, err, want)
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add(sample)
	f.Add("a b 1s\n  c d 1s +1ms client\n    e f 1s lost\n  g h 2s -3s")
	f.Add("at -5s\nresource x k=v\nx y z 0s error=a \"b c\"=d")
	f.Fuzz(func(t *testing.T, text string) {
		spans, err := eddytest.ParseTrace(text)
		if err != nil {
			return
		}
		seen := make(map[telemetry.SpanID]bool)
		for _, s := range spans {
			if s.Resource == nil || s.ID.IsZero() || s.Trace.IsZero() || s.End.Before(s.Start) || seen[s.ID] {
				t.Fatalf("span %+v of %q is not whole", s, text)
			}
			seen[s.ID] = true
		}
	})
}
