package request

import (
	"fmt"
	"strings"
	"time"
)

// A Config says how requests are assembled. The zero value of a field means
// its default.
type Config struct {
	// Quiet is how long no span of a trace must have come before it is taken to
	// be complete. Default 5 s: SDKs export every 1 to 5 s.
	Quiet time.Duration `yaml:"quiet"`
	// MaxAge is how long after its first span a trace is released even if spans
	// still come or its root has not. Default 60 s.
	MaxAge time.Duration `yaml:"max_age"`
	// Recent is how long a released trace is remembered, so that late spans are
	// known as such, and a consumer finds its producer. Default 5 min.
	Recent time.Duration `yaml:"recent"`
	// MaxSpansPerTrace is how many spans of one trace are kept. Default 10,000.
	MaxSpansPerTrace int `yaml:"max_spans_per_trace"`
	// MaxTraces is how many traces may be open, and how many released ones are
	// remembered. Default 100,000.
	MaxTraces int `yaml:"max_traces"`
	// MaxSpans is how many spans are held, remembered producers' included.
	// Default 1,000,000.
	MaxSpans int `yaml:"max_spans"`
	// Objectives say when an answer is slow. The first whose pattern matches an
	// entry holds; entries without one are held to what is usual for them (Usual).
	Objectives []Objective `yaml:"objectives"`
	// Usual says how the usual latency is learned.
	Usual Usual `yaml:"usual"`
}

// An Objective is the latency that an entry must keep.
type Objective struct {
	// Entry is a pattern over "service operation" in which * stands for any
	// text: "gateway POST /checkout", "gateway *", "*".
	Entry string `yaml:"entry"`
	// Latency is the longest duration that is not slow.
	Latency time.Duration `yaml:"latency"`
}

// Usual says how an entry without an objective learns what latency is usual.
// A request is slow when it takes longer than Tolerance times the Quantile of
// the entry's past, and longer than Floor.
type Usual struct {
	// Off turns learning off: without an objective nothing is slow.
	Off bool `yaml:"off"`
	// Quantile of past durations. Default 0.99.
	Quantile float64 `yaml:"quantile"`
	// Tolerance is the factor above it. Default 2: latencies are near
	// log-normal, and with the usual spread (sigma 0.5 to 1) twice the 99th
	// percentile is passed by 1 in 10,000 to 1 in 800 requests of a healthy
	// entry, few enough to stand out against when something is wrong.
	Tolerance float64 `yaml:"tolerance"`
	// Floor is a latency that is never slow, since no person notices. Default
	// 50 ms.
	Floor time.Duration `yaml:"floor"`
	// MinSamples is how many durations must be known first. Default 200.
	MinSamples int `yaml:"min_samples"`
	// MaxEntries is how many entries are learned; others never are slow.
	// Default 1,000.
	MaxEntries int `yaml:"max_entries"`
}

// Validate reports the first field that has no meaning.
func (c Config) Validate() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"quiet", int64(c.Quiet)},
		{"max age", int64(c.MaxAge)},
		{"recent", int64(c.Recent)},
		{"max spans per trace", int64(c.MaxSpansPerTrace)},
		{"max traces", int64(c.MaxTraces)},
		{"max spans", int64(c.MaxSpans)},
		{"usual floor", int64(c.Usual.Floor)},
		{"usual min samples", int64(c.Usual.MinSamples)},
		{"usual max entries", int64(c.Usual.MaxEntries)},
	} {
		if f.value < 0 {
			return fmt.Errorf("request config: %s is %d: want 0 for the default, or more", f.name, f.value)
		}
	}
	if q := c.Usual.Quantile; q != 0 && !(q > 0 && q < 1) {
		return fmt.Errorf("request config: usual quantile is %v: want more than 0 and less than 1", q)
	}
	if t := c.Usual.Tolerance; t != 0 && !(t >= 1 && t <= 1000) {
		return fmt.Errorf("request config: usual tolerance is %v: want 1 to 1000", t)
	}
	full := c.withDefaults()
	if full.MaxAge < full.Quiet {
		return fmt.Errorf("request config: max age %v is shorter than quiet %v", full.MaxAge, full.Quiet)
	}
	for i, o := range c.Objectives {
		if strings.TrimSpace(o.Entry) == "" {
			return fmt.Errorf("request config: objective %d names no entry: write \"service operation\", with * for any text", i+1)
		}
		if o.Latency <= 0 {
			return fmt.Errorf("request config: objective %d (%s) has latency %v: want more than 0", i+1, o.Entry, o.Latency)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Quiet = or(c.Quiet, 5*time.Second)
	c.MaxAge = or(c.MaxAge, 60*time.Second)
	c.Recent = or(c.Recent, 5*time.Minute)
	c.MaxSpansPerTrace = or(c.MaxSpansPerTrace, 10_000)
	c.MaxTraces = or(c.MaxTraces, 100_000)
	c.MaxSpans = or(c.MaxSpans, 1_000_000)
	c.Usual.Quantile = or(c.Usual.Quantile, 0.99)
	c.Usual.Tolerance = or(c.Usual.Tolerance, 2)
	c.Usual.Floor = or(c.Usual.Floor, 50*time.Millisecond)
	c.Usual.MinSamples = or(c.Usual.MinSamples, 200)
	c.Usual.MaxEntries = or(c.Usual.MaxEntries, 1_000)
	return c
}

// or returns value, or fallback where value is not positive.
func or[T int | float64 | time.Duration](value, fallback T) T {
	if value > 0 {
		return value
	}
	return fallback
}

// matches reports whether text is what pattern says, where * is any text.
func matches(pattern, text string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], next
	}
}
