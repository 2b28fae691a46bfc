package interaction_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// paneRows draws the rows of a pane of a second: some alike, some that stand for many
// observations or none, from a few entries, whose conditions are states of a few
// entities or of none.
func paneRows(rng *rand.Rand, conditions []condition.Condition, n, kinds int) []interaction.Row {
	alike := make([][]condition.ID, kinds)
	for i := range alike {
		for id := range conditions {
			if rng.IntN(3) == 0 {
				alike[i] = append(alike[i], condition.ID(id))
			}
		}
	}
	rows := make([]interaction.Row, n)
	for i := range rows {
		r := interaction.Row{Time: time.Unix(0, rng.Int64N(int64(time.Second))), Total: 1, Conditions: alike[rng.IntN(kinds)]}
		if rng.IntN(4) == 0 {
			r.Total = rng.IntN(9)
		}
		r.Failed = rng.IntN(r.Total + 1)
		rows[i] = r
	}
	return rows
}

func TestPanesCountWhatTheirRowsSay(t *testing.T) {
	var conditions []condition.Condition
	for i := range 30 {
		conditions = append(conditions, condition.Condition{Entity: []string{"", "a", "b"}[i%3], Dimension: fmt.Sprint("d", i), Value: "x"})
	}
	for i := range 3 {
		conditions = append(conditions, condition.Condition{Dimension: "entry", Value: fmt.Sprint(i)})
	}
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		known := conditions[rapid.IntRange(0, len(conditions)).Draw(rt, "conditions before"):]
		n, kinds := rapid.IntRange(0, 500).Draw(rt, "rows"), rapid.SampledFrom([]int{1, 8, 64, 128, 600}).Draw(rt, "kinds")
		rows := paneRows(rng, known, n, kinds)
		got := interaction.LayOut(known, time.Second, paneRows(rng, known, 200, 200), rows)
		checkEntries(rt, got, rows)
		checkColumns(rt, got, known, rows)
	})
}

// checkEntries checks that each set of conditions is one entry, which counts its rows.
func checkEntries(t *rapid.T, got interaction.LaidOut, rows []interaction.Row) {
	want := make(map[string][2]int)
	for _, r := range rows {
		if r.Total > 0 {
			n := want[fmt.Sprint(r.Conditions)]
			want[fmt.Sprint(r.Conditions)] = [2]int{n[0] + r.Total, n[1] + r.Failed}
		}
	}
	if len(got.Entries) != len(want) {
		t.Fatalf("%d entries, want %d", len(got.Entries), len(want))
	}
	for i, e := range got.Entries {
		if n := want[fmt.Sprint(e.Conditions)]; n != [2]int{e.Total, e.Failed} {
			t.Errorf("entry %d: %d of %d failed, want %d of %d", i, e.Failed, e.Total, n[1], n[0])
		}
	}
}

// checkColumns checks what is counted by condition.
func checkColumns(t *rapid.T, got interaction.LaidOut, conditions []condition.Condition, rows []interaction.Row) {
	short := sliced(conditions, rows)
	keys := make(map[string]uint64)
	for id, c := range conditions {
		var want interaction.LaidOutColumn
		for _, slice := range short {
			var all, met, has int64
			for _, r := range slice {
				n := int64(r.Total)
				all += n
				if meets(conditions, r, c.Entity) {
					met += n
				}
				if slices.Contains(r.Conditions, condition.ID(id)) {
					has += n
					want.Failed += int64(r.Failed)
				}
			}
			want.Total += has
			want.Among += float64(min(has, all-has))
			if c.Entity != "" {
				want.Within += float64(min(has, met-has))
			}
		}
		for i, e := range got.Entries {
			if slices.Contains(e.Conditions, condition.ID(id)) {
				want.Entries = append(want.Entries, i)
			}
		}
		column := got.Columns[condition.ID(id)]
		want.Key = column.Key
		if fmt.Sprint(column) != fmt.Sprint(want) {
			t.Errorf("condition %d: got %v, want %v", id, column, want)
		}
		if key, known := keys[fmt.Sprint(want.Entries)]; known && key != column.Key {
			t.Errorf("condition %d: another key than that of a condition of the same entries", id)
		}
		keys[fmt.Sprint(want.Entries)] = column.Key
	}
}

// meets reports whether a row has a state of an entity.
func meets(conditions []condition.Condition, r interaction.Row, entity string) bool {
	return slices.ContainsFunc(r.Conditions, func(id condition.ID) bool { return conditions[id].Entity == entity })
}

// sliced divides rows by place and short time: a place of few rows is not cut, one of
// many is cut in sixteen.
func sliced(conditions []condition.Condition, rows []interaction.Row) map[string][]interaction.Row {
	place := func(r interaction.Row) string {
		var at []condition.ID
		for _, id := range r.Conditions {
			if conditions[id].Dimension == "entry" {
				at = append(at, id)
			}
		}
		return fmt.Sprint(at)
	}
	count := make(map[string]int64)
	for _, r := range rows {
		count[place(r)]++
	}
	out := make(map[string][]interaction.Row)
	for _, r := range rows {
		n := min(max(count[place(r)]/8, 1), 16)
		key := fmt.Sprint(place(r), r.Time.UnixNano()*n/int64(time.Second))
		out[key] = append(out[key], r)
	}
	return out
}
