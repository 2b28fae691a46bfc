package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"example.test/eddy/internal/request"
)

// A tableOutcome says how many observations a row is and how many of them failed.
type tableOutcome struct {
	column string // what --failed names; empty for counts
	value  string // what it is in rows that failed, if exact
	exact  bool
	slow   bool // it is how long a row took
}

// The words that a column of true and false is written in, in lower case, as
// DuckDB lists: IN (...) would be made a join, after which rows come in another
// order. DuckDB writes a number of a Parquet file with its decimals.
const (
	trueWords  = "['1', 'true', 't', 'yes', 'y', '1.0']"
	falseWords = "['0', 'false', 'f', 'no', 'n', '0.0']"
)

// findRoles finds the columns that the source names, and those that are
// offered as conditions.
func (r *tableReader) findRoles(context.Context) error {
	names := r.files[0].columns
	taken := make(map[string]string) // column to its role
	for _, role := range []struct{ flag, column string }{
		{"--count", r.src.Count}, {"--failures", r.src.Failures}, {"--weight", r.src.Weight}, {"--time", r.src.Time}, {"--entry", r.src.Entry},
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
	if flag, arg := "--failed", r.src.Failed; arg != "" || r.src.Slow != "" {
		parse := r.parseFailed
		if r.src.Slow != "" {
			flag, arg, parse = "--slow", r.src.Slow, r.parseSlow
		}
		var err error
		if r.outcome, err = parse(arg); err != nil {
			return err
		}
		if other := taken[r.outcome.column]; other != "" {
			return fmt.Errorf("%s: column %q is already %s", flag, r.outcome.column, other)
		}
		taken[r.outcome.column] = flag
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
		entry := name == r.src.Entry
		switch {
		case taken[name] != "" && !entry:
		case !entry && len(r.src.Only) > 0 && !slices.Contains(r.src.Only, name):
		case !entry && slices.Contains(r.src.Ignore, name):
		default:
			c := candidate{name: name, named: slices.Contains(r.src.Only, name), entry: entry}
			if r.inPlace() {
				c.stored = r.typeOf(name)
			}
			if entry {
				r.entryColumn = len(r.columns)
			}
			r.columns = append(r.columns, c)
		}
	}
	switch n := len(r.columns); {
	case n == 0 || n == 1 && r.entry() != nil:
		return fmt.Errorf("%s: no column is left to explain the %s with (columns: %s)", r.files[0].name, r.words().Nouns, listNames(names))
	case n > maxColumns:
		return fmt.Errorf("%s: %d columns; want at most %d, choose with --only or --ignore", r.files[0].name, n, maxColumns)
	}
	return nil
}

// maxColumns bounds the columns that one query groups by.
const maxColumns = 500

// words are how sentences speak of the rows that are explained.
func (r *tableReader) words() request.Words {
	if r.src.Slow != "" {
		return request.Slow.Words("row")
	}
	return request.Failed.Words("row")
}

// parseFailed tells "COLUMN" from "COLUMN=VALUE".
func (r *tableReader) parseFailed(arg string) (tableOutcome, error) {
	name, value, exact, ok := r.leading(arg, "=")
	if !ok {
		return tableOutcome{}, r.known("--failed", name)
	}
	return tableOutcome{column: name, value: value, exact: exact}, nil
}

// leading is the column that an argument begins with, and what follows it after a
// sign, if there is one. A column may have the sign in its name, so the longest name
// that fits is meant. If none fits, name is what is before the first sign.
func (r *tableReader) leading(arg, sign string) (name, rest string, signed, ok bool) {
	for at := len(arg); at > 0; at = strings.LastIndex(arg[:at], sign) {
		for _, name := range []string{arg[:at], strings.TrimSpace(arg[:at])} {
			switch {
			case !slices.Contains(r.files[0].columns, name):
			case at == len(arg):
				return name, "", false, true
			default:
				return name, arg[at+len(sign):], true, true
			}
		}
	}
	name, _, _ = strings.Cut(arg, sign)
	return strings.TrimSpace(name), "", false, false
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
