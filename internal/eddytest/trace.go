package eddytest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/internal/telemetry"
)

// Start is when traces written by hand begin.
func Start() time.Time { return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) }

// An Arrival is a span and when it came, counted from Start.
type Arrival struct {
	After time.Duration
	Span  *telemetry.Span
}

// ParseTrace reads traces written by hand and returns their spans in the order
// in which they are written:
//
//	resource cart service.version=2.4.0 service.instance.id=cart-1
//	cart POST /buy 900ms http.request.method=POST http.route=/buy
//	  pay charge 300ms error
//	  pay charge 300ms client error=timeout retry=1 +400ms
//
// A line is a span: its service, its name, its duration, and words. Two spaces
// more than the line above make it that span's child. A span begins where its
// elder sibling ended, or else with its parent. It is a server span if its
// service is not its parent's, else an internal one. The words are
//
//	client server producer consumer internal unspecified   the kind
//	error, error=TYPE, ok   the status; TYPE is also the attribute error.type
//	+50ms, -5ms             the start, from the parent's start
//	lost                    the span is not returned: it never came
//	as=NAME, link=NAME      names the span; links to a named one of any line above
//	flag:KEY=VARIANT        a span event that evaluates a feature flag
//	retry=N                 http.request.resend_count
//	dropped=N               what the emitter left out
//	after=3s                when it came (ParseArrivals); else when it ended
//	KEY=VALUE, KEY="A B"    an attribute
//
// The other lines are "trace NAME", which begins another trace, "resource
// SERVICE KEY=VALUE...", which says who emits later spans of the service, "at
// 30s", which moves the start of later roots, comments from #, and empty ones.
func ParseTrace(text string) ([]*telemetry.Span, error) {
	arrivals, err := ParseArrivals(text)
	if err != nil {
		return nil, err
	}
	spans := make([]*telemetry.Span, len(arrivals))
	for i, a := range arrivals {
		spans[i] = a.Span
	}
	return spans, nil
}

// ParseArrivals reads what ParseTrace does, and says when each span came. The
// arrivals are in the order in which they are written.
func ParseArrivals(text string) ([]Arrival, error) {
	p := parser{
		trace:     "1",
		resources: make(map[string]*telemetry.Resource),
		named:     make(map[string]telemetry.Link),
	}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("trace line %d: %w", i+1, err)
		}
	}
	return p.out, nil
}

type parser struct {
	trace     string
	at        time.Duration
	resources map[string]*telemetry.Resource
	named     map[string]telemetry.Link
	open      []*telemetry.Span // the last span and those above it
	cursor    []time.Time       // where the next child of each begins
	count     uint64
	out       []Arrival
}

func (p *parser) line(line string) error {
	words, err := split(line)
	if err != nil || len(words) == 0 {
		return err
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if indent == 0 {
		switch words[0] {
		case "trace":
			if len(words) != 2 {
				return fmt.Errorf("%q: want trace NAME", line)
			}
			p.trace, p.open, p.cursor = words[1], nil, nil
			return nil
		case "resource":
			return p.resource(words[1:])
		case "at":
			if len(words) != 2 {
				return fmt.Errorf("%q: want at DURATION", line)
			}
			p.at, err = time.ParseDuration(words[1])
			return err
		}
	}
	if indent%2 != 0 || indent/2 > len(p.open) {
		return fmt.Errorf("indent of %d spaces: want two more than the parent, which is on a line above", indent)
	}
	return p.span(indent/2, words)
}

func (p *parser) resource(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("resource: want resource SERVICE KEY=VALUE")
	}
	values := map[string]string{"service.name": words[0]}
	for _, w := range words[1:] {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return fmt.Errorf("resource attribute %q: want KEY=VALUE", w)
		}
		values[k] = v
	}
	p.resources[words[0]] = Resource(values)
	return nil
}

// Resource returns a resource with the attributes, and with the fields that
// follow from them.
func Resource(values map[string]string) *telemetry.Resource {
	var list []telemetry.Attribute
	for _, k := range slices.Sorted(maps.Keys(values)) {
		list = append(list, telemetry.Attribute{Key: k, Value: values[k]})
	}
	return &telemetry.Resource{
		Service:     cmp.Or(values["service.name"], "unknown_service"),
		Namespace:   values["service.namespace"],
		Version:     values["service.version"],
		Instance:    cmp.Or(values["service.instance.id"], values["k8s.pod.name"], values["host.name"]),
		Environment: values["deployment.environment.name"],
		Attributes:  telemetry.NewAttributes(list),
	}
}

func (p *parser) span(depth int, words []string) error {
	service, words := words[0], words[1:]
	at := slices.IndexFunc(words, func(w string) bool {
		_, err := time.ParseDuration(w)
		return err == nil && w[0] != '+' && w[0] != '-'
	})
	if at < 1 {
		return fmt.Errorf("span of %s: want SERVICE NAME DURATION, as in: cart POST /buy 900ms", service)
	}
	duration, err := time.ParseDuration(words[at])
	if err != nil || duration > 24*time.Hour {
		return fmt.Errorf("duration %q: want at most 24h", words[at])
	}
	p.open, p.cursor = p.open[:depth], p.cursor[:min(depth+1, len(p.cursor))]
	s := p.begin(depth, service, strings.Join(words[:at], " "))
	w, err := p.words(s, words[at+1:])
	if err != nil {
		return fmt.Errorf("span %s %s: %w", service, s.Name, err)
	}
	s.Start = s.Start.Add(w.shift)
	s.End = s.Start.Add(duration)
	if w.shifted && depth > 0 {
		s.Start = p.open[depth-1].Start.Add(w.shift)
		s.End = s.Start.Add(duration)
	}
	for i := range s.Events {
		s.Events[i].Time = s.Start
	}
	if depth < len(p.cursor) {
		p.cursor[depth] = s.End
	}
	p.open, p.cursor = append(p.open, s), append(p.cursor[:depth+1], s.Start)
	if !w.lost {
		p.out = append(p.out, Arrival{After: cmp.Or(w.after, s.End.Sub(Start())), Span: s})
	}
	return nil
}

// begin makes a span with all that follows from its place.
func (p *parser) begin(depth int, service, name string) *telemetry.Span {
	if p.resources[service] == nil {
		p.resources[service] = Resource(map[string]string{"service.name": service})
	}
	p.count++
	s := &telemetry.Span{
		Trace:    TraceID(p.trace),
		Name:     name,
		Kind:     telemetry.KindServer,
		Start:    Start().Add(p.at),
		Resource: p.resources[service],
	}
	binary.BigEndian.PutUint64(s.ID[:], p.count)
	if depth == 0 {
		p.cursor = []time.Time{s.Start}
		return s
	}
	parent := p.open[depth-1]
	s.Parent, s.Start = parent.ID, p.cursor[depth]
	if parent.Resource.Service == service {
		s.Kind = telemetry.KindInternal
	}
	return s
}

// TraceID is the id of the trace that is called name.
func TraceID(name string) telemetry.TraceID {
	h := fnv.New128a()
	_, _ = h.Write([]byte(name)) // a hash does not fail
	return telemetry.TraceID(h.Sum(nil))
}

// said is what the words of a line say that is not in the span.
type said struct {
	shift, after  time.Duration
	shifted, lost bool
}

func (p *parser) words(s *telemetry.Span, words []string) (said, error) {
	var out said
	var list []telemetry.Attribute
	for _, w := range words {
		key, value, pair := strings.Cut(w, "=")
		switch {
		case !pair:
			if err := p.bareWord(s, w, &out); err != nil {
				return out, err
			}
			continue
		case key == "":
			return out, fmt.Errorf("word %q: want KEY=VALUE", w)
		case key == "as":
			p.named[value] = telemetry.Link{Trace: s.Trace, Span: s.ID}
			continue
		case key == "link":
			l, ok := p.named[value]
			if !ok {
				return out, fmt.Errorf("link to %q: no span above is called so (as=%s)", value, value)
			}
			s.Links = append(s.Links, l)
			continue
		case key == "after":
			d, err := time.ParseDuration(value)
			if err != nil {
				return out, fmt.Errorf("after: %w", err)
			}
			out.after = d
			continue
		case key == "dropped":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return out, fmt.Errorf("dropped: %w", err)
			}
			s.Dropped = uint32(n)
			continue
		case key == "error":
			s.Status, key = telemetry.StatusError, "error.type"
		case key == "retry":
			key = "http.request.resend_count"
		case strings.HasPrefix(key, "flag:"):
			s.Events = append(s.Events, telemetry.Event{Name: "feature_flag", Attributes: telemetry.NewAttributes([]telemetry.Attribute{
				{Key: "feature_flag.key", Value: strings.TrimPrefix(key, "flag:")},
				{Key: "feature_flag.variant", Value: value},
			})})
			continue
		}
		list = append(list, telemetry.Attribute{Key: key, Value: value})
	}
	s.Attributes = telemetry.NewAttributes(list)
	return out, nil
}

// bareWord reads a word that is no pair.
func (p *parser) bareWord(s *telemetry.Span, w string, out *said) error {
	for k := telemetry.KindUnspecified; k <= telemetry.KindConsumer; k++ {
		if k.String() == w {
			s.Kind = k
			return nil
		}
	}
	switch {
	case w == "error":
		s.Status = telemetry.StatusError
	case w == "ok":
		s.Status = telemetry.StatusOK
	case w == "lost":
		out.lost = true
	case strings.HasPrefix(w, "+") || strings.HasPrefix(w, "-"):
		d, err := time.ParseDuration(w)
		if err != nil || d.Abs() > 24*time.Hour {
			return fmt.Errorf("start %q: want a duration of at most 24h, as in +50ms", w)
		}
		out.shift, out.shifted = d, true
	default:
		return fmt.Errorf("word %q: want a kind, error, ok, lost, a start (+50ms) or KEY=VALUE", w)
	}
	return nil
}

// split cuts a line into words at spaces. A part in double quotes keeps its
// spaces. What follows # is left out.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, some := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, some = !quoted, true
		case r == '#' && !quoted && !some:
			return words, nil
		case r == ' ' && !quoted:
			if some {
				words = append(words, word.String())
			}
			word.Reset()
			some = false
		default:
			word.WriteRune(r)
			some = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("quote is not closed")
	}
	if some {
		words = append(words, word.String())
	}
	return words, nil
}
