package duckdb

import (
	"context"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// Empty is the value of the condition that a cell is empty, null or absent.
const Empty = "(empty)"

// noWord is a word without any column's code.
const noWord = "CAST(0 AS UBIGINT)"

// encode reads the rows. Each column becomes a small number, the numbers of a
// row are packed into a few words, and DuckDB adds up the rows whose words are
// the same: a string never leaves it twice.
func (r *tableReader) encode(ctx context.Context) (TableReading, error) {
	reading := TableReading{Rows: int(r.total.rows), Failed: int(r.total.failed), Notes: r.notes}
	var fields []packedField
	words := []string{noWord}
	word, used := 0, 0
	for i := range r.columns {
		c := &r.columns[i]
		reading.Columns = append(reading.Columns, c.report())
		if note := c.note(r.total); note != "" {
			reading.Notes = append(reading.Notes, note)
		}
		if c.left != "" {
			continue
		}
		codes := c.conditions(&reading.Table)
		if err := r.createWords(ctx, i, c); err != nil {
			return reading, err
		}
		f := packedField{word: word, shift: used, width: bits.Len(uint(len(codes) - 1)), codes: codes}
		if used+f.width > 64 {
			word, f.word, f.shift, used = word+1, word+1, 0, 0
		}
		used += f.width
		if f.word == len(words) {
			words = append(words, noWord)
		}
		words[f.word] += fmt.Sprintf(" | (c%d << %d)", i, f.shift)
		fields = append(fields, f)
	}
	reading.Bucket = r.bucket()
	if err := r.pack(ctx, words, reading.Bucket); err != nil {
		return reading, err
	}
	pick, err := r.thin(ctx, len(words))
	if err != nil {
		return reading, err
	}
	if pick.note != "" {
		reading.Notes = append(reading.Notes, pick.note)
	}
	reading.Table.Rows, err = r.fetch(ctx, pick, fields, reading.Bucket)
	return reading, err
}

// conditions adds the conditions of a column to the table and returns, for each
// code, which of them it means: the ranges that hold for each part between two
// cuts, then one condition for each state.
func (c *candidate) conditions(t *interaction.Table) [][]condition.ID {
	codes := [][]condition.ID{nil}
	add := func(value string) condition.ID {
		t.Conditions = append(t.Conditions, condition.Condition{Dimension: c.name, Value: value})
		return condition.ID(len(t.Conditions) - 1)
	}
	ids := make([]condition.ID, len(c.ranges))
	for i, s := range c.ranges {
		ids[i] = add(s.String())
	}
	if c.number {
		for part := range len(c.cuts) + 1 {
			var held []condition.ID
			for i, s := range c.ranges {
				if s.holds(c.cuts, part) {
					held = append(held, ids[i])
				}
			}
			codes = append(codes, held)
		}
	}
	for _, s := range c.states {
		value := s.value
		if s.empty {
			value = Empty
		}
		codes = append(codes, []condition.ID{add(value)})
	}
	return codes
}

// createWords creates the type that numbers the states of a column. The state
// of being empty, which sorts first, has no word.
func (r *tableReader) createWords(ctx context.Context, i int, c *candidate) error {
	words := make([]string, 0, len(c.states))
	for _, s := range c.states {
		if !s.empty {
			words = append(words, quoteText(s.value))
		}
	}
	if len(words) == 0 {
		return nil
	}
	return r.exec(ctx, fmt.Sprintf("CREATE TYPE w%d AS ENUM (%s)", i, strings.Join(words, ", ")))
}

// codeSQL is the code of the column's value, in the order of conditions.
func (c *candidate) codeSQL(i int) string {
	first := 1 // code of the first state
	var b strings.Builder
	b.WriteString("CASE")
	if c.number {
		first += len(c.cuts) + 1
	}
	empty, words := 0, first
	if len(c.states) > 0 && c.states[0].empty {
		empty, words = first, first+1
	}
	fmt.Fprintf(&b, " WHEN c%d IS NULL THEN %d", i, empty)
	if c.number {
		fmt.Fprintf(&b, " WHEN isfinite(try_cast(c%d AS DOUBLE)) THEN CASE", i)
		for part, cut := range c.cuts {
			fmt.Fprintf(&b, " WHEN try_cast(c%d AS DOUBLE) <= CAST('%v' AS DOUBLE) THEN %d", i, cut, part+1)
		}
		fmt.Fprintf(&b, " WHEN true THEN %d END", len(c.cuts)+1)
	}
	if words < first+len(c.states) {
		fmt.Fprintf(&b, " ELSE coalesce(enum_code(try_cast(c%d AS w%[1]d)) + %d, 0)", i, words)
	} else {
		b.WriteString(" ELSE 0")
	}
	return "CAST(" + b.String() + " END AS UBIGINT)"
}

// bucket returns the length of the strata of time: what was asked for, or else
// the round one next above a sixtieth of the time that the table covers.
func (r *tableReader) bucket() time.Duration {
	if r.src.Time == "" {
		return 0
	}
	if r.src.Bucket > 0 {
		return max(r.src.Bucket, time.Microsecond)
	}
	const day = 24 * time.Hour
	want := time.Duration(r.total.last-r.total.first) * time.Microsecond / 60
	for _, round := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 7 * day,
	} {
		if round >= want {
			return round
		}
	}
	return 30 * day
}

// pack adds up the rows that are alike.
func (r *tableReader) pack(ctx context.Context, words []string, bucket time.Duration) error {
	selected := make([]string, len(words))
	for i, w := range words {
		selected[i] = fmt.Sprintf("%s AS w%d", w, i)
	}
	moment := "CAST(0 AS BIGINT)"
	if bucket > 0 {
		moment = fmt.Sprintf("CAST(floor(moment / %d) AS BIGINT)", bucket.Microseconds())
	}
	return r.exec(ctx, fmt.Sprintf(`CREATE TEMP TABLE packed AS SELECT %s AS moment, %s,
		CAST(sum(total) AS BIGINT) AS total, CAST(sum(failed) AS BIGINT) AS failed
		FROM (%s) WHERE total > 0 GROUP BY ALL`, moment, strings.Join(selected, ", "), r.rowsSQL(r.offered(), func(i int) string { return r.columns[i].codeSQL(i) })))
}
