package interaction_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/interaction"
)

// A scale is how large a window is that is mined: so many rows, with so many
// attributes, whose values are about so many conditions in all, for sets of up to
// so many conditions.
type scale struct{ rows, attributes, conditions, order int }

// scales vary one of these at a time. With EDDY_HEAVY=1 there are ten million rows
// as well, of which the window takes four gigabytes.
func scales() []scale {
	list := []scale{
		{100_000, 50, 600, 2},
		{100_000, 50, 600, 3},
		{100_000, 50, 600, 4},
		{1_000_000, 50, 600, 4},
		{100_000, 10, 2_000, 3},
		{100_000, 50, 2_000, 3},
		{100_000, 100, 2_000, 3},
		{100_000, 200, 2_000, 3},
		{100_000, 50, 100, 3},
		{100_000, 50, 1_000, 3},
		{100_000, 50, 10_000, 3},
		{100_000, 50, 100_000, 3},
	}
	if os.Getenv("EDDY_HEAVY") != "" {
		list = append(list, scale{10_000_000, 50, 600, 4})
	}
	return list
}

// BenchmarkScale lays windows out once and mines them again and again, as a server
// does. It says what either takes of the processors, what mining allocates once it
// has room, and what the window holds.
func BenchmarkScale(b *testing.B) {
	for _, x := range scales() {
		b.Run(fmt.Sprintf("rows-%d/attributes-%d/conditions-%d/order-%d", x.rows, x.attributes, x.conditions, x.order), func(b *testing.B) {
			w, layout := x.window(b)
			if _, err := w.Mine(b.Context()); err != nil { // so that all room is there
				b.Fatal(err)
			}
			held := heap()
			mineAgain(b, w)
			b.ReportMetric(layout.Seconds()*1e3, "layout-cpu-ms")
			b.ReportMetric(held, "MB-held")
		})
	}
}

// mineAgain mines a window again and again, and says what it takes of the processors.
func mineAgain(b *testing.B, w *interaction.Window) {
	b.ReportAllocs()
	before := eddytest.ProcessorTime(b)
	for b.Loop() {
		if _, err := w.Mine(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((eddytest.ProcessorTime(b)-before).Seconds()*1e3/float64(b.N), "cpu-ms/op")
}

// heap is what is in use, in megabytes.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// window makes rows over five minutes and lays them out, pane by pane, so that they
// need not all be there at once; it returns what laying out took. The values of an
// attribute are the more the later it is, and the low ones are common; the first
// values of three attributes fail together.
func (x scale) window(b *testing.B) (w *interaction.Window, layout time.Duration) {
	const panes, pane = 30, 10 * time.Second
	rng := rand.New(rand.NewPCG(1, 17))
	var conditions []condition.Condition
	begin, values := make([]int, x.attributes), make([]int, x.attributes)
	for a := range x.attributes {
		begin[a] = len(conditions)
		values[a] = max(2, 2*x.conditions*a/x.attributes/x.attributes)
		for v := range values[a] {
			conditions = append(conditions, condition.Condition{Dimension: fmt.Sprintf("a%d", a), Value: fmt.Sprint(v)})
		}
	}
	w = window(b, interaction.Options{MaxOrder: x.order})
	w.Know(conditions)
	for k := range panes {
		n := x.rows / panes
		if k < x.rows%panes {
			n++
		}
		at := start().Add(time.Duration(k) * pane)
		rows, ids := make([]interaction.Row, n), make([]condition.ID, 0, n*x.attributes)
		for i := range rows {
			harm := true
			for a, n := range values {
				v := int(float64(n) * math.Pow(rng.Float64(), 3))
				harm = harm && (a >= 3 || v == 0)
				ids = append(ids, condition.ID(begin[a]+v))
			}
			rows[i] = interaction.Row{Time: at.Add(pane * time.Duration(i) / time.Duration(n)), Total: 1, Conditions: ids[i*x.attributes : len(ids) : len(ids)]}
			if p := 0.003; rng.Float64() < p || harm && rng.Float64() < 0.05 {
				rows[i].Failed = 1
			}
		}
		before := eddytest.ProcessorTime(b)
		if err := w.Put(at, rows); err != nil {
			b.Fatal(err)
		}
		layout += eddytest.ProcessorTime(b) - before
	}
	return w, layout
}
