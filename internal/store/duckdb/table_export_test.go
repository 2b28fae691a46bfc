package duckdb

import (
	"context"

	"example.test/eddy/internal/interaction"
)

// ParseHeader is parseHeader with the delimiter that it finds, for the fuzz
// target: a header is the one thing about a table that is not DuckDB's to parse.
func ParseHeader(head []byte) ([]string, error) {
	return parseHeader(head, detectDelimiter(formatCSV, head))
}

// ExplainHolding is Explain with lines of text held in up to so many bytes; 0 is
// the way of tables too large for that.
func ExplainHolding(ctx context.Context, src TableSource, o interaction.Options, bytes int) (interaction.Result, TableReading, error) {
	return explainHolding(ctx, src, o, bytes)
}
