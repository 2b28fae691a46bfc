package conformance

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/telemetry"
)

// A Code names a failure.
type Code string

// The failures.
const (
	DrainMisrouting     Code = "F1"
	LeaderOverlap       Code = "F2"
	SchemaMismatch      Code = "F3"
	Flapping            Code = "F4"
	MissingAnnouncement Code = "F5"
	// Stuck is an announcement that was not put in force.
	Stuck Code = "stuck"
)

// Codes lists all failures, in the order in which they are shown.
func Codes() []Code {
	return []Code{DrainMisrouting, LeaderOverlap, SchemaMismatch, Flapping, MissingAnnouncement, Stuck}
}

// Name is what people call it.
func (c Code) Name() string {
	switch c {
	case DrainMisrouting:
		return "drain misrouting"
	case LeaderOverlap:
		return "leader overlap"
	case SchemaMismatch:
		return "schema mismatch"
	case Flapping:
		return "flapping"
	case MissingAnnouncement:
		return "missing announcement"
	case Stuck:
		return "stuck"
	}
	return string(c)
}

// An Origin says whether phases were announced, or inferred from telemetry of
// services that announce nothing.
type Origin string

// The origins.
const (
	Announced Origin = "announced"
	Inferred  Origin = "inferred"
)

// A Severity says whether harm was done.
type Severity string

// The severities. Of a Low one, what protects against it has held.
const (
	High Severity = "high"
	Low  Severity = "low"
)

// A Finding is a failure that follows from the indicators or from events.
type Finding struct {
	Code     Code     `json:"code"`
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	Origin   Origin   `json:"origin"`
	Contract string   `json:"contract,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	// Service is whose it is, where the subject says so.
	Service string `json:"service,omitempty"`
	// Since is when it began, Until when it was last so.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Text says it in a sentence. For and Against are the evidence, Missing what
	// would be needed to be surer.
	Text    string   `json:"text"`
	For     []string `json:"for,omitempty"`
	Against []string `json:"against,omitempty"`
	Missing []string `json:"missing,omitempty"`
	// Traces show it, at most ten.
	Traces []telemetry.TraceID `json:"traces,omitempty"`
}

// findings gathers all findings of a window that ends at now, in a fixed order. pairs
// are those of schemas.
func (m *Monitor) findings(w telemetry.Window, pairs []SchemaPair) []Finding {
	found := slices.Concat(
		m.misrouted(w), m.leaders(w), mismatchedSchemas(pairs), m.flappers(w.End),
		m.unannounced(w), m.gaps(w), m.expired(w), m.unannotated(w), m.stuck(w), m.inferredFindings(w),
	)
	for i := range found {
		f := &found[i]
		f.Name = f.Code.Name()
		f.Severity = cmp.Or(f.Severity, High)
		f.Origin = cmp.Or(f.Origin, Announced)
		if f.Service == "" {
			f.Service = m.serviceOf(f.Contract, f.Subject)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Text, b.Text))
	})
	return found
}

// addTrace keeps the first exemplars of a finding.
func addTrace(list []telemetry.TraceID, t telemetry.TraceID) []telemetry.TraceID {
	if len(list) >= maxTraces || t.IsZero() || slices.Contains(list, t) {
		return list
	}
	return append(list, t)
}

// serviceOf reads the service from the key of a subject, by the template of its
// contract; "" if it has none.
func (m *Monitor) serviceOf(id, subject string) string {
	c := m.lookup(id)
	if c == nil {
		return ""
	}
	template, parts := strings.Split(c.Subject.Key, "/"), strings.Split(subject, "/")
	if i := slices.Index(template, "{service.name}"); i >= 0 && i < len(parts) {
		return parts[i]
	}
	return ""
}
