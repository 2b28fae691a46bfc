package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
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

// long is a shop's traffic over ten minutes, of which a table is cut into panes of
// ten seconds as well.
func long(seed uint64) interaction.Table {
	s := twist(0.5)
	s.requests, s.lasts = 9000, 10*time.Minute
	return s.run(seed)
}

func TestWindowSaysWhatItsTableDoes(t *testing.T) {
	table := long(1)
	want := encode(t, mine(t, table, interaction.Options{MaxOrder: 4}))
	w := window(t, interaction.Options{MaxOrder: 4})
	fill(t, w, table, 10*time.Second)
	for range 2 { // in the room of the first run, too
		r, err := w.Mine(t.Context())
		if err != nil {
			t.Fatalf("Mine: %v", err)
		}
		if got := encode(t, r); got != want {
			t.Errorf("window: %s\ntable:  %s", got, want)
		}
	}
}

func TestPanesComeInAnyOrderAndReplaceWhatTheyWere(t *testing.T) {
	table := long(2)
	straight := window(t, interaction.Options{})
	fill(t, straight, table, 10*time.Second)
	other := window(t, interaction.Options{})
	other.Know(table.Conditions)
	panes := make(map[time.Time][]interaction.Row)
	for _, r := range table.Rows {
		at := r.Time.Truncate(10 * time.Second)
		panes[at] = append(panes[at], r)
	}
	for at, rows := range panes { // in any order
		half := slices.Clone(rows[:len(rows)/2])
		for i := range half {
			half[i].Failed = half[i].Total
		}
		for _, rows := range [][]interaction.Row{half, rows} {
			if err := other.Put(at, rows); err != nil {
				t.Fatalf("Put: %v", err)
			}
		}
	}
	want, err := straight.Mine(t.Context())
	if err != nil {
		t.Fatalf("Mine: %v", err)
	}
	got, err := other.Mine(t.Context())
	if err != nil {
		t.Fatalf("Mine: %v", err)
	}
	if encode(t, got) != encode(t, want) {
		t.Errorf("panes in another order: %s\nin order: %s", describe(got), describe(want))
	}
}

func TestDroppedPanesAreForgotten(t *testing.T) {
	table := long(3)
	w := window(t, interaction.Options{})
	fill(t, w, table, 10*time.Second)
	from := start().Add(5 * time.Minute)
	w.Drop(from)
	rest := table
	rest.Rows = slices.DeleteFunc(slices.Clone(table.Rows), func(r interaction.Row) bool { return r.Time.Before(from) })
	got, err := w.Mine(t.Context())
	if err != nil {
		t.Fatalf("Mine: %v", err)
	}
	if got.Rows != len(rest.Rows) {
		t.Errorf("%d rows are left, want the %d from %v on", got.Rows, len(rest.Rows), from)
	}
	w.Drop(start().Add(time.Hour))
	if got, err = w.Mine(t.Context()); err != nil || got.Rows != 0 || got.Verdict != "" {
		t.Errorf("an empty window gives %+v, %v, want nothing", got, err)
	}
}

func TestPutRefusesRowsThatAreNotOfThePane(t *testing.T) {
	w := window(t, interaction.Options{})
	for name, r := range map[string]interaction.Row{
		"before":    {Time: start().Add(-time.Second), Total: 1},
		"after":     {Time: start().Add(10 * time.Second), Total: 1},
		"condition": {Time: start(), Total: 1, Conditions: []condition.ID{0}},
	} {
		if err := w.Put(start(), []interaction.Row{r}); err == nil || !strings.Contains(err.Error(), "row 0") {
			t.Errorf("%s: error %v, want one that names row 0", name, err)
		}
	}
}

func TestMiningAWindowAgainNeedsLittleNewMemory(t *testing.T) {
	table, _ := plant(1, 30_000, 3, 0.1)
	w := window(t, interaction.Options{MaxOrder: 4})
	fill(t, w, table, 10*time.Second)
	run := func() uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := w.Mine(t.Context()); err != nil {
			t.Fatalf("Mine: %v", err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	run()
	if got := run(); got > 1<<20 {
		t.Errorf("the second run allocated %d bytes, want at most a mebibyte", got)
	}
}

// BenchmarkWindow mines a window that is laid out already, as a server does every
// few seconds.
func BenchmarkWindow(b *testing.B) {
	table, _ := plant(1, 200_000, 3, 0.1)
	for _, order := range []int{2, 3, 4} {
		b.Run(fmt.Sprintf("200k-rows-order-%d", order), func(b *testing.B) {
			w := window(b, interaction.Options{MaxOrder: order})
			fill(b, w, table, 10*time.Second)
			mineAgain(b, w)
		})
	}
}

// observed are five minutes of requests in panes of ten seconds: 40 conditions each,
// of about 700, from eight entries. Hardly two requests are alike, or four of five have
// the conditions of an earlier one.
func observed(rows int, alike bool) (conditions []condition.Condition, panes [][]interaction.Row) {
	table, _ := plant(1, rows, 3, 0.1)
	rng := rand.New(rand.NewPCG(1, 23))
	conditions = table.Conditions
	first := len(conditions)
	values := []int{3, 5, 12, 16, 64} // of five attributes more
	for a, n := range values {
		for v := range n {
			conditions = append(conditions, condition.Condition{Dimension: fmt.Sprintf("attribute%d", a), Value: fmt.Sprint(v)})
		}
	}
	panes = make([][]interaction.Row, 30)
	for i, r := range table.Rows {
		begin := first
		for _, n := range values {
			r.Conditions = append(r.Conditions, condition.ID(begin+rng.IntN(n)))
			begin += n
		}
		k := i * len(panes) / rows
		if n := len(panes[k]); alike && n%5 > 0 {
			r.Conditions = panes[k][rng.IntN(n)].Conditions
		}
		panes[k] = append(panes[k], r)
	}
	return conditions, panes
}

// BenchmarkPut lays out panes of observations with 40 conditions each, as a server
// does: in one window, in place of the panes that it had.
func BenchmarkPut(b *testing.B) {
	b.Run("distinct", func(b *testing.B) { putAgain(b, false) })
	b.Run("alike", func(b *testing.B) { putAgain(b, true) })
}

func putAgain(b *testing.B, alike bool) {
	b.Helper()
	const rows = 200_000
	conditions, panes := observed(rows, alike)
	if n := len(panes[0][0].Conditions); n != 40 {
		b.Fatalf("%d conditions a row, want 40", n)
	}
	w := window(b, interaction.Options{})
	w.Know(conditions)
	b.ReportAllocs()
	before := eddytest.ProcessorTime(b)
	for b.Loop() {
		for k, list := range panes {
			if err := w.Put(start().Add(time.Duration(k)*10*time.Second), list); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*rows/(eddytest.ProcessorTime(b)-before).Seconds(), "rows/cpu-s")
}
