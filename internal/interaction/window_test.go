package interaction_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
)

// fill puts the rows of a table into a window, pane by pane.
func fill(t testing.TB, w *interaction.Window, table interaction.Table, pane time.Duration) {
	t.Helper()
	w.Know(table.Conditions)
	rows := slices.Clone(table.Rows)
	slices.SortStableFunc(rows, func(a, b interaction.Row) int { return a.Time.Compare(b.Time) })
	for len(rows) > 0 {
		begin := rows[0].Time.Truncate(pane)
		n := slices.IndexFunc(rows, func(r interaction.Row) bool { return r.Time.Sub(begin) >= pane })
		if n < 0 {
			n = len(rows)
		}
		if err := w.Put(begin, rows[:n]); err != nil {
			t.Fatalf("Put: %v", err)
		}
		rows = rows[n:]
	}
}

func window(t testing.TB, o interaction.Options) *interaction.Window {
	t.Helper()
	w, err := interaction.NewWindow(o, 10*time.Second)
	if err != nil {
		t.Fatalf("NewWindow: %v", err)
	}
	return w
}

// BenchmarkWindow mines a window that is laid out already, as a server does every
// few seconds.
func BenchmarkWindow(b *testing.B) {
	table, _ := plant(1, 200_000, 3, 0.1)
	for _, order := range []int{2, 3, 4} {
		b.Run(fmt.Sprintf("200k-rows-order-%d", order), func(b *testing.B) {
			w := window(b, interaction.Options{MaxOrder: order})
			fill(b, w, table, 10*time.Second)
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				if _, err := w.Mine(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processorTime(b)-before).Seconds()*1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkPut lays out panes of observations with about 40 conditions each.
func BenchmarkPut(b *testing.B) {
	table, _ := plant(1, 200_000, 3, 0.1)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		fill(b, window(b, interaction.Options{}), table, 10*time.Second)
	}
	b.ReportMetric(float64(b.N)*200_000/(processorTime(b)-before).Seconds(), "rows/cpu-s")
}

// processorTime is what this process has used of its processors: machines that
// run benchmarks are shared.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
