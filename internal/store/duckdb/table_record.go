package duckdb

import (
	"fmt"
	"strings"
)

// Records are what the rows of the files say, in SQL: the columns that are
// offered, how many observations a row is, how many of them failed, and when.

// totalSQL is how many observations a row is, failedSQL how many of them
// failed; NULL where the row does not say.
func (r *tableReader) totalSQL(t columnType) string {
	if r.outcome.column != "" {
		return "CAST(1 AS BIGINT)"
	}
	return t.wholeSQL("told_count")
}

func (r *tableReader) failedSQL(t columnType) string {
	switch {
	case r.outcome.slow:
		return "CASE WHEN took IS NOT NULL THEN 0 END" // until there is a limit
	case r.outcome.column == "":
		return t.wholeSQL("told")
	case r.outcome.exact && r.outcome.value == "":
		return "CAST(NOT coalesce(" + t.someSQL("told") + ", false) AS BIGINT)"
	case r.outcome.exact:
		return "CAST(" + t.isSQL("told", r.outcome.value) + " AS BIGINT)"
	case t == typeBoolean:
		return "CAST(told AS BIGINT)"
	case t == typeWhole:
		return "CASE WHEN told = 0 THEN 0 WHEN told = 1 THEN 1 END"
	}
	// The plain forms come first: to fold the others costs more than the rest
	// of the query.
	return fmt.Sprintf("CASE WHEN %[1]s = '0' OR %[1]s = 'false' THEN 0 WHEN %[1]s = '1' OR %[1]s = 'true' THEN 1 WHEN list_contains(%[2]s, lower(trim(%[1]s))) THEN 1 WHEN list_contains(%[3]s, lower(trim(%[1]s))) THEN 0 END",
		t.textSQL("told"), trueWords, falseWords)
}

// wholeSQL is the cell as a number, or NULL if it is not a whole one of 0 or
// more. The bound keeps sums of many rows within 64 bits.
func (t columnType) wholeSQL(cell string) string {
	if t == typeWhole {
		return fmt.Sprintf("CASE WHEN %s BETWEEN 0 AND 1000000000000 THEN CAST(%[1]s AS BIGINT) END", cell)
	}
	x := t.numberSQL(cell)
	return fmt.Sprintf("CASE WHEN %s BETWEEN 0 AND 1e12 AND %[1]s = floor(%[1]s) THEN CAST(%[1]s AS BIGINT) END", x)
}

// timeSQL is the time of a row in microseconds since 1970, or NULL. A number is
// in seconds below 1e11 (the year 5138), else in milliseconds below 1e14, else
// in microseconds below 1e17, else in nanoseconds.
func (r *tableReader) timeSQL(t columnType) string {
	switch {
	case r.src.Time == "":
		return "CAST(0 AS BIGINT)"
	case t == typeMoment:
		return "CASE WHEN isfinite(told_time) THEN epoch_us(told_time) END"
	}
	if t != typeText {
		return sinceSQL(t.numberSQL("told_time"))
	}
	// What looks like a date is tried as one first, for to fail at reading a
	// number takes as long as to read a time. DuckDB finds that the number is there
	// more than once and reads it in each row, whatever the CASE around it: so it is
	// one of NULL where there is a date.
	const zoned = "epoch_us(try_cast(told_time AS TIMESTAMPTZ))"
	dated := "coalesce(" + plainTimeSQL + ", CASE WHEN told_time LIKE '____-%' THEN " + zoned + " END)"
	number := t.numberSQL("(CASE WHEN " + dated + " IS NULL THEN told_time END)")
	return "coalesce(" + dated + ", CASE WHEN " + number + " IS NULL THEN " + zoned + " ELSE " + sinceSQL(number) + " END)"
}

// sinceSQL is the time that a number says, in one of four units.
func sinceSQL(number string) string {
	return "CASE WHEN abs(" + number + ") < 1e11 THEN CAST(" + number + " * 1e6 AS BIGINT)" +
		" WHEN abs(" + number + ") < 1e14 THEN CAST(" + number + " * 1e3 AS BIGINT)" +
		" WHEN abs(" + number + ") < 1e17 THEN CAST(" + number + " AS BIGINT)" +
		" WHEN abs(" + number + ") < 1e19 THEN CAST(" + number + " / 1e3 AS BIGINT) END"
}

// plainTimeSQL is the time of a text that names no zone, or Z. DuckDB reads such a
// text three times as fast as one with a zone; and one without, as of the zone that
// a text before it may have named. What is no such time is NULL.
const plainTimeSQL = "CASE WHEN told_time LIKE '____-%' AND told_time NOT LIKE '%+%' AND told_time NOT LIKE '%-%-%-%'" +
	" THEN epoch_us(try_cast(told_time AS TIMESTAMP)) END"

// recordsSQL selects, for each row of the files, the columns as c<index>, and then
// total, failed, moment, bad and the cells that these were read from; and, if that is
// asked, stands, as standsSQL has it, and took, how long the row took, and whether it
// names its unit. Text may be empty as well as NULL, for to make it NULL would touch
// each cell of each query. A row that does not count has a total and a failed of 0. It
// is bad, and no mere gap, if a count is not a whole number, if more failed than there
// were, or if the outcome, the time or the weight cannot be read. That goes for the weight
// of a row that failed as well, although it is not used: a column with such a cell may be
// something else than weights.
//
// If the rows stay where they are, columns are in their own types, and n is the
// number of the row. The files' own names stay inside, where no name of ours can
// be taken for one of theirs.
func (r *tableReader) recordsSQL(columns []int, inPlace bool) string {
	typeOf := func(name string) columnType {
		if inPlace {
			return r.typeOf(name)
		}
		return typeText
	}
	var reads, renamed, keep []string
	for _, i := range columns {
		name := r.columns[i].name
		reads = append(reads, name)
		renamed = append(renamed, fmt.Sprintf("%s AS c%d", quoteName(name), i))
		keep = append(keep, fmt.Sprintf("c%d", i))
	}
	if inPlace {
		renamed = append(renamed, numberedRow+" AS n")
		keep = append(keep, "n")
	}
	toldColumn := r.outcome.column + r.src.Failures
	for _, told := range []struct{ name, column string }{
		{"told", toldColumn}, {"told_count", r.src.Count}, {"told_time", r.src.Time},
	} {
		if told.column == "" {
			renamed = append(renamed, "CAST(NULL AS VARCHAR) AS "+told.name)
			continue
		}
		reads = append(reads, told.column)
		renamed = append(renamed, quoteName(told.column)+" AS "+told.name)
	}
	if r.src.Weight != "" {
		reads = append(reads, r.src.Weight)
		renamed = append(renamed, quoteName(r.src.Weight)+" AS told_weight")
		keep = append(keep, typeOf(r.src.Weight).standsSQL()+" AS stands", "told_weight")
	}
	if r.outcome.slow {
		t := typeOf(toldColumn)
		keep = append(keep, t.durationSQL("told")+" AS took", t.unitSQL("told")+" AS unit")
	}
	timeType := typeOf(r.src.Time)
	keep = append(keep, r.totalSQL(typeOf(r.src.Count))+" AS total", r.failedSQL(typeOf(toldColumn))+" AS failed",
		r.timeSQL(timeType)+" AS moment", "told", "told_count", "told_time")
	from := "SELECT " + strings.Join(keep, ", ") + " FROM (SELECT " + strings.Join(renamed, ", ") + " FROM (" + r.relation(reads, inPlace) + "))"
	if r.complete {
		return from
	}
	bad := "(" + typeOf(toldColumn).someSQL("told") + " AND failed IS NULL)"
	if r.outcome.column == "" {
		bad = "total IS NULL OR failed IS NULL OR failed > total"
	}
	if r.src.Weight != "" {
		bad += " OR stands = 0"
	}
	const usable = "failed IS NOT NULL AND total IS NOT NULL AND moment IS NOT NULL"
	return "SELECT * REPLACE (CASE WHEN " + usable + " THEN total ELSE 0 END AS total," +
		" CASE WHEN " + usable + " THEN failed ELSE 0 END AS failed)," +
		" coalesce(" + bad + " OR (moment IS NULL AND " + timeType.someSQL("told_time") + "), false) AS bad" +
		" FROM (" + from + ")"
}
