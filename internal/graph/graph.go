// Package graph folds requests into who depends on whom, and on which shared
// resources: stores, queues, caches, and peers that send no telemetry.
package graph

// A Graph is who called whom in a stretch of time.
type Graph struct{}
