// Package incident opens, groups and closes what people are told about: one
// incident per cause, not one per alert.
package incident

import (
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// An ID names an incident for good, in addresses and in what people say:
// "2026-11-21-1".
type ID string

// A State is where an incident stands.
type State string

// The states. An incident is Mitigated when its failures stopped but the cause
// is still in force somewhere, or is not known; it is Resolved when the cause
// is no longer in force.
const (
	Open      State = "open"
	Mitigated State = "mitigated"
	Resolved  State = "resolved"
)

// An Incident is what a person is told about.
type Incident struct {
	ID    ID    `json:"id"`
	State State `json:"state"`
	// Title is the sentence that names the cause, or says that nothing
	// explains the failures.
	Title   string          `json:"title"`
	Outcome request.Outcome `json:"outcome"` // failed or slow
	// Opened is when Eddy first held it, Began the first failure it covers,
	// Updated the last analysis that touched it. Closed is zero while it is open.
	Opened  time.Time `json:"opened"`
	Began   time.Time `json:"began"`
	Updated time.Time `json:"updated"`
	Closed  time.Time `json:"closed,omitzero"`
	// LastFailure is when a covered request last failed.
	LastFailure time.Time `json:"last_failure"`
	// Failures is how many covered requests failed since Began, Requests how
	// many requests there were at the affected entries in the same time.
	Failures int `json:"failures"`
	Requests int `json:"requests"`
	// Entries are the affected entries, the most affected first.
	Entries []request.Entry `json:"entries"`
	// Finding explains the failures; nil for an incident that nothing explains.
	Finding *interaction.Finding `json:"finding,omitempty"`
	// Status is what experiments make of the finding; empty without one.
	Status Status `json:"status,omitempty"`
	// Experiments are those that were made about it, oldest first. One that asked
	// about conditions that the finding no longer has says nothing of the status.
	Experiments []Experiment `json:"experiments,omitempty"`
	// Phases are the phase failures of the same time at the services that the
	// requests pass, the oldest first. They explain nothing by themselves: each says
	// how many of the failures it is seen in.
	Phases []conformance.Finding `json:"phases,omitempty"`
	// Missing says what would be needed to explain it, or to be surer.
	Missing []string `json:"missing"`
	// Timeline is what happened, oldest first.
	Timeline []Moment `json:"timeline"`
	// Analyses counts the windows that touched the incident.
	Analyses int `json:"analyses"`
}

// A Moment is one line of an incident's timeline.
type Moment struct {
	Time time.Time `json:"time"`
	// What is "change", "first seen", "first failure", "opened", "explained",
	// "phase", "reworded", "mitigated", "reopened", "resolved", or what an experiment
	// made of the finding: "confirmed", "refuted" or "unsettled".
	What string `json:"what"`
	Text string `json:"text"`
	// Change is set where a change is the moment.
	Change *telemetry.Change `json:"change,omitempty"`
	// Condition is set where the moment is about one of the finding's conditions.
	Condition *condition.Condition `json:"condition,omitempty"`
}
