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

// recount counts all rows by the chosen conditions, in one query, and returns
// them as a table with no others.
func (r *tableReader) recount(ctx context.Context, from interaction.Table, c choice, bucket time.Duration) (interaction.Table, error) {
	var t interaction.Table
	bits := []string{"CAST(0 AS BIGINT)"}
	for i, id := range c.ids {
		t.Conditions = append(t.Conditions, from.Conditions[id])
		bits = append(bits, fmt.Sprintf("(CAST(%s AS BIGINT) << %d)", r.holdsSQL(r.meanings[id]), i))
	}
	place := noWord
	if e := r.entry(); e != nil && e.left == "" {
		place = e.codeSQL(r.entryColumn)
		for i := range e.states {
			t.Conditions = append(t.Conditions, condition.Condition{Dimension: e.name, Value: e.states[i].name()})
		}
	}
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(`SELECT %s AS bucket, %s AS held, %s AS place, CAST(sum(total) AS BIGINT), CAST(sum(failed) AS BIGINT)
		FROM lines WHERE total > 0 GROUP BY ALL ORDER BY ALL`, bucketSQL(bucket), strings.Join(bits, " | "), place))
	if err != nil {
		return t, r.inFile(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at, held int64
		var place uint64
		var row interaction.Row
		if err := rows.Scan(&at, &held, &place, &row.Total, &row.Failed); err != nil {
			return t, err
		}
		if bucket > 0 {
			row.Time = time.Unix(0, at*int64(bucket)).UTC()
		}
		for i := range c.ids {
			if held>>i&1 == 1 {
				row.Conditions = append(row.Conditions, condition.ID(i))
			}
		}
		if place > 0 { // codes of states are numbered from 1, conditions after the others
			row.Conditions = append(row.Conditions, condition.ID(len(c.ids)+int(place)-1))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, rows.Err()
}

// holdsSQL reports whether a row of lines has what the meaning says.
func (r *tableReader) holdsSQL(m meaning) string {
	cell := fmt.Sprintf("c%d", m.column)
	switch {
	case m.state == nil:
		x := r.columns[m.column].numberSQL(m.column)
		list := []string{"isfinite(" + x + ")"}
		if !math.IsInf(m.within.low, -1) {
			list = append(list, fmt.Sprintf("%s > CAST('%v' AS DOUBLE)", x, m.within.low))
		}
		if !math.IsInf(m.within.high, 1) {
			list = append(list, fmt.Sprintf("%s <= CAST('%v' AS DOUBLE)", x, m.within.high))
		}
		return "coalesce(" + strings.Join(list, " AND ") + ", false)"
	case m.state.empty:
		return "(" + cell + " IS NULL)"
	default:
		return r.columns[m.column].stored.isSQL(cell, m.state.value)
	}
}
