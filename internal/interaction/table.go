package interaction

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

const (
	// thinStratum is how many observations a stratum needs to stand alone, and
	// fewInStratum how many rows: one row of many observations has nothing to be
	// compared with.
	thinStratum  = 40
	fewInStratum = 8
)

// check reports the first row that is not what Table says.
func check(t Table) error {
	var wrong [2]error
	inTwo(len(t.Rows), func(half, from, to int) { wrong[half] = checkRows(len(t.Conditions), t.Rows, from, to) })
	return cmp.Or(wrong[0], wrong[1])
}

// checkRows checks the rows from one to before another, of a table with so many
// conditions.
func checkRows(conditions int, rows []Row, from, to int) error {
	for i := from; i < to; i++ {
		r := &rows[i]
		switch {
		case r.Total < 0:
			return fmt.Errorf("row %d: total %d: want 0 or more", i, r.Total)
		case r.Failed < 0 || r.Failed > r.Total:
			return fmt.Errorf("row %d: failed %d of %d: want 0 to the total", i, r.Failed, r.Total)
		case !(r.Weight >= 0) || math.IsInf(r.Weight, 0):
			return fmt.Errorf("row %d: weight %v: want a finite number, 0 or more", i, r.Weight)
		case i > 0 && r.Time.IsZero() != rows[0].Time.IsZero():
			return fmt.Errorf("row %d: time %q: want a time in all rows or in none, and row 0 has %q",
				i, stamp(r.Time), stamp(rows[0].Time))
		}
		for j, id := range r.Conditions {
			if int(id) >= conditions {
				return fmt.Errorf("row %d: condition %d: the table has %d conditions", i, id, conditions)
			}
			if j > 0 && id <= r.Conditions[j-1] {
				return fmt.Errorf("row %d: condition %d after %d: want ascending numbers, each once",
					i, id, r.Conditions[j-1])
			}
		}
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
