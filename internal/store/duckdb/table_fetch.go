package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// A packedField is where the code of a column stands in the words of a packed
// row, and which conditions each code means. Code 0 means none.
type packedField struct {
	word, shift, width int
	codes              [][]condition.ID
}

// held returns the conditions that the field's code in the row means.
func (f *packedField) held(cells []driver.Value) []condition.ID {
	word, _ := cells[1+f.word].(uint64)
	return f.codes[word>>f.shift&(1<<f.width-1)]
}

// A pick says which of the packed rows are used.
type pick struct {
	rows   int     // how many, about
	where  string  // SQL condition; empty if all are
	weight float64 // how many observations each success stands for
	note   string
}

// thin keeps the number of rows within the bound. Which rows are picked depends
// on their content alone. Those with failures are spared unless they alone are
// more than half of the bound; if not, all are thinned by the same factor, and
// successes by more.
func (r *tableReader) thin(ctx context.Context, words int) (pick, error) {
	var rows, failing int
	row := r.db.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (failed > 0) FROM packed")
	if err := row.Scan(&rows, &failing); err != nil {
		return pick{}, fmt.Errorf("count distinct rows: %w", err)
	}
	bound := max(r.src.MaxRows, 2)
	if rows <= bound {
		return pick{rows: rows, weight: 1}, nil
	}
	oneInFailing := max(1, (failing+bound/2-1)/(bound/2))
	room := max(1, bound-failing/oneInFailing)
	oneIn := max(oneInFailing, (rows-failing+room-1)/room)

	list := make([]string, words)
	for i := range list {
		list[i] = fmt.Sprintf("w%d", i)
	}
	p := pick{
		rows:   failing/oneInFailing + (rows-failing)/oneIn,
		where:  fmt.Sprintf(" WHERE hash(moment, %s) %% (CASE WHEN failed > 0 THEN %d ELSE %d END) = 0", strings.Join(list, ", "), oneInFailing, oneIn),
		weight: float64(oneIn) / float64(oneInFailing),
		note: fmt.Sprintf("The table has %s distinct rows, more than %s: one in %d of those without failures is used, and counted %[3]d times in risks; --only or --ignore make rows more alike.",
			wording.Count(int64(rows)), wording.Count(int64(bound)), oneIn),
	}
	if oneInFailing > 1 {
		p.note = fmt.Sprintf("The table has %s distinct rows, more than %s: one in %d of those without failures is used, and one in %d of those with; --only or --ignore make rows more alike.",
			wording.Count(int64(rows)), wording.Count(int64(bound)), oneIn, oneInFailing)
	}
	return p, nil
}

// fetch reads packed rows: the time, the words, total and failed. It asks the
// driver itself, for database/sql would take longer to convert the numbers than
// DuckDB to find them.
func (r *tableReader) fetch(ctx context.Context, p pick, fields []packedField, bucket time.Duration) ([]interaction.Row, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows := make([]interaction.Row, 0, p.rows)
	var slab []condition.ID
	err = conn.Raw(func(c any) error {
		packed, err := c.(driver.QueryerContext).QueryContext(ctx, "SELECT * FROM packed"+p.where+" ORDER BY ALL", nil)
		if err != nil {
			return r.inFile(err)
		}
		defer packed.Close()
		cells := make([]driver.Value, len(packed.Columns()))
		for {
			if err := packed.Next(cells); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return r.inFile(err)
			}
			row := interaction.Row{}
			row.Conditions, slab = unpack(cells, fields, slab)
			total, _ := cells[len(cells)-2].(int64)
			failed, _ := cells[len(cells)-1].(int64)
			row.Total, row.Failed = int(total), int(failed)
			if at, _ := cells[0].(int64); bucket > 0 {
				row.Time = time.Unix(0, at*int64(bucket)).UTC()
			}
			if failed == 0 && p.weight != 1 {
				row.Weight = p.weight
			}
			rows = append(rows, row)
		}
	})
	return rows, err
}

// unpack returns the conditions of one packed row. The lists of many rows share
// one piece of memory, the slab; unpack returns what is left of it.
func unpack(cells []driver.Value, fields []packedField, slab []condition.ID) (held, rest []condition.ID) {
	need := 0
	for i := range fields {
		need += len(fields[i].held(cells))
	}
	if len(slab)+need > cap(slab) {
		slab = make([]condition.ID, 0, max(1<<16, need))
	}
	start := len(slab)
	for i := range fields {
		slab = append(slab, fields[i].held(cells)...)
	}
	return slab[start:len(slab):len(slab)], slab
}
