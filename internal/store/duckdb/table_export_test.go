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

// WeighedPart is so many successes that weigh the same each.
type WeighedPart struct{ N, Each float64 }

// DivideWeights divides successes whose weights, in 1/64, and their squares add up to
// so much.
func DivideWeights(n int64, units, squares float64) (parts []WeighedPart) {
	for _, w := range (&lineKind{total: n, units: units, squares: squares}).weights() {
		parts = append(parts, WeighedPart{float64(w.ok), w.each})
	}
	return parts
}
