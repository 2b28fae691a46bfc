package accuracy_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"example.test/eddy/internal/accuracy"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/interaction"
)

// BenchmarkWorlds mines windows of ten minutes that are laid out already, of 609
// conditions in all, in which sets of one to four conditions are planted with a
// risk of 2, 5 or 10 %: by the order that is searched to, what a run takes of both
// processors and by the clock, and what it allocates once there was one.
// EDDY_ROWS=4000000 makes the windows larger.
func BenchmarkWorlds(b *testing.B) {
	rows := 200_000
	if text := os.Getenv("EDDY_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			b.Fatalf("EDDY_ROWS: %v", err)
		}
	}
	for _, order := range []int{2, 3, 4} {
		b.Run(fmt.Sprintf("rows-%d/order-%d", rows, order), func(b *testing.B) {
			worlds := min(12, max(1, 2_400_000/rows))
			var windows []*interaction.Window
			for i := range worlds {
				windows = append(windows, window(b, order, accuracy.Plan{
					Requests: rows, Base: 0.003, Orders: []int{1 + i%4}, Risk: []float64{0.02, 0.05, 0.1}[i%3], Seed: accuracy.Tuning(i),
				}))
			}
			var processor, clock []float64
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				for _, w := range windows {
					used, began := eddytest.ProcessorTime(b), time.Now()
					if _, err := w.Mine(b.Context()); err != nil {
						b.Fatal(err)
					}
					clock = append(clock, time.Since(began).Seconds()*1e3)
					processor = append(processor, (eddytest.ProcessorTime(b)-used).Seconds()*1e3)
				}
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(quantile(processor, 0.5), "cpu-ms-p50")
			b.ReportMetric(quantile(processor, 0.99), "cpu-ms-p99")
			b.ReportMetric(quantile(clock, 0.5), "ms-p50")
			b.ReportMetric(quantile(clock, 0.99), "ms-p99")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(len(clock))/1024, "KiB/run")
		})
	}
}

// window lays a world out and mines it once, so that all room is there.
func window(b *testing.B, order int, p accuracy.Plan) *interaction.Window {
	b.Helper()
	const pane = 10 * time.Second
	table := p.Build().Table
	w, err := interaction.NewWindow(interaction.Options{MaxOrder: order}, pane)
	if err != nil {
		b.Fatal(err)
	}
	w.Know(table.Conditions)
	for from := 0; from < len(table.Rows); {
		start, to := table.Rows[from].Time.Truncate(pane), from
		for to < len(table.Rows) && table.Rows[to].Time.Before(start.Add(pane)) {
			to++
		}
		if err := w.Put(start, table.Rows[from:to]); err != nil {
			b.Fatal(err)
		}
		from = to
	}
	if _, err := w.Mine(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w
}

func quantile(x []float64, q float64) float64 {
	slices.Sort(x)
	return x[min(len(x)-1, int(q*float64(len(x))))]
}
