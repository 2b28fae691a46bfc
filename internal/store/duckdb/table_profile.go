package duckdb

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"example.test/eddy/internal/wording"
)

// What a column may hold and still be offered as conditions.
const (
	// MaxNumbers is how many different numbers a column may have before they
	// become ranges: the hours of a day and the days of a month stay values.
	MaxNumbers = 32
	// MaxValues is how many different values a column may have before it is left
	// out.
	MaxValues = 10_000

	// maxWords is how many different words, such as "n/a", a column may have
	// beside its numbers and still count as one of numbers.
	maxWords = 5
	// fewValues is how many different values a column may always have; above it,
	// one that tells more than half of the rows apart is left out.
	fewValues = 20
)

// manyNumbers is how many different numbers among sampleLines mean that there
// may be about as many as rows, which is too many to count each by itself.
const manyNumbers = 10_800

// sampleLines is how many lines of the files are looked at to guess which
// columns are numbers, before all lines are read; enough to see that a column
// has more than MaxValues values.
const sampleLines = 12_000

// A candidate is a column that is offered as conditions, and what is known of it.
type candidate struct {
	name   string
	named  bool       // by --only
	entry  bool       // it says where a row came in, and is no condition
	stored columnType // of its cells in lines

	times  bool // its cells are dates or times
	number bool // its values become ranges
	many   bool // of which there are too many to count each by itself
	digits int  // significant ones that tell its numbers apart well enough
	left   string

	values int64 // different ones, of which
	states []valueCount

	// Of a column of numbers: how often each occurs, ascending; the ranges that
	// it offers; and where ranges can be cut.
	numbers []numberCount
	ranges  []numberRange
	cuts    []float64
}

// A valueCount is a value of a column, and how often it occurs.
type valueCount struct {
	value    string
	empty    bool
	lines    int64
	total    int64
	failed   int64
	requests int64 // that the observations stand for
}

// numberPattern is what is taken for a number: as programs write them. Leading
// zeros, as in "007", and plus signs make a name, not a number.
const numberPattern = `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`

// textSQL is the text of the column's cell in lines, numberSQL the number that
// it is, if it is one, and emptySQL whether there is nothing in it.
func (c *candidate) textSQL(i int) string {
	if c.stored == typeText {
		return fmt.Sprintf("nullif(c%d, '')", i)
	}
	return c.cellSQL(i)
}

// cellSQL is the same of a cell that is known not to be empty.
func (c *candidate) cellSQL(i int) string { return c.stored.textSQL(fmt.Sprintf("c%d", i)) }

func (c *candidate) numberSQL(i int) string { return c.stored.numberSQL(fmt.Sprintf("c%d", i)) }
func (c *candidate) emptySQL(i int) string {
	if c.stored == typeText {
		return fmt.Sprintf("(c%d IS NULL OR c%[1]d = '')", i)
	}
	return fmt.Sprintf("(c%d IS NULL)", i)
}

// takeSample guesses from the first lines which columns are numbers, and leaves
// out those that number the rows and those that already have too many values.
func (r *tableReader) takeSample(ctx context.Context) error {
	list := make([]string, len(r.columns))
	for i := range r.columns {
		list[i] = fmt.Sprintf("%s AS c%d", r.columns[i].textSQL(i), i)
	}
	// The order of the file shows a column that numbers the rows.
	if err := r.exec(ctx, fmt.Sprintf("CREATE TEMP TABLE sample AS SELECT %s, n FROM lines LIMIT %d", strings.Join(list, ", "), sampleLines)); err != nil {
		return err
	}
	parts := make([]string, len(r.columns))
	for i := range r.columns {
		parts[i] = fmt.Sprintf(`SELECT %[1]d AS col, count(value), count(value) FILTER (number),
			coalesce(bool_and(value = '' OR moment), false) AND count(value) FILTER (moment) > 1,
			coalesce(min(x) FILTER (number), 0), coalesce(max(x) FILTER (number), 0), (SELECT count(*) FROM sample)
			FROM (SELECT value, regexp_full_match(value, %[2]s) AS number, try_cast(value AS DOUBLE) AS x,
				value LIKE '____-__-__%%' AND try_cast(value AS TIMESTAMP) IS NOT NULL AS moment
				FROM (SELECT DISTINCT c%[1]d AS value FROM sample))`, i, quoteText(numberPattern))
	}
	rows, err := r.db.QueryContext(ctx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return r.inFile(err)
	}
	defer rows.Close()
	var unique []int
	for rows.Next() {
		var i, values, numbers, lines int
		var times bool
		var least, most float64
		if err := rows.Scan(&i, &values, &numbers, &times, &least, &most, &lines); err != nil {
			return err
		}
		c := &r.columns[i]
		if c.entry {
			continue
		}
		c.times = times
		c.number = numbers > MaxNumbers && values-numbers <= maxWords
		c.many = c.number && numbers > manyNumbers
		c.digits = digitsFor(least, most)
		if values == lines && lines >= 20 && !c.named {
			unique = append(unique, i)
		}
		if values > MaxValues && !c.number {
			c.left = fmt.Sprintf("it has more than %s different values", wording.Count(MaxValues))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return r.findCounters(ctx, unique)
}

// findCounters leaves out the columns that number the rows, of those that have a
// value of its own in each row of the sample.
func (r *tableReader) findCounters(ctx context.Context, unique []int) error {
	for _, i := range unique {
		var counts bool
		if err := r.db.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) = count(x) AND count(DISTINCT x - n) = 1
			FROM (SELECT try_cast(c%d AS BIGINT) AS x, n FROM sample)`, i)).Scan(&counts); err != nil {
			return r.inFile(err)
		}
		if counts {
			r.columns[i].left = "it numbers the rows"
		}
	}
	return nil
}

// digitsFor returns how many significant digits tell a thousand numbers apart
// between least and most: three, and more where all begin alike, as times do.
func digitsFor(least, most float64) int {
	spread := most - least
	if spread <= 0 {
		return 3
	}
	const slack = 1.3 // numbers from 1 to 1000 need no fourth digit
	size := max(math.Abs(least), math.Abs(most))
	return min(17, 3+max(0, int(math.Ceil(math.Log10(size/spread/slack)))))
}

// roundedSQL is the value as a number, cut to the digits that matter and written
// one way; a word stays as it is.
func roundedSQL(value string, digits int) string {
	return fmt.Sprintf("CASE WHEN isfinite(try_cast(%s AS DOUBLE)) THEN format('{:.%de}', try_cast(%[1]s AS DOUBLE)) ELSE %[1]s END", value, digits-1)
}

// keysSQL are what the cells of a column are counted by, as a word and a number.
// A column of very many numbers is counted by its numbers cut to the digits that
// matter, or it could fill the memory; they are cut as numbers, for to write each
// as text would take longer than the rest of the query.
func (c *candidate) keysSQL(i int) (word, number string) {
	if !c.many {
		return fmt.Sprintf("c%d", i), "CAST(NULL AS DOUBLE)"
	}
	x := c.numberSQL(i)
	finite := fmt.Sprintf("coalesce(isfinite(%s), false)", x)
	return fmt.Sprintf("CASE WHEN NOT %s THEN %s END", finite, c.textSQL(i)),
		fmt.Sprintf("CASE WHEN %s THEN CASE WHEN %[2]s = 0 THEN 0 ELSE round(%[2]s, %[3]d - CAST(floor(log10(abs(%[2]s))) AS INTEGER)) END END", finite, x, c.digits-1)
}

// offered are the columns that are not left out, so far.
func (r *tableReader) offered() []int {
	var list []int
	for i, c := range r.columns {
		if c.left == "" {
			list = append(list, i)
		}
	}
	return list
}

// profile counts how often each value of each column occurs: in all rows, or in
// the sample of a very large table, for all rows. That is a count by one column
// for each, in one statement: counts over GROUPING SETS took as long, and more
// memory.
func (r *tableReader) profile(ctx context.Context) error {
	if len(r.offered()) == 0 {
		return nil
	}
	r.say(fmt.Sprintf("counting the values of %s", wording.Plural(len(r.offered()), "column")))
	if r.held != nil {
		return r.profileHeld(ctx)
	}
	from, lines, total, failed, requests := "lines", "count(*)", "sum(total)", "sum(failed)", r.requestsSQL("1")
	if r.drawn {
		each := r.shares().failing
		from, lines = "drawn", fmt.Sprintf("round(sum(weight) / %v)", each)
		total, failed = fmt.Sprintf("round(sum(total * weight) / %v)", each), fmt.Sprintf("round(sum(failed) / %v)", each)
		requests = fmt.Sprintf("round(%s / %v)", r.requestsSQL("weight"), each)
	}
	var parts []string
	for _, i := range r.offered() {
		c := &r.columns[i]
		word, number := c.keysSQL(i)
		value := "word"
		switch {
		case c.stored != typeText && !c.many:
			value = "CAST(word AS VARCHAR)"
		case !c.many:
			value = "nullif(word, '')"
		}
		parts = append(parts, fmt.Sprintf(`SELECT %d AS col, coalesce(CAST(number AS VARCHAR), %s) AS value, lines, total, failed, requests FROM (
			SELECT %s AS word, %s AS number, %s AS lines, %s AS total, %s AS failed, %s AS requests FROM %s GROUP BY ALL)`,
			i, value, word, number, lines, total, failed, requests, from))
	}
	// Empty and NULL have been counted apart.
	return r.exec(ctx, `CREATE TEMP TABLE profile AS
		SELECT col, value, sum(lines)::BIGINT AS lines, sum(total)::BIGINT AS total, sum(failed)::BIGINT AS failed, sum(requests)::BIGINT AS requests
		FROM (`+strings.Join(parts, " UNION ALL ")+") GROUP BY col, value")
}

// choose decides what becomes of each column, from how often its values occur.
func (r *tableReader) choose(ctx context.Context) error {
	if len(r.offered()) == 0 {
		return nil
	}
	rows, err := r.db.QueryContext(ctx, `SELECT col, count(*), count(value) FILTER (number),
		count(value) FILTER (NOT number), coalesce(min(x) FILTER (number), 0), coalesce(max(x) FILTER (number), 0)
		FROM (SELECT col, value, regexp_full_match(value, ?) AS number, try_cast(value AS DOUBLE) AS x FROM profile)
		GROUP BY col`, numberPattern)
	if err != nil {
		return r.inFile(err)
	}
	defer rows.Close()
	for rows.Next() {
		var i, values, numbers, words int64
		var least, most float64
		if err := rows.Scan(&i, &values, &numbers, &words, &least, &most); err != nil {
			return err
		}
		c := &r.columns[i]
		c.values = values
		if !c.number && !c.entry && numbers > MaxNumbers && words <= maxWords {
			c.number, c.digits = true, digitsFor(least, most)
		}
		switch {
		case values == 1:
			c.left = sameValue
		case c.entry && values > MaxValues:
			return r.tooManyEntries(values)
		case c.entry:
		case words > MaxValues || !c.number && values > MaxValues:
			c.left = fmt.Sprintf("it has %s different values", wording.Count(values))
		case !c.number && !c.named && values > fewValues && values > r.total.lines/2:
			c.left = fmt.Sprintf("it has %s different values in %s rows, so none could explain more than a few %s", wording.Count(values), wording.Count(r.total.lines), r.words().Nouns)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var values []string
	for _, i := range r.offered() {
		c := &r.columns[i]
		if !c.number {
			values = append(values, strconv.Itoa(i))
		} else if err := r.readStates(ctx, strconv.Itoa(i), roundedSQL("value", c.digits)); err != nil {
			return err
		}
	}
	if len(values) > 0 {
		if err := r.readStates(ctx, strings.Join(values, ", "), "value"); err != nil {
			return err
		}
	}
	for _, i := range r.offered() {
		r.columns[i].settle(r.total)
	}
	return nil
}

// sameValue is why a column is left out that needs no telling.
const sameValue = "it has one value in all rows"

// readStates reads how often each state of columns occurs, whose values are
// written as key says.
func (r *tableReader) readStates(ctx context.Context, columns, key string) error {
	rows, err := r.db.QueryContext(ctx, `SELECT col, coalesce(key, ''), key IS NULL, sum(lines)::BIGINT, sum(total)::BIGINT, sum(failed)::BIGINT, sum(requests)::BIGINT
		FROM (SELECT col, `+key+` AS key, lines, total, failed, requests FROM profile WHERE col IN (`+columns+`))
		GROUP BY col, key ORDER BY col, key NULLS FIRST`)
	if err != nil {
		return r.inFile(err)
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		var s valueCount
		if err := rows.Scan(&i, &s.value, &s.empty, &s.lines, &s.total, &s.failed, &s.requests); err != nil {
			return err
		}
		r.columns[i].states = append(r.columns[i].states, s)
	}
	return rows.Err()
}
