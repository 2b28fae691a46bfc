package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
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

// load makes the view lines, of which all later queries ask: what recordsSQL
// has, and n, the number of the row.
//
// Text is parsed once, which takes longer than all the rest, into a Parquet file
// in the temporary directory: writing it costs what a temporary table would, and
// it takes a tenth of the memory, is faster to count, and can be any size. Rows
// are written in the order of the files, so that their numbers mean the same
// however many threads there are.
func (r *tableReader) load(ctx context.Context) error {
	if r.inPlace() {
		return r.view(ctx)
	}
	var size int64
	for i := range r.files {
		size += r.files[i].size
	}
	r.say(fmt.Sprintf("reading %d MB of text", size>>20))
	if err := r.exec(ctx, "COPY (SELECT * EXCLUDE (told, told_count, told_time) FROM ("+r.recordsSQL(r.offered(), false)+
		")) TO "+r.copied()+" (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 61440)"); err != nil {
		return err
	}
	return r.view(ctx)
}

// copied is the file that text is parsed into, as an SQL string.
func (r *tableReader) copied() string { return quoteText(filepath.Join(r.dir, "lines.parquet")) }

// view makes the view lines, by what is known by now.
func (r *tableReader) view(ctx context.Context) error {
	from := fmt.Sprintf("SELECT * RENAME (%s AS n) FROM read_parquet(%s, %[1]s=true)", numberedRow, r.copied())
	if r.inPlace() {
		from = r.recordsSQL(r.offered(), true)
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
}

// A stratum is a bucket of time, and how many lines of the file lie in it: in
// which something failed, and others.
type stratum struct{ bucket, failing, other int64 }

// mostStrata bounds the buckets that are counted one by one. A table that has
// more is sampled evenly over time.
const mostStrata = 20_000

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
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(`SELECT coalesce(%s, 0) AS bucket, count(*), count(*) FILTER (failed > 0),
		coalesce(sum(total), 0)::BIGINT, coalesce(sum(failed), 0)::BIGINT, count(*) FILTER (bad), count(*) FILTER (total > 0)
		FROM lines GROUP BY bucket ORDER BY bucket`, bucketSQL(bucket)))
	if err != nil {
		return r.inFile(err)
	}
	defer rows.Close()
	var bad, whole int64
	for rows.Next() {
		var s stratum
		var lines, all, failed, wrong, some int64
		if err := rows.Scan(&s.bucket, &lines, &s.failing, &all, &failed, &wrong, &some); err != nil {
			return err
		}
		t.lines, t.failing, t.rows, t.failed = t.lines+lines, t.failing+s.failing, t.rows+all, t.failed+failed
		bad, whole = bad+wrong, whole+some
		s.other = some - s.failing
		r.strata = append(r.strata, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := r.checkOutcome(ctx, bad); err != nil {
		return err
	}
	if whole == t.lines && r.inPlace() {
		r.complete = true
		return r.view(ctx)
	}
	return nil
}

// findSpan finds the time that the table covers. Of a column of timestamps in
// Parquet the file itself says it.
func (r *tableReader) findSpan(ctx context.Context) error {
	if r.src.Time == "" {
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
