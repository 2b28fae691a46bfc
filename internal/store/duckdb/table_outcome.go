package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A tableOutcome says how many observations a row is and how many of them failed.
type tableOutcome struct {
	column string // what --failed names; empty for counts
	value  string // what it is in rows that failed, if exact
	exact  bool
}

// The words that a column of true and false is written in, in lower case.
// DuckDB writes a number of a Parquet file with its decimals.
const (
	trueWords  = "('1', 'true', 't', 'yes', 'y', '1.0')"
	falseWords = "('0', 'false', 'f', 'no', 'n', '0.0')"
)

// findRoles finds the columns that the source names, and those that are
// offered as conditions.
func (r *tableReader) findRoles(context.Context) error {
	names := r.files[0].columns
	taken := make(map[string]string) // column to its role
	for _, role := range []struct{ flag, column string }{
		{"--count", r.src.Count}, {"--failures", r.src.Failures}, {"--time", r.src.Time},
	} {
		if role.column == "" {
			continue
		}
		if err := r.known(role.flag, role.column); err != nil {
			return err
		}
		if other := taken[role.column]; other != "" {
			return fmt.Errorf("%s: column %q is already %s", role.flag, role.column, other)
		}
		taken[role.column] = role.flag
	}
	if r.src.Failed != "" {
		var err error
		if r.outcome, err = r.parseFailed(r.src.Failed); err != nil {
			return err
		}
		if other := taken[r.outcome.column]; other != "" {
			return fmt.Errorf("--failed: column %q is already %s", r.outcome.column, other)
		}
		taken[r.outcome.column] = "--failed"
	}
	for _, choice := range []struct {
		flag    string
		columns []string
	}{{"--only", r.src.Only}, {"--ignore", r.src.Ignore}} {
		for _, c := range choice.columns {
			if err := r.known(choice.flag, c); err != nil {
				return err
			}
		}
	}
	for _, name := range names {
		switch {
		case taken[name] != "":
		case len(r.src.Only) > 0 && !slices.Contains(r.src.Only, name):
		case slices.Contains(r.src.Ignore, name):
		default:
			r.columns = append(r.columns, candidate{name: name, named: slices.Contains(r.src.Only, name)})
		}
	}
	switch n := len(r.columns); {
	case n == 0:
		return fmt.Errorf("%s: no column is left to explain the failures with (columns: %s)", r.files[0].name, listNames(names))
	case n > maxColumns:
		return fmt.Errorf("%s: %d columns; want at most %d, choose with --only or --ignore", r.files[0].name, n, maxColumns)
	}
	return nil
}

// maxColumns bounds the columns that one query groups by.
const maxColumns = 500

// parseFailed tells "COLUMN" from "COLUMN=VALUE". A column may have an equals
// sign in its name, so the longest name that fits is meant.
func (r *tableReader) parseFailed(arg string) (tableOutcome, error) {
	names := r.files[0].columns
	if slices.Contains(names, arg) {
		return tableOutcome{column: arg}, nil
	}
	for at := strings.LastIndexByte(arg, '='); at >= 0; at = strings.LastIndexByte(arg[:at], '=') {
		if slices.Contains(names, arg[:at]) {
			return tableOutcome{column: arg[:at], value: arg[at+1:], exact: true}, nil
		}
	}
	name, _, _ := strings.Cut(arg, "=")
	return tableOutcome{}, r.known("--failed", name)
}

// known reports a column that the table does not have, with the ones that it
// has and that are spelt alike.
func (r *tableReader) known(flag, name string) error {
	first := r.files[0]
	if slices.Contains(first.columns, name) {
		return nil
	}
	if close := closeNames(name, first.columns); len(close) > 0 {
		return fmt.Errorf("%s: %s has no column %q; did you mean %s?", flag, first.name, name, strings.Join(close, " or "))
	}
	return fmt.Errorf("%s: %s has no column %q (columns: %s)", flag, first.name, name, listNames(first.columns))
}

// totalSQL is how many observations a row is, failedSQL how many of them
// failed; NULL where the row does not say.
func (r *tableReader) totalSQL() string {
	if r.outcome.column != "" {
		return "CAST(1 AS BIGINT)"
	}
	return wholeNumber("told_count")
}

func (r *tableReader) failedSQL() string {
	switch {
	case r.outcome.column == "":
		return wholeNumber("told")
	case r.outcome.exact:
		return fmt.Sprintf("CAST(coalesce(told, '') = %s AS BIGINT)", quoteText(r.outcome.value))
	default:
		// The plain forms come first: to fold the others costs more than the rest
		// of the query.
		return fmt.Sprintf("CASE WHEN told = '0' OR told = 'false' THEN 0 WHEN told = '1' OR told = 'true' THEN 1 WHEN lower(trim(told)) IN %s THEN 1 WHEN lower(trim(told)) IN %s THEN 0 END", trueWords, falseWords)
	}
}

// wholeNumber is the text as a number, or NULL if it is not a whole one of 0 or
// more. The bound keeps sums of many rows within 64 bits.
func wholeNumber(text string) string {
	x := fmt.Sprintf("try_cast(%s AS DOUBLE)", text)
	return fmt.Sprintf("CASE WHEN %s BETWEEN 0 AND 1e12 AND %[1]s = floor(%[1]s) THEN CAST(%[1]s AS BIGINT) END", x)
}

// timeSQL is the time of a row in microseconds since 1970, or NULL. A number is
// in seconds below 1e11 (the year 5138), else in milliseconds below 1e14, else
// in microseconds below 1e17, else in nanoseconds.
func (r *tableReader) timeSQL() string {
	if r.src.Time == "" {
		return "CAST(0 AS BIGINT)"
	}
	const number = "try_cast(told_time AS DOUBLE)"
	return "CASE WHEN " + number + " IS NULL THEN epoch_us(try_cast(told_time AS TIMESTAMPTZ))" +
		" WHEN abs(" + number + ") < 1e11 THEN CAST(" + number + " * 1e6 AS BIGINT)" +
		" WHEN abs(" + number + ") < 1e14 THEN CAST(" + number + " * 1e3 AS BIGINT)" +
		" WHEN abs(" + number + ") < 1e17 THEN CAST(" + number + " AS BIGINT)" +
		" WHEN abs(" + number + ") < 1e19 THEN CAST(" + number + " / 1e3 AS BIGINT) END"
}

// rowsSQL selects, for each row of the table, what the columns are by key, each
// under its name c<index>, and total, failed, moment and bad as recordsSQL has
// them.
func (r *tableReader) rowsSQL(columns []int, key func(i int) string) string {
	keys := make([]string, len(columns))
	for i, c := range columns {
		keys[i] = fmt.Sprintf("%s AS c%d", key(c), c)
	}
	return "SELECT " + strings.Join(append(keys, "total", "failed", "moment", "bad"), ", ") + " FROM lines"
}

// recordsSQL selects, for each row of the files, the text of the columns as
// c<index>, NULL if it is empty, and then total, failed, moment, bad and the
// texts that these were read from. A row that does not count has a total and a
// failed of 0. It is bad, and no mere gap, if a count is not a whole number, if
// more failed than there were, or if the outcome or the time cannot be read.
//
// The files' own names stay inside, where no name of ours can be taken for one
// of theirs.
func (r *tableReader) recordsSQL(columns []int) string {
	var reads, renamed, keep []string
	for _, i := range columns {
		name := r.columns[i].name
		reads = append(reads, name)
		renamed = append(renamed, fmt.Sprintf("nullif(%s, '') AS c%d", quoteName(name), i))
		keep = append(keep, fmt.Sprintf("c%d", i))
	}
	for _, told := range []struct{ name, column string }{
		{"told", r.outcome.column + r.src.Failures}, {"told_count", r.src.Count}, {"told_time", r.src.Time},
	} {
		if told.column == "" {
			renamed = append(renamed, "NULL AS "+told.name)
			continue
		}
		reads = append(reads, told.column)
		renamed = append(renamed, quoteName(told.column)+" AS "+told.name)
	}
	keep = append(keep, r.totalSQL()+" AS total", r.failedSQL()+" AS failed", r.timeSQL()+" AS moment", "told", "told_count", "told_time")

	bad := "(told <> '' AND failed IS NULL)"
	if r.outcome.column == "" {
		bad = "total IS NULL OR failed IS NULL OR failed > total"
	}
	const usable = "failed IS NOT NULL AND total IS NOT NULL AND moment IS NOT NULL"
	return "SELECT * REPLACE (CASE WHEN " + usable + " THEN total ELSE 0 END AS total," +
		" CASE WHEN " + usable + " THEN failed ELSE 0 END AS failed)," +
		" coalesce(" + bad + " OR (moment IS NULL AND told_time <> ''), false) AS bad" +
		" FROM (SELECT " + strings.Join(keep, ", ") + " FROM (SELECT " + strings.Join(renamed, ", ") + " FROM (" + r.relation(reads) + ")))"
}
