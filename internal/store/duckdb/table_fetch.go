package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// Packed rows are the rows that are mined, as codes.
type packedRows struct {
	fields map[int]packedField // by column
	words  int                 // of a row
	rows   []packedRow
	codes  []uint64 // the words of all rows
}

// A packedField is where the code of a column stands in the words of a row.
type packedField struct{ word, shift, width int }

// A packedRow is what a row counts.
type packedRow struct {
	bucket        int64
	weight        float64
	total, failed int64
}

// code is the code of a column in a row.
func (p *packedRows) code(row int, f packedField) int {
	return int(p.codes[row*p.words+f.word] >> f.shift & (1<<f.width - 1))
}

// part is between which cuts of a column of numbers the row's number lies, from
// 1; 0 if it has none.
func (r *tableReader) part(row, column int) int {
	code := r.packed.code(row, r.packed.fields[column])
	if code > len(r.columns[column].cuts)+1 {
		return 0 // a word
	}
	return code
}

// fetch reads packed rows. It asks the driver itself, for database/sql would take
// longer to convert the numbers than DuckDB to find them.
func (r *tableReader) fetch(ctx context.Context, query string) error {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		packed, err := c.(driver.QueryerContext).QueryContext(ctx, query, nil)
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
			var row packedRow
			row.bucket, _ = cells[0].(int64)
			for _, cell := range cells[1 : 1+r.packed.words] {
				word, _ := cell.(uint64)
				r.packed.codes = append(r.packed.codes, word)
			}
			row.weight, _ = cells[len(cells)-3].(float64)
			row.total, _ = cells[len(cells)-2].(int64)
			row.failed, _ = cells[len(cells)-1].(int64)
			r.packed.rows = append(r.packed.rows, row)
		}
	})
}
