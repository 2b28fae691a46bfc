// Package pipeline carries one window through the stages above.
package pipeline

import (
	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Result is what one step over one window gave.
type Result struct {
	Window telemetry.Window
	// Observations are the requests that were completed since the last step.
	Observations []condition.Observation
	// Dictionary is what the numbers in Observations stand for.
	Dictionary *condition.Dictionary
	// Totals are exact counts of what was completed since the last step.
	Totals []Total
	// Changes are those that Eddy inferred or derived since the last step.
	Changes []*telemetry.Change
	// Graph is of the window.
	Graph *graph.Graph
	// Findings are what mining gave, by outcome.
	Findings map[request.Outcome]interaction.Result
	// Incidents are the ones that this step opened, changed or closed.
	Incidents []incident.Incident
}

// A Total counts the requests of one entry in one ten-second bucket, exactly,
// whatever was sampled.
type Total struct {
	Bucket   int64         `json:"bucket"` // Unix seconds, a multiple of 10
	Entry    request.Entry `json:"entry"`
	Requests int           `json:"requests"`
	Failed   int           `json:"failed"`
	Slow     int           `json:"slow"`
}
