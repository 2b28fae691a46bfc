package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/internal/wording"
)

// findLimits finds how long a row may take, and tells the view lines.
func (r *tableReader) findLimits(ctx context.Context) error {
	if r.slow == nil {
		return nil
	}
	r.say("finding how long rows take")
	s := r.slow
	named, bare := int64(0), int64(1) // as in a column of numbers
	if !r.inPlace() || r.typeOf(s.Column) == typeText {
		const query = "SELECT count(*) FILTER (unit), count(*) FILTER (NOT unit) FROM lines WHERE total > 0"
		if err := r.db.QueryRowContext(ctx, query).Scan(&named, &bare); err != nil {
			return r.inFile(err)
		}
	}
	switch {
	case named > 0 && bare > 0:
		return fmt.Errorf("%s: column %q: %s name a unit and %s do not; want all durations in one way", r.files[0].name, s.Column,
			wording.Plural(named, "duration"), wording.Count(bare))
	case s.Quantile == 0 && named > 0 && s.Unit == "":
		return fmt.Errorf("--slow: the durations of %s name their units, so the limit needs one too, as in '%[1]s>%vms'", s.Column, s.Limit)
	case s.Quantile == 0 && bare > 0 && s.Unit != "":
		return fmt.Errorf("--slow: the durations of %s are plain numbers, so the limit is one too, in their unit, as in '%[1]s>250'", s.Column)
	case named > 0:
		s.Unit = "ns"
	}
	if s.Quantile > 0 {
		if err := r.findQuantiles(ctx); err != nil {
			return err
		}
	}
	r.limited = true
	return r.view(ctx)
}

// findQuantiles finds the quantile of all rows, or of those before a time, and
// that of each entry. Durations are counted in bins of five digits, which smaller
// whole numbers are by themselves: so there are few bins, whatever the number of
// rows. The limit is the largest duration of the bin that holds the quantile, so
// that it occurs, and no more rows are above it than the quantile lets.
func (r *tableReader) findQuantiles(ctx context.Context) error {
	entry, usual := "CAST(NULL AS VARCHAR)", "true"
	if e := r.entry(); e != nil {
		entry = e.textSQL(r.entryColumn)
	}
	if !r.slow.Before.IsZero() {
		usual = fmt.Sprintf("moment < %d", r.slow.Before.UnixMicro())
	}
	err := r.exec(ctx, fmt.Sprintf(`CREATE TEMP TABLE durations AS
		SELECT entry, max(took) FILTER (usual) AS took, count(*) FILTER (usual) AS n, count(*) AS lines
		FROM (SELECT %s AS entry, took, %s AS usual FROM lines WHERE total > 0)
		GROUP BY entry, CASE WHEN abs(took) < 1e5 AND took = floor(took) THEN took ELSE round(took, 4 - CAST(floor(log10(abs(took))) AS INTEGER)) END`, entry, usual))
	if err != nil {
		return err
	}
	s := r.slow
	quantile := fmt.Sprintf("min(took) FILTER (up >= %s * n - 1e-6)", doubleSQL(s.Quantile))
	var lines int64
	var limit sql.NullFloat64
	if err := r.db.QueryRowContext(ctx, `SELECT coalesce(max(lines), 0)::BIGINT, `+quantile+`
		FROM (SELECT took, sum(n) OVER (ORDER BY took) AS up, sum(n) OVER () AS n, sum(lines) OVER () AS lines FROM durations)`).Scan(&lines, &limit); err != nil {
		return r.inFile(err)
	}
	switch {
	case lines == 0:
		return nil // which is said of any outcome
	case !limit.Valid:
		return fmt.Errorf("--since: no row of %s is from before %s, so how long rows usually took is not known; give a limit, as in --slow '%s>250'",
			r.files[0].name, s.Before.Format(time.RFC3339), s.Column)
	}
	s.Limit = limit.Float64
	if r.entry() == nil {
		return nil
	}
	return r.findEntryLimits(ctx, quantile)
}

// findEntryLimits finds the quantile of each entry that has rows enough.
func (r *tableReader) findEntryLimits(ctx context.Context, quantile string) error {
	s := r.slow
	rows, err := r.db.QueryContext(ctx, `SELECT coalesce(entry, ''), entry IS NULL, coalesce(max(n), 0)::BIGINT, max(lines)::BIGINT, coalesce(`+quantile+`, 0)
		FROM (SELECT entry, took, sum(n) OVER (PARTITION BY entry ORDER BY took) AS up, sum(n) OVER (PARTITION BY entry) AS n,
			sum(lines) OVER (PARTITION BY entry) AS lines FROM durations)
		GROUP BY entry ORDER BY entry NULLS FIRST LIMIT `+strconv.Itoa(MaxValues+1))
	if err != nil {
		return r.inFile(err)
	}
	defer rows.Close()
	var thin, thinLines, entries int64
	for rows.Next() {
		var l EntryLimit
		var empty bool
		var lines int64
		if err := rows.Scan(&l.Entry, &empty, &l.Rows, &lines, &l.Limit); err != nil {
			return err
		}
		entries++
		switch {
		case l.Rows < fewDurations:
			thin, thinLines = thin+1, thinLines+lines
		default:
			if empty { // it comes first
				l.Entry, r.limitsEmpty = Empty, true
			}
			s.Entries = append(s.Entries, l)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if entries > MaxValues {
		return r.tooManyEntries(entries)
	}
	if thin > 0 {
		r.notes = append(r.notes, r.thinNote(thin, thinLines))
	}
	return r.nameEntries(ctx)
}

// thinNote says how many entries have no limit of their own.
func (r *tableReader) thinNote(entries, lines int64) string {
	before := ""
	if !r.slow.Before.IsZero() {
		before = " before " + r.slow.Before.Format(time.RFC3339)
	}
	return fmt.Sprintf("%s of %s had fewer than %d rows%s, too few to tell what is slow there: their %s count as slow above %s, the quantile of all rows.",
		wording.Plural(entries, "value"), r.src.Entry, fewDurations, before, wording.Plural(lines, "row"), r.slow.Text(r.slow.Limit))
}

// nameEntries creates the type that numbers the entries with limits of their own.
func (r *tableReader) nameEntries(ctx context.Context) error {
	var names []string
	for i, l := range r.slow.Entries {
		if i > 0 || !r.limitsEmpty {
			names = append(names, quoteText(l.Entry))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return r.exec(ctx, "CREATE TYPE took_entry AS ENUM ("+strings.Join(names, ", ")+")")
}

// checkSlow reports a table in which no row was slow, or all were.
func (r *tableReader) checkSlow(ctx context.Context) error {
	t, s := r.total, r.slow
	var least, most sql.NullFloat64
	if t.failed == 0 || t.failed == t.rows {
		if err := r.db.QueryRowContext(ctx, "SELECT min(took), max(took) FROM lines WHERE total > 0").Scan(&least, &most); err != nil {
			return r.inFile(err)
		}
	}
	limit := s.Column + " > " + s.Text(s.Limit)
	switch {
	case t.failed == 0 && s.Quantile > 0:
		return fmt.Errorf("%s: %w: none took longer than the quantile %v, which of all rows is %s; give a limit, as in --slow '%s>%[4]s'",
			r.files[0].name, ErrNothingSlow, s.Quantile, s.Text(s.Limit), s.Column)
	case t.failed == 0:
		return fmt.Errorf("--slow: %w: none has %s, and the longest took %s", ErrNothingSlow, limit, s.Text(most.Float64))
	case t.failed == t.rows:
		return fmt.Errorf("--slow: %w: all have %s, and the shortest took %s", ErrEverythingSlow, limit, s.Text(least.Float64))
	}
	return nil
}
