// Package condition keeps which states are in force, and stamps requests with
// the ones that were in force on their path.
//
// A condition counts for as long as it is in force, however old the change is
// that put it there. What follows from a failure (a status, an exception) is a
// symptom and is never offered as a condition; the role table decides, by
// semantic-convention name.
package condition

import (
	"strings"
	"time"

	"example.test/eddy/internal/request"
)

// A Condition is a state in force: whose, which, and its value.
type Condition struct {
	// Entity is whose state it is: a service, a store, a queue. It is empty for
	// states of the request itself (its tenant, its route) and for columns of a
	// table.
	Entity string
	// Dimension is what the state is about: "service.version", "flag rounding".
	Dimension string
	Value     string
}

// String returns "entity dimension=value", without the entity if it is empty. A
// value that is a range of numbers, "> 840", "<= 3" or "> 120 and <= 400", reads
// as one: "load > 840", "120 < load <= 400".
func (c Condition) String() string {
	if !strings.HasPrefix(c.Value, "> ") && !strings.HasPrefix(c.Value, "<= ") {
		return c.Name() + "=" + c.Value
	}
	if low, high, both := strings.Cut(c.Value, " and <= "); both {
		return strings.TrimPrefix(low, "> ") + " < " + c.Name() + " <= " + high
	}
	return c.Name() + " " + c.Value
}

// Name returns "entity dimension", without the entity if it is empty: what two
// conditions that exclude each other share.
func (c Condition) Name() string {
	if c.Entity == "" {
		return c.Dimension
	}
	return c.Entity + " " + c.Dimension
}

// Compare orders conditions by entity, dimension and value.
func Compare(a, b Condition) int {
	if c := strings.Compare(a.Entity, b.Entity); c != 0 {
		return c
	}
	if c := strings.Compare(a.Dimension, b.Dimension); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}

// An ID stands for a condition within one Dictionary.
type ID uint32

// An Observation is a request reduced to what the analysis needs: when, how it
// ended, and the conditions that were in force on its path.
type Observation struct {
	Request  request.ID
	Entry    request.Entry
	Time     time.Time
	Duration time.Duration
	Outcome  request.Outcome
	Reason   string
	// Weight is how many requests this one stands for: 1 unless successes are
	// sampled.
	Weight float64
	// Conditions are ids of the pipeline's Dictionary, ascending, each once.
	Conditions []ID
	Gaps       request.Gaps
}
