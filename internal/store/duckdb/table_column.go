package duckdb

import (
	"fmt"

	"example.test/eddy/internal/request"
)

// A TableColumn is what became of a column.
type TableColumn struct {
	Name string `json:"name"`
	// Kind is "values" if each value is a condition, "ranges" if they are
	// ranges of numbers, "entry" if rows are compared within each, "left out" if it
	// is not offered.
	Kind string `json:"kind"`
	// Values is the number of different values, where they were counted. Numbers
	// that become ranges are counted after rounding.
	Values int `json:"values,omitempty"`
	// Reason says why a column is left out.
	Reason string `json:"reason,omitempty"`
}

// report is what became of the column.
func (c *candidate) report() TableColumn {
	t := TableColumn{Name: c.name, Kind: "values", Values: int(c.values), Reason: c.left}
	switch {
	case c.left != "":
		t.Kind = "left out"
	case c.entry:
		t.Kind = "entry"
	case c.number:
		t.Kind = "ranges"
	}
	return t
}

// note is what a reader of the result should know about the column, if there is
// something: that it is left out, or that it may be the outcome by another name.
func (c *candidate) note(t tableTotal, counted float64, words request.Words) string {
	switch {
	case c.left == sameValue:
		return ""
	case c.left != "":
		return fmt.Sprintf("Column %s is left out: %s.", c.name, c.left)
	case c.tellsOutcome(t, counted):
		return fmt.Sprintf("Column %s tells all rows that %s from the others: if it follows from that, leave it out with --ignore %[1]s.", c.name, words.Did)
	}
	return ""
}

// tellsOutcome reports whether each value of the column occurs either in
// failed rows alone or in others alone. The values that are known must have at
// least the share counted of the rows: all, or nearly all where that is estimated.
func (c *candidate) tellsOutcome(t tableTotal, counted float64) bool {
	if c.number || c.entry {
		return false
	}
	var failed, all int64
	for _, s := range c.states {
		if s.failed != 0 && s.failed != s.total {
			return false
		}
		failed += s.failed
		all += s.total
	}
	return float64(failed) >= counted*float64(t.failed) && float64(all) >= counted*float64(t.rows)
}

// untimedNote names a column of times, if there is one and nobody has said that rows
// are to be compared within it.
func (r *tableReader) untimedNote() string {
	if r.src.Time != "" {
		return ""
	}
	for _, c := range r.columns {
		if c.times && !c.entry {
			return fmt.Sprintf("Column %s holds times: with --time %[1]s rows are compared with others of the same time only, so that what merely changed when the %s began is not taken for their cause.", c.name, r.words().Nouns)
		}
	}
	return ""
}
