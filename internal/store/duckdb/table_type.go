package duckdb

import (
	"fmt"
	"strconv"
	"strings"
)

// A columnType is how a column of a Parquet file is stored, as far as that lets
// it be counted and compared without writing each cell as text first.
type columnType string

const (
	typeText     columnType = "" // text, and whatever is only understood as text
	typeBoolean  columnType = "boolean"
	typeWhole    columnType = "whole"
	typeFraction columnType = "fraction"
	typeMoment   columnType = "moment"
)

// columnTypeOf returns the type of a column by DuckDB's name for it.
func columnTypeOf(name string) columnType {
	switch name {
	case "BOOLEAN":
		return typeBoolean
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT":
		return typeWhole
	case "FLOAT", "DOUBLE":
		return typeFraction
	case "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE":
		return typeMoment
	}
	if strings.HasPrefix(name, "DECIMAL(") {
		return typeFraction
	}
	return typeText
}

// textSQL is the text of a cell of this type, as the file would be written as CSV.
func (t columnType) textSQL(cell string) string {
	if t == typeText {
		return cell
	}
	return "CAST(" + cell + " AS VARCHAR)"
}

// numberSQL is the cell as a number, NULL if it is none.
func (t columnType) numberSQL(cell string) string {
	if t == typeWhole || t == typeFraction {
		return "CAST(" + cell + " AS DOUBLE)"
	}
	return "try_cast(" + t.textSQL(cell) + " AS DOUBLE)"
}

// someSQL reports whether there is anything in the cell.
func (t columnType) someSQL(cell string) string {
	if t == typeText {
		return "(" + cell + " <> '')"
	}
	return "(" + cell + " IS NOT NULL)"
}

// isSQL reports whether the text of the cell is value.
func (t columnType) isSQL(cell, value string) string {
	return "coalesce(" + t.equalSQL(cell, value) + ", false)"
}

// equalSQL is the same, and NULL if there is nothing in the cell. Where each value
// is written in one way, the value is turned into the cell's type, once, instead of
// each cell into text.
func (t columnType) equalSQL(cell, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	whole := t == typeWhole && err == nil && strconv.FormatInt(n, 10) == value
	if whole || t == typeBoolean && (value == "true" || value == "false") {
		return fmt.Sprintf("(%s = %s)", cell, value)
	}
	return fmt.Sprintf("(%s = %s)", t.textSQL(cell), quoteText(value))
}

// doubleSQL is x as a constant.
func doubleSQL(x float64) string { return fmt.Sprintf("CAST('%v' AS DOUBLE)", x) }
