// Package pipeline carries one window through the stages above: spans become
// requests, requests are stamped with the conditions in force, conditions are
// mined for what explains failures, phases are compared with what was announced, and
// explanations become incidents.
//
// Step is the whole of it. The server calls it on a clock, "eddy replay" on the
// clock of the past, tests on theirs: a Pipeline never asks what time it is,
// except to stop an analysis that takes longer than Config.MiningTime. Then the
// step goes on without it.
//
// What a Pipeline holds is bounded: open traces by request.Config, the states
// of the timeline and the conditions by condition.Config, the window by
// Config.MaxObservations. When a bound is hit, successes and then failures are
// sampled with weights, so that rates stay right; what is left out is counted
// in Stats. What the store refuses is saved with a later step; of that, too, at
// most MaxObservations wait.
package pipeline

import (
	"context"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Store keeps the result of a step, all of it or nothing. Saving one twice
// is the same as once.
type Store interface {
	Save(ctx context.Context, r Result) error
}

// A Result is what one step over one window gave.
type Result struct {
	Window telemetry.Window
	// Requests, Failed and Slow count what was completed since the last step that
	// was saved, all of it.
	Requests, Failed, Slow int
	// Observations are the same requests; where successes were too many, a sample
	// of them with weights.
	Observations []condition.Observation
	// Dictionary is what the numbers in Observations stand for.
	Dictionary *condition.Dictionary
	// Totals are exact counts of the buckets that changed since the last step,
	// each from the bucket's beginning.
	Totals []Total
	// Changes are those that Eddy inferred or derived since the last step.
	Changes []*telemetry.Change
	// Graph is of the window.
	Graph *graph.Graph
	// Findings are what mining gave, by outcome. An outcome whose analysis did not
	// end in time is not there.
	Findings map[request.Outcome]interaction.Result
	// Incidents are the ones that this step opened, changed or closed.
	Incidents []incident.Incident
	// Missing says what the telemetry lacks, the worst first.
	Missing []string
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
