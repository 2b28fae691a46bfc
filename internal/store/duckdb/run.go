package duckdb

import (
	"math"
	"slices"
	"time"
)

// A run is a range of times, both ends included, in nanoseconds.
type run struct{ first, last int64 }

// maxRuns is how many ranges one batch is cut into: each costs a statement.
const maxRuns = 8

// runsOf returns ranges that cover times and slack on both sides of each.
// Telemetry comes nearly in the order of time, so there is usually one, and it
// is short. A few stragglers get ranges of their own, so that they do not make
// DuckDB read all that lies between. It sorts times.
func runsOf(times []int64, slack time.Duration) []run {
	slices.Sort(times)
	var runs []run
	for _, t := range times {
		r := run{minus(t, int64(slack)), -minus(-t, int64(slack))}
		last := len(runs) - 1
		near := last >= 0 && minus(r.first, int64(time.Minute)) <= runs[last].last
		if near || len(runs) == maxRuns {
			runs[last].last = max(runs[last].last, r.last)
			continue
		}
		runs = append(runs, r)
	}
	return runs
}

// minus returns a-b for b >= 0, or the least time there is.
func minus(a, b int64) int64 {
	if a < math.MinInt64+2+b {
		return math.MinInt64 + 2
	}
	return a - b
}
