package duckdb

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/internal/wording"
)

const (
	// usualShare is the quantile if none is given: a row is slow if it took longer
	// than this share of the rows of its entry.
	usualShare = 0.95
	// fewDurations is how many rows an entry needs for its own quantile to be
	// known; with fewer, that of all rows is taken.
	fewDurations = 100
)

// A TableSlow is from when a row counted as slow. Durations are in the unit of
// the column; in nanoseconds if its cells name units.
type TableSlow struct {
	Column string `json:"column"`
	// Quantile is the share of rows that were not slow; 0 if Limit was given.
	Quantile float64 `json:"quantile,omitempty"`
	// Before is the time up to which rows were looked at for it; zero for all.
	Before time.Time `json:"before,omitzero"`
	// Limit is how long a row may take: by the objective, or by the quantile of
	// all rows.
	Limit float64 `json:"limit"`
	// Unit is "ns" if the cells name units, else empty: the column does not say.
	Unit string `json:"unit,omitempty"`
	// Entries have limits of their own. They are sorted.
	Entries []EntryLimit `json:"entries,omitempty"`
}

// An EntryLimit is how long a row of an entry may take.
type EntryLimit struct {
	Entry string  `json:"entry"`
	Rows  int     `json:"n"` // that the limit rests on
	Limit float64 `json:"limit"`
}

// Text writes a duration as the column does: a number, or with a unit as in 120ms.
func (s *TableSlow) Text(limit float64) string {
	if s.Unit != "" {
		return time.Duration(limit).String()
	}
	return plain(limit)
}

// parseSlow tells "COLUMN" from "COLUMN>LIMIT".
func (r *tableReader) parseSlow(arg string) (tableOutcome, error) {
	name, limit, limited, ok := r.leading(arg, ">")
	switch {
	case !ok && name == "":
		return tableOutcome{}, fmt.Errorf("--slow %q: want COLUMN or COLUMN>LIMIT (columns: %s)", arg, listNames(r.files[0].columns))
	case !ok:
		return tableOutcome{}, r.known("--slow", name)
	case !limited && r.src.Weight != "":
		return tableOutcome{}, fmt.Errorf("--weight: which rows of a sample are slow needs a limit, as in --slow '%s>250'", name)
	case limited && r.src.Quantile > 0:
		return tableOutcome{}, errors.New("--quantile: --slow names the limit already; give one of the two")
	case limited:
		r.slow = &TableSlow{Column: name}
		return tableOutcome{column: name, slow: true}, r.slow.parseLimit(strings.TrimSpace(limit))
	}
	r.slow = &TableSlow{Column: name, Quantile: cmp.Or(r.src.Quantile, usualShare), Before: r.src.Since}
	return tableOutcome{column: name, slow: true}, nil
}

// parseLimit reads an objective: a number, or a duration such as 250ms.
func (s *TableSlow) parseLimit(text string) error {
	if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
		s.Limit = x
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("--slow: limit %q: want a number, or a duration such as 250ms", text)
	}
	s.Limit, s.Unit = float64(d), "ns"
	return nil
}

// unitPattern is what is taken for a duration: as Go and others write them.
const unitPattern = `-?([0-9]+([.][0-9]*)? ?(ns|us|µs|μs|ms|s|m|h))+`

// durationSQL is the cell as a duration: the number that it is or, if it names
// units, nanoseconds, which are whole numbers and can be compared exactly. NULL
// if it is neither.
func (t columnType) durationSQL(cell string) string {
	x := t.numberSQL(cell)
	number := "CASE WHEN isfinite(" + x + ") THEN " + x + " END"
	if t != typeText {
		return number
	}
	return fmt.Sprintf(`coalesce(%s, CASE WHEN regexp_full_match(trim(%s), '%s') THEN
		CASE WHEN trim(%[2]s) LIKE '-%%' THEN -1 ELSE 1 END * list_sum([CAST(regexp_extract(part, '^[0-9.]+') AS DOUBLE) *
			CASE ltrim(part, '0123456789. ') WHEN 'ns' THEN 1 WHEN 'ms' THEN 1e6 WHEN 's' THEN 1e9 WHEN 'm' THEN 60e9 WHEN 'h' THEN 3600e9 ELSE 1e3 END
			FOR part IN regexp_extract_all(%[2]s, '[0-9.]+ ?(?:ns|us|µs|μs|ms|s|m|h)')]) END)`, number, cell, unitPattern)
}

// unitSQL reports whether the cell, which is a duration, names its unit; NULL if
// it is 0, which needs none.
func (t columnType) unitSQL(cell string) string {
	if t != typeText {
		return "false"
	}
	return "CASE WHEN took <> 0 THEN try_cast(" + cell + " AS DOUBLE) IS NULL END"
}

// slowSQL is 1 for rows of lines that took longer than they may, else 0.
func (r *tableReader) slowSQL() string {
	limit := doubleSQL(r.slow.Limit)
	if e := r.entry(); e != nil && len(r.slow.Entries) > 0 {
		i := r.entryColumn
		own, limits := r.slow.Entries, []string{}
		empty := limit
		if r.limitsEmpty {
			empty, own = doubleSQL(own[0].Limit), own[1:]
		}
		for _, l := range own {
			limits = append(limits, doubleSQL(l.Limit))
		}
		if len(limits) > 0 {
			limit = fmt.Sprintf("coalesce(list_extract([%s], enum_code(try_cast(%s AS took_entry)) + 1), %s)", strings.Join(limits, ", "), e.cellSQL(i), limit)
		}
		limit = fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", e.emptySQL(i), empty, limit)
	}
	return "CAST(total > 0 AND took > " + limit + " AS BIGINT)"
}

// entry is the column that says where a row came in; nil if none does.
func (r *tableReader) entry() *candidate {
	if r.src.Entry == "" {
		return nil
	}
	return &r.columns[r.entryColumn]
}

// tooManyEntries says that the entry's column names more than entries.
func (r *tableReader) tooManyEntries(values int64) error {
	return fmt.Errorf("--entry: column %q has more than %s different values (%s or more); want the names of operations, such as 'GET /cart/{id}', without what differs from row to row",
		r.src.Entry, wording.Count(MaxValues), wording.Count(values))
}
