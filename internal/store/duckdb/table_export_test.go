package duckdb

// ParseHeader is parseHeader with the delimiter that it finds, for the fuzz
// target: a header is the one thing about a table that is not DuckDB's to parse.
func ParseHeader(head []byte) ([]string, error) {
	return parseHeader(head, detectDelimiter(formatCSV, head))
}
