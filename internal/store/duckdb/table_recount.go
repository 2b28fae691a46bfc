package duckdb

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// A lineKind is lines that are alike in what is counted: which of the conditions
// they have, by bit, and the code of their entry.
type lineKind struct {
	bucket        int64
	held, place   uint64
	total, failed int64
	// units and squares are the sums of the weights of the successes, in units,
	// and of their squares.
	units, squares float64
}

// recount counts all rows by the chosen conditions, and returns them as a table
// with no others.
func (r *tableReader) recount(ctx context.Context, from interaction.Table, c choice, bucket time.Duration) (interaction.Table, error) {
	var t interaction.Table
	for _, id := range c.ids {
		t.Conditions = append(t.Conditions, from.Conditions[id])
	}
	if e := r.entry(); e != nil && e.left == "" {
		for i := range e.states {
			t.Conditions = append(t.Conditions, condition.Condition{Dimension: e.name, Value: e.states[i].name()})
		}
	}
	kinds, err := r.countKinds(ctx, c, bucket)
	for _, k := range kinds {
		var row interaction.Row
		if bucket > 0 {
			row.Time = time.Unix(0, k.bucket*int64(bucket)).UTC()
		}
		for i := range c.ids {
			if k.held>>i&1 == 1 {
				row.Conditions = append(row.Conditions, condition.ID(i))
			}
		}
		if k.place > 0 { // codes of states are numbered from 1, conditions after the others
			row.Conditions = append(row.Conditions, condition.ID(len(c.ids)+int(k.place)-1))
		}
		for _, w := range k.weights() {
			row.Total, row.Failed, row.Weight = int(w.failed+w.ok), int(w.failed), w.each
			t.Rows = append(t.Rows, row)
		}
	}
	return t, err
}

// countKinds counts all lines by kind, in one query. The kinds are sorted.
func (r *tableReader) countKinds(ctx context.Context, c choice, bucket time.Duration) ([]lineKind, error) {
	if r.held != nil {
		return r.countKindsHeld(c, bucket), nil
	}
	bits := []string{"0"}
	for i, id := range c.ids {
		// The numbers are as narrow as they can be: wider ones, or shifts of truth
		// values, take half as long again as the whole query.
		bits = append(bits, fmt.Sprintf("CASE WHEN %s THEN %d ELSE 0 END", r.holdsSQL(r.meanings[id]), int64(1)<<i))
	}
	place := noWord
	if e := r.entry(); e != nil && e.left == "" {
		place = e.codeSQL(r.entryColumn)
	}
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(`SELECT %s AS bucket, %s AS held, %s AS place, CAST(sum(total) AS BIGINT), CAST(sum(failed) AS BIGINT), %s, %s
		FROM lines WHERE total > 0 GROUP BY ALL ORDER BY ALL`, bucketSQL(bucket), strings.Join(bits, " | "), place, r.unitsSQL(1), r.unitsSQL(2)))
	if err != nil {
		return nil, r.inFile(err)
	}
	defer rows.Close()
	var kinds []lineKind
	for rows.Next() {
		var k lineKind
		if err := rows.Scan(&k.bucket, &k.held, &k.place, &k.total, &k.failed, &k.units, &k.squares); err != nil {
			return nil, err
		}
		kinds = append(kinds, k)
	}
	return kinds, rows.Err()
}

// holdsSQL is true for a row of lines that has what the meaning says, and false or
// NULL for others.
func (r *tableReader) holdsSQL(m meaning) string {
	c := &r.columns[m.column]
	switch {
	case m.state == nil:
		x := c.numberSQL(m.column)
		list := []string{"isfinite(" + x + ")"}
		if !math.IsInf(m.within.low, -1) {
			list = append(list, x+" > "+doubleSQL(m.within.low))
		}
		if !math.IsInf(m.within.high, 1) {
			list = append(list, x+" <= "+doubleSQL(m.within.high))
		}
		return strings.Join(list, " AND ")
	case m.state.empty:
		return c.emptySQL(m.column)
	default:
		return c.stored.equalSQL(fmt.Sprintf("c%d", m.column), m.state.value)
	}
}
