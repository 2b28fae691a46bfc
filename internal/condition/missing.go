package condition

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

// A gap is one thing that is missing, and how much it weighs: about the share
// of all requests whose explanation it may hide. Where several services lack
// the same, together says so of all of them, and of is the one it is about.
type gap struct {
	weight       float64
	text         string
	of, together string
}

// enough is how much of something must have been seen before its absence means
// anything.
const enough = 20

// Missing says, in sentences, what the telemetry does not say, what that hides,
// and what to do about it; what hides most comes first. It is empty when there
// is nothing to say, or nothing came.
func (c *Coverage) Missing() []string {
	t := c.sum()
	if t.requests == 0 {
		return t.silence()
	}
	var gaps []gap
	for _, name := range slices.Sorted(maps.Keys(t.services)) {
		gaps = append(gaps, t.ofService(t.services[name])...)
	}
	gaps = append(gaps, t.ofAll()...)
	slices.SortStableFunc(gaps, func(a, b gap) int { return cmp.Compare(b.weight, a.weight) })
	return sentences(gaps)
}

// severalAlike is how many services must lack the same for one sentence to
// name them together.
const severalAlike = 3

// sentences writes the gaps in their order, those that are alike as one, in the
// place of the first.
func sentences(gaps []gap) []string {
	alike := make(map[string][]string)
	for _, g := range gaps {
		if g.together != "" {
			alike[g.together] = append(alike[g.together], g.of)
		}
	}
	var out []string
	for _, g := range gaps {
		services := alike[g.together]
		switch {
		case len(services) < severalAlike:
			out = append(out, g.text)
		case services[0] == g.of:
			out = append(out, fmt.Sprintf(g.together, someOf(services)))
		}
	}
	return out
}

// someOf names up to five services and counts the rest.
func someOf(services []string) string {
	const most = 5
	if n := len(services); n > most {
		return fmt.Sprintf("%s and %d more services", strings.Join(services[:most-1], ", "), n-most+1)
	}
	last := len(services) - 1
	return strings.Join(services[:last], ", ") + " and " + services[last]
}

// silence says what came instead of requests.
func (t *tally) silence() []string {
	logs := 0
	for _, s := range t.services {
		logs += s.Logs
	}
	if logs == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s came and no requests: send traces too (OTEL_TRACES_EXPORTER=otlp)", wording.Plural(logs, "log record"))}
}

// ofService lists the gaps of one service.
func (t *tally) ofService(s *ServiceCoverage) []gap {
	var gaps []gap
	// A service weighs what its part in the requests is.
	part := min(1, float64(s.Spans)/float64(t.requests))
	say := func(weight float64, format string, args ...any) {
		gaps = append(gaps, gap{weight: weight, text: fmt.Sprintf(format, args...)})
	}
	together := func(text string) {
		gaps[len(gaps)-1].of, gaps[len(gaps)-1].together = s.Service, text
	}
	if share := missingShare(s.WithVersion, s.Spans); share > 0 {
		say(part*share, "%s reports no service.version on %s of its %s, so its deploys cannot be told apart: set OTEL_RESOURCE_ATTRIBUTES=service.version=...",
			s.Service, wording.Percent(share), wording.Plural(s.Spans, "span"))
		together("%s report no service.version on many or all of their spans, so their deploys cannot be told apart: set OTEL_RESOURCE_ATTRIBUTES=service.version=...")
	}
	if share := missingShare(s.WithInstance, s.Spans); share > 0 {
		say(0.5*part*share, "%s reports no instance on %s of its %s, so one sick instance cannot be told from the others: set service.instance.id, or k8s.pod.name",
			s.Service, wording.Percent(share), wording.Plural(s.Spans, "span"))
		together("%s report no instance on many or all of their spans, so one sick instance cannot be told from the others: set service.instance.id, or k8s.pod.name")
	}
	if share := missingShare(s.WithTrace, s.Logs); share > 0.5 {
		say(0.1*part*share, "%s of the %s of %s carry no trace id, so they cannot be read with their request: log with the context of the span",
			wording.Percent(share), wording.Plural(s.Logs, "log record"), s.Service)
		together("most log records of %s carry no trace id, so they cannot be read with their request: log with the context of the span")
	}
	if n := s.BrokenParents; n > 0 && s.Spans >= enough {
		share := float64(n) / float64(s.Spans)
		say(part*share, "%s (%s) of %s name a parent that never came: whoever calls it loses spans, or does not pass traceparent on",
			wording.Plural(n, "span"), wording.Percent(share), s.Service)
	}
	if s.BrokenRoots > 0 {
		share := float64(s.BrokenRoots) / float64(t.requests)
		say(share, "%s at %s began elsewhere, and that span never came: what called it sends no spans, or they are lost",
			wording.Plural(s.BrokenRoots, "request"), s.Service)
	}
	if s.DroppedSpans > 0 {
		share := min(1, float64(s.DroppedSpans)/float64(s.DroppedSpans+s.Spans))
		say(max(part, 0.1)*share, "%s says that it dropped %s: give its exporter a larger queue, or sample",
			s.Service, wording.Plural(s.DroppedSpans, "span"))
	}
	if s.DroppedItems > 0 {
		say(0.2*part*min(1, float64(s.DroppedItems)/float64(max(1, s.Spans))), "%s left %s attributes, events or links out of its spans: raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, or put less on a span",
			s.Service, wording.Count(s.DroppedItems))
	}
	if s.Truncated > 0 {
		share := float64(s.Truncated) / float64(t.requests)
		say(share, "%s at %s had more spans than are kept, and were cut", wording.Plural(s.Truncated, "request"), s.Service)
	}
	if s.Skewed > 0 {
		share := float64(s.Skewed) / float64(t.requests)
		say(0.2*share, "%s at %s hold spans that begin before their parent or end long after it: the clocks of their hosts disagree",
			wording.Plural(s.Skewed, "request"), s.Service)
	}
	return append(gaps, t.silent(s)...)
}

// silent lists the targets of a service that answer no call with a span. One
// that sends spans otherwise is told apart from one that never does.
func (t *tally) silent(s *ServiceCoverage) []gap {
	var gaps []gap
	for _, target := range slices.Sorted(maps.Keys(s.Silent)) {
		n := s.Silent[target]
		share := min(1, float64(n)/float64(t.requests))
		why := fmt.Sprintf("%s sends no spans at all: instrument it, or take what happens in it as unknown", target)
		if o := t.services[target]; o != nil && o.Spans > 0 {
			why = fmt.Sprintf("%s sends spans, but not for these calls: they did not arrive, or %s does not read traceparent", target, target)
		}
		gaps = append(gaps, gap{weight: share, text: fmt.Sprintf("%s of %s to %s (%s of all requests) have no server span: %s",
			wording.Plural(n, "call"), s.Service, target, wording.Percent(share), why)})
	}
	return gaps
}

// ofAll lists what nobody sends.
func (t *tally) ofAll() []gap {
	var gaps []gap
	reported := 0
	for _, n := range t.changes {
		reported += n
	}
	inferred := 0
	for _, n := range t.inferred {
		inferred += n
	}
	switch {
	case reported == 0 && inferred == 0:
		gaps = append(gaps, gap{weight: 0.3, text: "no change was reported in this time: if something was deployed, configured, flagged or scheduled, nothing here can name it; send changes to POST /api/v1/changes"})
	case reported == 0:
		gaps = append(gaps, gap{weight: 0.3, text: fmt.Sprintf("%s found out from spans and none was reported: send deploys to POST /api/v1/changes, and with them the config, flags and jobs that spans do not show", was(inferred, "deploy"))})
	case t.changes[telemetry.ChangeConfig]+t.changes[telemetry.ChangeSchedule]+t.changes[telemetry.ChangePolicy] == 0:
		gaps = append(gaps, gap{weight: 0.05, text: "no config change, scheduled job or policy was reported in this time: if there were any, nothing here can name them"})
	}
	switch {
	case t.flags == 0 && t.changes[telemetry.ChangeFlag] == 0:
		gaps = append(gaps, gap{weight: 0.15, text: "no feature flag was seen, on spans, in logs or as a change: if flags are in use, add the OpenTelemetry hook of OpenFeature"})
	case t.unjoined > 0 && 2*t.unjoined > t.flags:
		gaps = append(gaps, gap{weight: 0.15, text: fmt.Sprintf("%s came without a trace id and can be given to no request: evaluate flags within the context of the span", wording.Plural(t.unjoined, "flag evaluation"))})
	}
	return gaps
}

// missingShare is the share of n that lacks something that with have, and 0
// where hardly any do or hardly any were seen.
func missingShare(with, n int) float64 {
	if n < enough || with >= n {
		return 0
	}
	share := float64(n-with) / float64(n)
	if share < 0.01 {
		return 0
	}
	return share
}

// was writes "1 deploy was", "3 deploys were".
func was(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return wording.Plural(n, noun) + " were"
}
