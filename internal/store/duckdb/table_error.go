package duckdb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/wording"
)

// exec runs a statement that returns no rows.
func (r *tableReader) exec(ctx context.Context, query string) error {
	if _, err := r.db.ExecContext(ctx, query); err != nil {
		return r.inFile(err)
	}
	return nil
}

// inFile makes an error of DuckDB one of ours, that names the file as it was
// given.
func (r *tableReader) inFile(err error) error {
	text := err.Error()
	short := tableError(err)
	for i := range r.files {
		f := &r.files[i]
		if len(r.files) == 1 || strings.Contains(text, f.path) {
			return fmt.Errorf("%s: %w", f.name, withName(short, f))
		}
	}
	return short
}

// withName replaces the path of a spooled file in an error's text.
func withName(err error, f *tableFile) error {
	if f.path == f.name || !strings.Contains(err.Error(), f.path) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), f.path, f.name))
}

// tableError returns the part of a DuckDB error that helps: where, what was
// expected, what was found. DuckDB adds pages of its own options to it.
func tableError(err error) error {
	d, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return err
	}
	if d.Type == duckdb.ErrorTypeOutOfMemory {
		return fmt.Errorf("out of memory: %s; allow more with --memory, or read fewer columns with --only", firstLine(d.Msg))
	}
	if at := regexp.MustCompile(`CSV Error on Line: (\d+)`).FindStringSubmatch(d.Msg); at != nil {
		return fmt.Errorf("line %s: %s", at[1], csvAdvice(d.Msg))
	}
	if strings.Contains(d.Msg, "state machine reached an invalid state") {
		return errors.New("lines cannot be told apart; do some end in CR LF and others not? Make them alike, as with sed 's/\\r$//'")
	}
	if at := regexp.MustCompile(`(?s)in line (\d+): (.*)`).FindStringSubmatch(d.Msg); at != nil {
		return fmt.Errorf("line %s: not JSON: %s", at[1], strings.TrimSuffix(sentence(at[2]), "."))
	}
	return errors.New(firstLine(d.Msg))
}

// csvAdvice says what a CSV error is about, and the way out. The message holds
// the line, our options and more; what it is about stands on a line of its own.
func csvAdvice(message string) string {
	if at := regexp.MustCompile(`(?m)^Expected Number of Columns: (\d+) Found: (\d+)`).FindStringSubmatch(message); at != nil {
		return fmt.Sprintf("%s columns, but the header has %s; a value that holds the delimiter or a line break needs quotes", at[2], at[1])
	}
	switch {
	case strings.Contains(message, "\nValue with unterminated quote"):
		return "a quote opens and never closes; a quote within a quoted value is written twice"
	case strings.Contains(message, "\nInvalid unicode"):
		return "not UTF-8 text; convert the file, as with iconv -t UTF-8"
	case strings.Contains(message, "Maximum line size"):
		return "longer than 2 MB; is a quote missing?"
	}
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, " Line: ") {
			return line
		}
	}
	return firstLine(message)
}

// firstLine is the first line of a message, without DuckDB's class of error.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if _, rest, ok := strings.Cut(line, " Error: "); ok {
		line = rest
	}
	return line
}

// sentence is text up to its first full stop that ends a sentence.
func sentence(text string) string {
	text = firstLine(text)
	before, _, _ := strings.Cut(text, ". ")
	return before
}

// checkOutcome reports a table whose rows cannot be used as the source says, or
// in which there is nothing to compare. bad is the number of rows that are
// wrong, which is not the same as empty.
func (r *tableReader) checkOutcome(ctx context.Context, bad int64) error {
	t := r.total
	o := r.outcome
	if bad > 0 {
		return r.explainBad(ctx, bad)
	}
	if left := t.lines - t.rows; o.column != "" && left > 0 && t.rows > 0 {
		empty := o.column
		if o.exact {
			empty = r.src.Time
		} else if r.src.Time != "" {
			empty += " or " + r.src.Time
		}
		r.notes = append(r.notes, fmt.Sprintf("%s of %s rows are left out: %s is empty in them.", wording.Count(left), wording.Count(t.lines), empty))
	}
	where := r.files[0].name
	said := "what failed"
	if o.slow {
		said = "how long it took"
	}
	if t.heavy > 0 {
		r.notes = append(r.notes, r.heavyNote())
	}
	switch {
	case t.lines == 0:
		return fmt.Errorf("%s: no rows below the header", where)
	case t.rows == 0:
		return fmt.Errorf("%s: %s rows, and in none of them is it said %s", where, wording.Count(t.lines), said)
	case o.slow:
		return r.checkSlow(ctx)
	case t.failed == 0 && o.exact:
		values, err := r.outcomeValues(ctx, "true")
		if err != nil {
			return err
		}
		return fmt.Errorf("--failed %s=%s: %w: %s is never %q; it is %s", o.column, o.value, ErrNothingFailed, o.column, o.value, values)
	case t.failed == 0:
		return fmt.Errorf("%s: %w, of %s", where, ErrNothingFailed, wording.Count(t.rows))
	case t.failed == t.rows:
		return fmt.Errorf("%s: %w (%s of %s); the rows that did not fail are needed to compare with", where, ErrEverythingFailed, wording.Count(t.failed), wording.Count(t.rows))
	}
	return nil
}

// explainBad says what is wrong with the rows that cannot be used.
func (r *tableReader) explainBad(ctx context.Context, bad int64) error {
	where := r.files[0].name
	o := r.outcome
	if o.slow {
		values, err := r.outcomeValues(ctx, "bad AND took IS NULL AND told <> ''")
		if err != nil {
			return err
		}
		if values != "" {
			return fmt.Errorf("--slow %s: no duration: %s; want numbers, or durations such as 120ms; a row that has none may leave it empty", o.column, values)
		}
	} else if o.column != "" && !o.exact {
		values, err := r.outcomeValues(ctx, "bad AND told <> '' AND NOT list_contains("+trueWords+", lower(trim(told))) AND NOT list_contains("+falseWords+", lower(trim(told)))")
		if err != nil {
			return err
		}
		if values != "" {
			return fmt.Errorf("--failed %s: neither true nor false: %s; say which value is a failure, as in --failed '%s=VALUE'", o.column, values, o.column)
		}
	}
	if err := r.explainWeight(ctx); err != nil {
		return err
	}
	var c, f, at string
	row := r.db.QueryRowContext(ctx, "SELECT coalesce(told_count, ''), coalesce(told, ''), coalesce(told_time, '') FROM ("+
		r.recordsSQL(nil, false)+") WHERE bad ORDER BY ALL LIMIT 1")
	if err := row.Scan(&c, &f, &at); err != nil {
		return r.inFile(err)
	}
	if r.src.Count != "" && !wholeCounts(c, f) {
		return fmt.Errorf("%s: %s of %s rows do not hold whole numbers with %s at most %s, such as %[5]s=%[6]q, %[4]s=%[7]q",
			where, wording.Count(bad), wording.Count(r.total.lines), r.src.Failures, r.src.Count, c, f)
	}
	return fmt.Errorf("%s: column %q: %s of %s rows hold no time, such as %q; want ISO 8601 text or seconds, milliseconds, microseconds or nanoseconds since 1970",
		where, r.src.Time, wording.Count(bad), wording.Count(r.total.lines), at)
}

// wholeCounts reports whether failures of count can be meant.
func wholeCounts(count, failures string) bool {
	n, err1 := strconv.ParseFloat(count, 64)
	f, err2 := strconv.ParseFloat(failures, 64)
	return err1 == nil && err2 == nil && f >= 0 && f <= n && n <= 1e12 && n == float64(int64(n)) && f == float64(int64(f))
}

// outcomeValues lists the most frequent values of the outcome's column, with
// how many rows have them.
func (r *tableReader) outcomeValues(ctx context.Context, where string) (string, error) {
	const most = 6
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf("SELECT coalesce(told, ''), count(*) FROM (%s) WHERE %s GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT %d",
		r.recordsSQL(nil, false), where, most+1))
	if err != nil {
		return "", r.inFile(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var value string
		var n int64
		if err := rows.Scan(&value, &n); err != nil {
			return "", err
		}
		if len(list) == most {
			list = append(list, "...")
			break
		}
		list = append(list, fmt.Sprintf("%q (%s)", value, wording.Plural(n, "row")))
	}
	return strings.Join(list, ", "), rows.Err()
}

// listNames is the names for an error, not more than fit on a few lines.
func listNames(names []string) string {
	const most = 30
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// closeNames returns up to three of the names that are spelt like name, the
// closest first.
func closeNames(name string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	var list []near
	folded := strings.ToLower(name)
	for _, n := range names {
		other := strings.ToLower(n)
		d := editDistance(folded, other)
		if len(folded) >= 3 && strings.Contains(other, folded) {
			d = min(d, 1)
		}
		if d <= max(1, len(folded)/3) && d < len(folded) {
			list = append(list, near{strconv.Quote(n), d})
		}
	}
	slices.SortStableFunc(list, func(a, b near) int { return a.distance - b.distance })
	var close []string
	for _, n := range list[:min(3, len(list))] {
		close = append(close, n.name)
	}
	return close
}

// editDistance is how many bytes have to be inserted, removed or replaced to
// make b from a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
