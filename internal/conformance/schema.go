package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// exchange is what was processed in one bucket, and what of it could not be read
// or written.
type exchange struct {
	processed float64
	pairs     map[pair]tally
}

// pair is a writer and a reader that met in a phase.
type pair struct {
	contract, subject, phase string
	writer, reader           string
	origin                   Origin
}

// tally counts spans of a pair, and those with error.type=schema.
type tally struct {
	spans, errors float64
	first, last   time.Time
	traces        []telemetry.TraceID
}

// exchangeAt returns the bucket of a time.
func (m *Monitor) exchangeAt(at time.Time) *exchange {
	bucket := at.Truncate(bucketSize).Unix()
	x := m.schema[bucket]
	if x == nil {
		x = &exchange{pairs: make(map[pair]tally)}
		m.schema[bucket] = x
	}
	return x
}

// processed counts requests and messages: server and consumer spans.
func (m *Monitor) processed(at time.Time, n int) {
	if n > 0 {
		m.exchangeAt(at).processed += float64(n)
	}
}

// exchanged takes a span that failed to read or to write, or that names a writer
// and a reader. Who does not say which versions met is judged by service.version:
// the reader is the span's service, the writer the one above it.
func (m *Monitor) exchanged(s *telemetry.Span, r *request.Request, said *verdict) {
	failed := s.Attributes.First(attr.ErrorType) == attr.ErrorTypeSchema
	p := pair{
		contract: s.Attributes.First(attr.PhaseContract), subject: s.Attributes.First(attr.PhaseSubject),
		phase:  cmp.Or(s.Attributes.First(attr.PhaseActual), s.Attributes.First(attr.PhaseBelieved)),
		writer: s.Attributes.First(attr.SchemaWriterVersion), reader: s.Attributes.First(attr.SchemaReaderVersion), origin: Announced,
	}
	named := p.writer != "" && p.reader != ""
	if !failed && !named {
		return
	}
	if !named {
		p.origin = Inferred
		p.reader = cmp.Or(p.reader, s.Resource.Version)
		p.writer = cmp.Or(p.writer, writerOf(s, r))
	}
	c := m.lookup(p.contract)
	if c == nil {
		c = m.matrixOf(p)
	}
	if c != nil {
		p.contract = c.ID()
		if p.phase == "" {
			p.phase, p.subject = m.schemaPhase(p, s.Start)
		}
		if ok, known := compatible(c, p); known && !ok {
			said.flipped = true
		}
	}
	x := m.exchangeAt(r.Start)
	n, ok := x.pairs[p]
	if !ok && len(x.pairs) >= maxSeries {
		m.dropped++
		return
	}
	n.spans++
	if failed {
		n.errors++
	}
	if n.first.IsZero() || s.Start.Before(n.first) {
		n.first = s.Start
	}
	n.last = later(n.last, s.Start)
	n.traces = addTrace(n.traces, s.Trace)
	x.pairs[p] = n
}

// writerOf is the version of the service above a span that is another one.
func writerOf(s *telemetry.Span, r *request.Request) string {
	for parent := s.Parent; parent != (telemetry.SpanID{}); {
		at, found := (*telemetry.Span)(nil), false
		for _, list := range [][]*telemetry.Span{r.Spans, r.Upstream} {
			for _, p := range list {
				if p.ID == parent {
					at, found = p, true
				}
			}
		}
		if !found {
			break
		}
		if at.Resource.Service != s.Resource.Service {
			return at.Resource.Version
		}
		parent = at.Parent
	}
	for _, p := range slices.Backward(r.Upstream) {
		if p.Resource.Service != s.Resource.Service {
			return p.Resource.Version
		}
	}
	return ""
}

// matrixOf is the only known contract whose matrix has both programs, or nil.
func (m *Monitor) matrixOf(p pair) *contract.Contract {
	var found *contract.Contract
	for _, id := range slices.Sorted(maps.Keys(m.contracts)) {
		c := m.contracts[id]
		for dimension := range c.Compatibility {
			k := c.Compatibility[dimension]
			_, reads := k.Readers[p.reader]
			_, writes := k.Writers[p.writer]
			if !reads || !writes && !slices.Contains(k.Versions, p.writer) {
				continue
			}
			if found != nil && found != c {
				return nil
			}
			found = c
		}
	}
	return found
}

// schemaPhase is the phase that the subject of a contract was in: the one that the
// pair names, or the only one of its contract.
func (m *Monitor) schemaPhase(p pair, at time.Time) (phase, subject string) {
	if t := m.subjects[subjectKey{p.contract, p.subject}]; t != nil {
		return t.phaseAt(at), p.subject
	}
	var only *timeline
	for key, t := range m.subjects {
		if key.contract != p.contract {
			continue
		}
		if only != nil {
			return "", p.subject
		}
		only, subject = t, key.subject
	}
	if only == nil {
		return m.inferred.phaseOf(p.subject, at), p.subject
	}
	return only.phaseAt(at), subject
}

// compatible asks every dimension of a contract's matrix about a pair.
func compatible(c *contract.Contract, p pair) (ok, known bool) {
	for _, dimension := range slices.Sorted(maps.Keys(c.Compatibility)) {
		may, knows := c.Compatible(dimension, contract.PhaseName(p.phase), p.writer, p.reader)
		if knows && !may {
			return false, true
		}
		known = known || knows
	}
	return known, known
}

// A SchemaPair is how often a writer and a reader met in a phase, and how often
// that went wrong.
type SchemaPair struct {
	Contract string  `json:"contract,omitempty"`
	Subject  string  `json:"subject,omitempty"`
	Phase    string  `json:"phase,omitempty"`
	Writer   string  `json:"writer,omitempty"`
	Reader   string  `json:"reader,omitempty"`
	Origin   Origin  `json:"origin"`
	Met      float64 `json:"met"`
	Errors   float64 `json:"errors"`
	// Forbidden says that the contract's matrix does not allow the pair in that
	// phase; Judged that it has a word on it.
	Forbidden bool `json:"forbidden"`
	Judged    bool `json:"judged"`

	first, last time.Time
	traces      []telemetry.TraceID
}

// schemas is
//
//	M4 = #{spans with error.type=schema} / #{requests and messages processed}
//
// with the pairs that met, and how many of the errors the matrix explains: those of
// pairs that it forbids.
func (m *Monitor) schemas(w telemetry.Window) (m4 Share, explained float64, pairs []SchemaPair) {
	sums := make(map[pair]tally)
	for _, at := range slices.Sorted(maps.Keys(m.schema)) { // the first examples are kept
		x := m.schema[at]
		if !w.Contains(time.Unix(at, 0)) {
			continue
		}
		m4.Of += x.processed
		for p, n := range x.pairs {
			m4.Part += n.errors
			sum, ok := sums[p]
			if !ok || n.first.Before(sum.first) {
				sum.first = n.first
			}
			sum.spans, sum.errors, sum.last = sum.spans+n.spans, sum.errors+n.errors, later(sum.last, n.last)
			for _, t := range n.traces {
				sum.traces = addTrace(sum.traces, t)
			}
			sums[p] = sum
		}
	}
	for p, n := range sums {
		s := SchemaPair{
			Contract: p.contract, Subject: p.subject, Phase: p.phase, Writer: p.writer, Reader: p.reader, Origin: p.origin,
			Met: n.spans, Errors: n.errors, first: n.first, last: n.last, traces: n.traces,
		}
		if c := m.lookup(p.contract); c != nil {
			ok, known := compatible(c, p)
			s.Judged, s.Forbidden = known, known && !ok
		}
		if s.Forbidden {
			explained += n.errors
		}
		pairs = append(pairs, s)
	}
	slices.SortFunc(pairs, func(a, b SchemaPair) int {
		return cmp.Or(cmp.Compare(b.Errors, a.Errors), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Phase, b.Phase),
			cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Reader, b.Reader), cmp.Compare(a.Origin, b.Origin))
	})
	m4.Coverage, m4.Known = 1, m4.Of > 0
	return m4, explained, pairs
}

// mismatchedSchemas finds F3, schema mismatch: a writer, a reader and a phase that
// the matrix forbids, however often.
func mismatchedSchemas(pairs []SchemaPair) []Finding {
	var found []Finding
	for _, p := range pairs {
		if !p.Forbidden {
			continue
		}
		f := Finding{
			Code: SchemaMismatch, Contract: p.Contract, Subject: p.Subject, Since: p.first, Until: p.last, Origin: p.Origin,
			Text: fmt.Sprintf("schema mismatch: in %s, %s met what %s writes, %.0f times", p.Phase, p.Reader, p.Writer, p.Met),
			For:  []string{fmt.Sprintf("the matrix of %s does not allow this pair in %s", p.Contract, p.Phase)},
		}
		if p.Errors > 0 {
			f.For = append(f.For, fmt.Sprintf("%.0f of them failed with error.type=schema", p.Errors))
		} else {
			f.Against = append(f.Against, "none of them failed with error.type=schema")
		}
		if p.Origin == Inferred {
			f.Missing = append(f.Missing, "the spans do not name reader and writer: these are the service.version of both sides")
		}
		f.Traces = p.traces
		found = append(found, f)
	}
	return found
}
