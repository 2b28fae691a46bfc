package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// inPlace reports whether the files can be asked where they are: all of them
// are Parquet, which gives one column without the others, and numbers its rows.
func (r *tableReader) inPlace() bool {
	for i := range r.files {
		if f := &r.files[i]; f.format != formatParquet || slices.Contains(f.columns, numberedRow) {
			return false
		}
	}
	return true
}

// load puts the rows where later queries can ask for them again and again. Those
// of Parquet stay where they are.
//
// Text is parsed once, which takes longer than all the rest, and held in memory. If
// that seems too much, or turns out to be, or if rows were slow, which is asked in SQL
// alone, it is copied into a Parquet file in the temporary directory: writing it costs
// what a temporary table would, and it takes a tenth of the memory, is faster to
// count, and can be any size. Either way rows are in the order of the files, so that their numbers mean
// the same however many threads there are.
func (r *tableReader) load(ctx context.Context) error {
	if !r.inPlace() {
		var size, lines int64
		for i := range r.files {
			size += r.files[i].size
			lines += r.files[i].lines
		}
		r.say(fmt.Sprintf("reading %d MB of text", size>>20))
		if r.slow == nil && lines*int64(r.heldLine()+heldCellBytes*len(r.offered())) <= int64(r.mostHeld) {
			err := r.hold(ctx)
			if err == nil {
				return nil
			} else if !errors.Is(err, errNotHeld) {
				return r.inFile(err)
			}
		}
		if err := r.exec(ctx, "COPY (SELECT * EXCLUDE ("+r.toldSQL()+") FROM ("+r.recordsSQL(r.offered(), false)+
			")) TO "+r.copy()+" (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 61440)"); err != nil {
			return err
		}
		r.copied = true
		if err := r.view(ctx); err != nil {
			return err
		}
	}
	// From here on the order costs time and does not matter.
	return r.exec(ctx, "SET preserve_insertion_order=false")
}

// copy is the file that text is copied into, as an SQL string.
func (r *tableReader) copy() string { return quoteText(filepath.Join(r.dir, "lines.parquet")) }

// view makes the view lines, by what is known by now: what recordsSQL has, and n,
// the number of the row. All queries ask it, unless the lines are held.
func (r *tableReader) view(ctx context.Context) error {
	var from string
	switch {
	case r.inPlace():
		from = r.recordsSQL(r.offered(), true)
	case r.copied:
		from = fmt.Sprintf("SELECT * RENAME (%s AS n) FROM read_parquet(%s, %[1]s=true)", numberedRow, r.copy())
	default:
		from = "SELECT *, row_number() OVER () - 1 AS n FROM (" + r.recordsSQL(r.offered(), false) + ")"
	}
	if r.limited {
		from = "SELECT * REPLACE (" + r.slowSQL() + " AS failed) FROM (" + from + ")"
	}
	return r.exec(ctx, "CREATE OR REPLACE TEMP VIEW lines AS "+from)
}

// tableTotal is what is known of a table before its columns are.
type tableTotal struct {
	lines, failing int64 // lines of the file, and those in which something failed
	rows, failed   int64 // observations
	first, last    int64 // microseconds since 1970, if time is known

	requests float64 // that the observations stand for
	heavy    int64   // lines of failures alone that have a weight above 1
}

// A stratum is a bucket of time, and how many lines of the file lie in it: in
// which something failed, and others.
type stratum struct{ bucket, failing, other int64 }

// mostStrata bounds the buckets that are counted one by one. A table that has
// more is sampled evenly over time.
const mostStrata = 20_000

// A bucketCount is what the lines of a bucket of time say.
type bucketCount struct {
	bucket         int64
	lines, failing int64 // lines, and those in which something failed
	counted        int64 // lines that count
	rows, failed   int64
	bad            int64   // lines that say what cannot be
	units          float64 // of weight: what the successes stand for
	heavy          int64   // as in tableTotal
}

// add counts a line.
func (c *bucketCount) add(total, failed, stands int64) {
	c.lines++
	c.units += float64(total-failed) * float64(stands)
	if failed == total && failed > 0 && stands > weightUnit {
		c.heavy++
	}
	c.rows += total
	c.failed += failed
	if total > 0 {
		c.counted++
	}
	if failed > 0 {
		c.failing++
	}
}

// measure counts the rows, by bucket of time, and checks that they say who
// failed. If all of them do, later queries of files in place need not ask again.
func (r *tableReader) measure(ctx context.Context) error {
	r.say("counting the failures")
	t := &r.total
	if err := r.findSpan(ctx); err != nil {
		return err
	}
	bucket := r.bucket()
	if r.buckets(bucket) > mostStrata {
		bucket = 0
	}
	counts, err := r.countBuckets(ctx, bucket)
	if err != nil {
		return err
	}
	var bad, counted int64
	for _, c := range counts {
		t.lines, t.failing, t.rows, t.failed = t.lines+c.lines, t.failing+c.failing, t.rows+c.rows, t.failed+c.failed
		t.requests, t.heavy = t.requests+float64(c.failed)+c.units/weightUnit, t.heavy+c.heavy
		bad, counted = bad+c.bad, counted+c.counted
		r.strata = append(r.strata, stratum{c.bucket, c.failing, c.counted - c.failing})
	}
	if err := r.checkOutcome(ctx, bad); err != nil {
		return err
	}
	if counted == t.lines && r.inPlace() {
		r.complete = true
		return r.view(ctx)
	}
	return nil
}

// countBuckets counts the lines by bucket of time, ascending.
func (r *tableReader) countBuckets(ctx context.Context, bucket time.Duration) ([]bucketCount, error) {
	if r.held != nil {
		return r.held.countBuckets(bucket), nil
	}
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(`SELECT coalesce(%s, 0) AS bucket, count(*), count(*) FILTER (failed > 0), count(*) FILTER (total > 0),
		coalesce(sum(total), 0)::BIGINT, coalesce(sum(failed), 0)::BIGINT, count(*) FILTER (bad), %s, %s
		FROM lines GROUP BY bucket ORDER BY bucket`, bucketSQL(bucket), r.unitsSQL(1), r.heavySQL()))
	if err != nil {
		return nil, r.inFile(err)
	}
	defer rows.Close()
	var counts []bucketCount
	for rows.Next() {
		var c bucketCount
		if err := rows.Scan(&c.bucket, &c.lines, &c.failing, &c.counted, &c.rows, &c.failed, &c.bad, &c.units, &c.heavy); err != nil {
			return nil, err
		}
		counts = append(counts, c)
	}
	return counts, rows.Err()
}

// findSpan finds the time that the table covers. Of a column of timestamps in
// Parquet the file itself says it.
func (r *tableReader) findSpan(ctx context.Context) error {
	if r.src.Time == "" {
		return nil
	}
	if r.held != nil {
		r.total.first, r.total.last = r.held.first, r.held.last
		return nil
	}
	query := "SELECT min(moment), max(moment) FROM lines"
	if r.inPlace() && r.typeOf(r.src.Time) == typeMoment {
		query = fmt.Sprintf("SELECT CASE WHEN isfinite(low) AND isfinite(high) THEN epoch_us(low) ELSE 0 END, CASE WHEN isfinite(low) AND isfinite(high) THEN epoch_us(high) ELSE 0 END"+
			" FROM (SELECT min(%[1]s) AS low, max(%[1]s) AS high FROM (%s))", quoteName(r.src.Time), r.relation([]string{r.src.Time}, true))
	}
	var first, last sql.NullInt64
	if err := r.db.QueryRowContext(ctx, query).Scan(&first, &last); err != nil {
		return r.inFile(err)
	}
	r.total.first, r.total.last = first.Int64, last.Int64
	return nil
}
