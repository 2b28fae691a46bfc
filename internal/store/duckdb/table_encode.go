package duckdb

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// Empty is the value of the condition that a cell is empty, null or absent.
const Empty = "(empty)"

// noWord is a word without any column's code.
const noWord = "CAST(0 AS UBIGINT)"

// encode reads the rows that are mined. Each column becomes a small number, the
// numbers of a row are packed into a few words, and DuckDB adds up the rows whose
// words are the same: a string never leaves it twice.
func (r *tableReader) encode(ctx context.Context, bucket time.Duration) error {
	r.packed = packedRows{fields: make(map[int]packedField), words: 1}
	used := 0
	for _, i := range r.offered() {
		width := bits.Len(uint(r.columns[i].codes() - 1))
		if used+width > 64 {
			r.packed.words, used = r.packed.words+1, 0
		}
		r.packed.fields[i] = packedField{word: r.packed.words - 1, shift: used, width: width}
		used += width
	}
	if r.held != nil {
		return r.packHeld(ctx, bucket)
	}
	for _, i := range r.offered() {
		if err := r.createWords(ctx, i, &r.columns[i]); err != nil {
			return err
		}
	}
	return r.fetch(ctx, r.packedSQL(bucket))
}

// codes is how many codes a column has: 0 for nothing that is offered, then the
// parts between the cuts of its numbers, then its states.
func (c *candidate) codes() int {
	n := 1 + len(c.states)
	if c.number {
		n += len(c.cuts) + 1
	}
	return n
}

// unpacked returns the rows that were read as a table.
func (r *tableReader) unpacked(bucket time.Duration) interaction.Table {
	var t interaction.Table
	r.meanings = nil
	var fields []packedField
	var codes [][][]condition.ID
	for _, i := range r.offered() {
		fields = append(fields, r.packed.fields[i])
		codes = append(codes, r.conditions(i, &t))
	}
	t.Rows = make([]interaction.Row, len(r.packed.rows))
	var slab []condition.ID
	for i := range t.Rows {
		p := &r.packed.rows[i]
		row := interaction.Row{Total: int(p.total), Failed: int(p.failed)}
		if bucket > 0 {
			row.Time = time.Unix(0, p.bucket*int64(bucket)).UTC()
		}
		if p.failed < p.total && p.weight != 1 {
			row.Weight = p.weight
		}
		if len(slab)+len(t.Conditions) > cap(slab) {
			slab = make([]condition.ID, 0, max(1<<16, len(t.Conditions)))
		}
		start := len(slab)
		for k := range fields {
			slab = append(slab, codes[k][r.packed.code(i, fields[k])]...)
		}
		row.Conditions = slab[start:len(slab):len(slab)]
		t.Rows[i] = row
	}
	return t
}

// conditions adds the conditions of a column to the table and returns, for each
// code, which of them it means: the ranges that hold for each part between two
// cuts, then one condition for each state.
func (r *tableReader) conditions(column int, t *interaction.Table) [][]condition.ID {
	c := &r.columns[column]
	codes := make([][]condition.ID, 1, c.codes())
	add := func(value string, m meaning) condition.ID {
		t.Conditions = append(t.Conditions, condition.Condition{Dimension: c.name, Value: value})
		r.meanings = append(r.meanings, m)
		return condition.ID(len(t.Conditions) - 1)
	}
	ids := make([]condition.ID, len(c.ranges))
	for i, s := range c.ranges {
		ids[i] = add(s.String(), meaning{column: column, within: s})
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
	for i := range c.states {
		s := &c.states[i]
		codes = append(codes, []condition.ID{add(s.name(), meaning{column: column, state: s})})
	}
	return codes
}

// name is the value of the condition that a column has the state.
func (s *valueCount) name() string {
	if s.empty {
		return Empty
	}
	return s.value
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
	return r.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TYPE w%d AS ENUM (%s)", i, strings.Join(words, ", ")))
}

// codeSQL is the code of the column's value, in the order of conditions, given
// the cell and the number that it is.
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
	fmt.Fprintf(&b, " WHEN %s THEN %d", c.emptySQL(i), empty)
	if c.number {
		x := fmt.Sprintf("x%d", i)
		fmt.Fprintf(&b, " WHEN isfinite(%s) THEN %s", x, partSQL(x, c.cuts, 1))
	}
	if words < first+len(c.states) {
		fmt.Fprintf(&b, " ELSE coalesce(enum_code(try_cast(%s AS w%d)) + %d, 0)", c.cellSQL(i), i, words)
	} else {
		b.WriteString(" ELSE 0")
	}
	return "CAST(" + b.String() + " END AS UBIGINT)"
}

// partSQL is between which of the cuts a number is: first up to the first one,
// and one more for each cut that it is above. It halves the cuts again and again,
// so that a hundred of them take seven comparisons.
func partSQL(x string, cuts []float64, first int) string {
	if len(cuts) == 0 {
		return fmt.Sprint(first)
	}
	middle := len(cuts) / 2
	return fmt.Sprintf("CASE WHEN %s <= %s THEN %s ELSE %s END", x, doubleSQL(cuts[middle]),
		partSQL(x, cuts[:middle], first), partSQL(x, cuts[middle+1:], first+middle+1))
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

// packedSQL selects the rows that are mined, each a few words, and adds up those
// that are alike.
func (r *tableReader) packedSQL(bucket time.Duration) string {
	words := slices.Repeat([]string{noWord}, r.packed.words)
	for _, i := range r.offered() {
		f := r.packed.fields[i]
		words[f.word] += fmt.Sprintf(" | (c%d << %d)", i, f.shift)
	}
	for i := range words {
		words[i] += fmt.Sprintf(" AS w%d", i)
	}
	codes, cells := make([]string, 0, len(r.columns)+4), []string{"*"}
	for _, i := range r.offered() {
		c := &r.columns[i]
		codes = append(codes, fmt.Sprintf("%s AS c%d", c.codeSQL(i), i))
		if c.number { // each cell becomes a number once, not for each comparison
			cells = append(cells, fmt.Sprintf("%s AS x%d", c.numberSQL(i), i))
		}
	}
	weight, columns := "weight", append(codes, "total", "failed", "moment", "weight")
	if r.src.Weight != "" {
		weight = fmt.Sprintf("weight * CASE WHEN failed < total THEN stands / %s ELSE 1 END AS weight", doubleSQL(weightUnit))
		columns = append(columns, "stands")
	}
	return fmt.Sprintf(`SELECT %s AS bucket, %s, %s, CAST(sum(total) AS BIGINT), CAST(sum(failed) AS BIGINT)
		FROM (SELECT %s FROM (SELECT %s FROM (%s))) GROUP BY ALL ORDER BY ALL`, bucketSQL(bucket), strings.Join(words, ", "), weight,
		strings.Join(columns, ", "), strings.Join(cells, ", "), r.pickSQL(bucket))
}
