//go:build unix

package modelcheck_test

import (
	"testing"
	"time"

	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/modelcheck"
)

// BenchmarkBesideSpin searches the model of a flag with Eddy and with Spin, and
// reports states by second of a processor: with Spin nearest first, as here, and
// in its usual order, deepest first, which does not find shortest ways.
func BenchmarkBesideSpin(b *testing.B) {
	requireSpin(b)
	c := edited(b, "regional-flag")
	o := modelcheck.Options{SafetyOnly: true}
	models, err := modelcheck.Promela(c, o)
	if err != nil {
		b.Fatal(err)
	}
	var eddy, nearest, deepest time.Duration
	states := 0
	for b.Loop() {
		before := eddytest.ProcessorTime(b)
		states += check(b, c, o).Runs[0].States
		eddy += eddytest.ProcessorTime(b) - before
		nearest += pan(b, models[0].Text, []string{"-O2", "-DBFS"}, "-E").cpu
		deepest += pan(b, models[0].Text, []string{"-O2"}, "-E", "-m10000000").cpu
	}
	b.ReportMetric(float64(states)/eddy.Seconds(), "states/cpu-s")
	b.ReportMetric(float64(states)/nearest.Seconds(), "spin-bfs-states/cpu-s")
	b.ReportMetric(float64(states)/deepest.Seconds(), "spin-dfs-states/cpu-s")
}
