package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Source makes up telemetry and the results of steps: the same for the same
// seed, with repetitions of what it made up before. It is not safe for
// concurrent use.
type Source struct {
	rng        *rand.Rand
	base       time.Time
	dictionary *condition.Dictionary
	sent       []*telemetry.Span
	reported   []*telemetry.Change
	now        int // steps so far
}

// The numbers of different things that a source talks about. They are small,
// so that things meet.
const (
	traces    = 20
	requests  = 60
	incidents = 8
	entries   = 4
)

// NewSource returns a source for a seed.
func NewSource(seed uint64) *Source {
	return &Source{
		rng:        rand.New(rand.NewPCG(seed, 7)),
		base:       time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
		dictionary: condition.NewDictionary(0),
	}
}

// Base is the time around which the source makes things up.
func (s *Source) Base() time.Time { return s.base }

// near returns a time up to two hours from the base, to the nanosecond.
func (s *Source) near() time.Time {
	return s.base.Add(time.Duration(s.rng.Int64N(int64(4*time.Hour))) - 2*time.Hour)
}

// moment returns a time that is usually near, and sometimes odd.
func (s *Source) moment() time.Time {
	switch s.rng.IntN(40) {
	case 0:
		return time.Unix(0, 0).UTC()
	case 1:
		return time.Date(2100, 12, 31, 23, 59, 59, 999999999, time.UTC)
	case 2:
		return time.Time{}
	}
	return s.near()
}

func (s *Source) pick(from ...string) string { return from[s.rng.IntN(len(from))] }

// word returns a text that is usually plain, and sometimes hard to keep.
func (s *Source) word() string {
	if s.rng.IntN(6) > 0 {
		return fmt.Sprintf("word %d", s.rng.IntN(50))
	}
	return s.pick("", " ", "\x00", "a\x00b", "\"quoted\" \\ back", "line\nbreak\ttab\r", "ünïcødé ☃ 漢字 🌀",
		"\u2028\u2029\u007f\u0001\u001f", "\uFFFD", "{}", "[1,2]", "null", "'; DROP TABLE spans; --", "$1 ?", strings.Repeat("long ", 3000))
}

func (s *Source) attributes() telemetry.Attributes {
	list := make([]telemetry.Attribute, s.rng.IntN(12))
	for i := range list {
		list[i] = telemetry.Attribute{Key: s.pick("http.route", "db.system.name", "", "a\x00", "\u00e9", "k \" \\") + s.pick("", "1", "2"), Value: s.word()}
	}
	return telemetry.NewAttributes(list)
}

func (s *Source) resource() *telemetry.Resource {
	r := &telemetry.Resource{Service: s.pick("cart", "pricing", "unknown_service"), Version: s.pick("", "2.4.0", "2.4.1")}
	if s.rng.IntN(2) == 0 {
		r.Namespace, r.Instance, r.Environment = s.word(), s.word(), s.word()
		r.Attributes = s.attributes()
	}
	return r
}

// TraceID is the id of trace i, for i from 0; the first is the zero id.
func TraceID(i int) telemetry.TraceID {
	return telemetry.TraceID{0: byte(i), 15: byte(i * 7)}
}

func (s *Source) spanID() telemetry.SpanID {
	return telemetry.SpanID{0: byte(s.rng.IntN(5)), 7: byte(s.rng.IntN(5))}
}

func (s *Source) span(r *telemetry.Resource) *telemetry.Span {
	x := &telemetry.Span{
		Trace: TraceID(1 + s.rng.IntN(traces)), ID: s.spanID(), Name: s.word(),
		Kind: telemetry.Kind(s.rng.IntN(6)), Status: telemetry.Status(s.rng.IntN(3)), Message: s.word(),
		Start: s.moment(), End: s.moment(), Attributes: s.attributes(), Resource: r, Dropped: s.rng.Uint32(),
	}
	if s.rng.IntN(3) > 0 {
		x.Parent = s.spanID()
	}
	if !x.Start.IsZero() && s.rng.IntN(3) > 0 {
		x.End = x.Start.Add(time.Duration(s.rng.IntN(1e9)))
	}
	for range s.rng.IntN(3) {
		x.Events = append(x.Events, telemetry.Event{Time: s.moment(), Name: s.word(), Attributes: s.attributes()})
	}
	for range s.rng.IntN(2) {
		x.Links = append(x.Links, telemetry.Link{Trace: TraceID(s.rng.IntN(traces)), Span: s.spanID(), Attributes: s.attributes()})
	}
	return x
}

func (s *Source) log(r *telemetry.Resource) *telemetry.Log {
	return &telemetry.Log{
		Time: s.moment(), Trace: TraceID(s.rng.IntN(traces)), Span: s.spanID(), Severity: s.rng.IntN(25),
		EventName: s.word(), Body: s.word(), Attributes: s.attributes(), Resource: r,
	}
}

func (s *Source) change() *telemetry.Change {
	c := &telemetry.Change{
		ID: fmt.Sprintf("change-%d", s.rng.IntN(1000)), Time: s.near().Truncate(time.Minute),
		Kind: telemetry.ChangeKinds()[s.rng.IntN(8)], Entity: s.pick("", "cart", "orders-db", s.word()),
		Instance: s.pick("", "", "cart-7f"), Dimension: s.pick("service.version", "flag rounding", "backup"),
		Value: s.word(), Previous: s.word(), Origin: telemetry.Origin(s.pick("reported", "inferred", "derived")),
		Source: s.word(), Actor: s.word(), Summary: s.word(), URL: s.word(),
	}
	if s.rng.IntN(4) == 0 {
		c.Ends, c.Value = true, ""
	}
	return c
}

// Batch makes up a batch. Some of its spans and changes were in batches
// before.
func (s *Source) Batch() telemetry.Batch {
	var b telemetry.Batch
	from := []*telemetry.Resource{s.resource(), s.resource()}
	for range s.rng.IntN(20) {
		if len(s.sent) > 0 && s.rng.IntN(4) == 0 {
			again := *s.sent[s.rng.IntN(len(s.sent))]
			b.Spans = append(b.Spans, &again)
			continue
		}
		x := s.span(from[s.rng.IntN(2)])
		b.Spans = append(b.Spans, x)
		s.sent = append(s.sent, x)
	}
	for range s.rng.IntN(6) {
		b.Logs = append(b.Logs, s.log(from[s.rng.IntN(2)]))
	}
	b.Changes = s.changes()
	if s.rng.IntN(4) == 0 {
		b.Points = []*telemetry.Point{{Time: s.near(), Name: "db.client.connection.count", Value: 3, Resource: from[0]}}
	}
	return b
}

func (s *Source) changes() []*telemetry.Change {
	var list []*telemetry.Change
	for range s.rng.IntN(4) {
		if len(s.reported) > 0 && s.rng.IntN(5) == 0 {
			list = append(list, s.reported[s.rng.IntN(len(s.reported))])
			continue
		}
		c := s.change()
		list = append(list, c)
		s.reported = append(s.reported, c)
	}
	return list
}

// Result makes up what a step gave. Some of its observations, totals and
// incidents were in results before, and were different then.
func (s *Source) Result() pipeline.Result {
	s.now++
	if s.rng.IntN(8) == 0 { // as after a restart
		s.dictionary = condition.NewDictionary(0)
	}
	end := s.base.Add(time.Duration(s.now) * 10 * time.Second)
	r := pipeline.Result{
		Window:     telemetry.Window{Start: end.Add(-15 * time.Minute), End: end},
		Dictionary: s.dictionary,
		Changes:    s.changes(),
		Findings:   map[request.Outcome]interaction.Result{},
	}
	for range s.rng.IntN(20) {
		r.Observations = append(r.Observations, s.observation())
	}
	for range s.rng.IntN(10) {
		r.Totals = append(r.Totals, s.total())
	}
	for _, o := range []request.Outcome{request.Failed, request.Slow} {
		var found interaction.Result
		for i := range s.rng.IntN(3) {
			found.Findings = append(found.Findings, s.finding(i+1))
		}
		r.Findings[o] = found
	}
	for range s.rng.IntN(3) {
		r.Incidents = append(r.Incidents, s.incident())
	}
	return r
}

func (s *Source) entry() request.Entry {
	return request.Entry{Service: "gateway", Operation: fmt.Sprintf("POST /%d", s.rng.IntN(entries))}
}

// Entry is the entry number i of those the source talks about, for i from 0.
func Entry(i int) request.Entry {
	return request.Entry{Service: "gateway", Operation: fmt.Sprintf("POST /%d", i%entries)}
}

func (s *Source) condition() condition.Condition {
	return condition.Condition{
		Entity: s.pick("", "cart", "pricing", "a b"), Dimension: s.pick("service.version", "flag rounding", "b c", "x=y", ""),
		Value: s.word(),
	}
}

func (s *Source) observation() condition.Observation {
	i := s.rng.IntN(requests)
	o := condition.Observation{
		Request: request.ID{Trace: TraceID(1 + i%traces), Span: telemetry.SpanID{0: byte(i), 7: 1}},
		Entry:   s.entry(),
		// A request that is told of again started at most a few minutes apart.
		Time:     s.base.Add(time.Duration(i)*2*time.Minute + time.Duration(s.rng.Int64N(int64(5*time.Minute)))),
		Duration: time.Duration(s.rng.Int64N(1e10)), Outcome: request.Outcome(s.rng.IntN(3)), Reason: s.word(),
		Weight: s.rng.Float64() * 100,
	}
	for range s.rng.IntN(8) {
		if id, ok := s.dictionary.ID(s.condition()); ok {
			o.Conditions = append(o.Conditions, id)
		}
	}
	if s.rng.IntN(2) == 0 {
		o.Gaps = request.Gaps{MissingRoot: true, MissingParents: s.rng.IntN(9), SkewedSpans: s.rng.IntN(9), DroppedItems: s.rng.IntN(9), Truncated: true}
	}
	return o
}

func (s *Source) total() pipeline.Total {
	return pipeline.Total{
		Bucket: s.near().Unix() / 600 * 600, Entry: s.entry(),
		Requests: s.rng.IntN(1000), Failed: s.rng.IntN(100), Slow: s.rng.IntN(100),
	}
}

func (s *Source) finding(rank int) interaction.Finding {
	a, b := s.condition(), s.condition()
	return interaction.Finding{
		Rank: rank, Verdict: interaction.Interact, Grade: "only together", Conditions: []condition.Condition{a, b},
		Aliases:  []interaction.AliasOf{{Condition: s.condition(), Of: a, Discordant: s.rng.IntN(5)}},
		Cells:    []interaction.Cell{{Holds: []string{a.String(), b.String()}, Total: 10, Failed: 7, Risk: 0.7, Low: 0.4, High: 0.9, Traces: []telemetry.TraceID{TraceID(3)}}},
		Proxies:  []interaction.AliasOf{{Condition: s.condition(), Of: b, Discordant: 1 + s.rng.IntN(50)}},
		Coverage: s.rng.Float64(), Excess: s.rng.Float64() * 100, Difference: s.rng.Float64(), P: s.rng.Float64() / 1e9,
		For: []string{s.word()}, Against: []string{s.word(), s.word()}, Missing: []string{s.word()},
	}
}

func (s *Source) incident() incident.Incident {
	in := incident.Incident{
		ID:    incident.ID(fmt.Sprintf("2026-11-21-%d", s.rng.IntN(incidents))),
		State: incident.State(s.pick("open", "mitigated", "resolved")),
		Title: s.word(), Outcome: request.Failed, Opened: s.near(), Began: s.near(), Updated: s.near().Truncate(time.Hour),
		LastFailure: s.near(), Failures: s.rng.IntN(99), Requests: s.rng.IntN(999), Entries: []request.Entry{s.entry()},
		Missing: []string{s.word()}, Analyses: s.rng.IntN(99),
	}
	if s.rng.IntN(2) == 0 {
		in.Closed = s.near()
	}
	if s.rng.IntN(3) > 0 {
		f := s.finding(1)
		in.Finding = &f
		in.Timeline = []incident.Moment{
			{Time: s.near(), What: "change", Text: s.word(), Change: s.change(), Condition: &f.Conditions[0]},
			{Time: s.near(), What: "opened"},
		}
	}
	return in
}
