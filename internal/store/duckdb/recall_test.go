package duckdb_test

import (
	"path/filepath"
	"testing"
	"time"

	"example.test/eddy/internal/telemetry"
)

func TestSpansSentAgainAfterARestartAreStoredOnce(t *testing.T) {
	base := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	edges := telemetry.Batch{Spans: []*telemetry.Span{
		span(1, time.Time{}), span(2, time.Date(1678, 1, 1, 0, 0, 0, 5, time.UTC)), span(3, time.Unix(-1, 0)),
		span(4, time.Unix(0, 0)), span(5, time.Date(2262, 4, 11, 23, 47, 16, 0, time.UTC)),
	}}
	for i := range 30 { // more periods than one batch may read
		edges.Spans = append(edges.Spans, span(100+i, base.Add(time.Duration(i)*time.Hour)))
	}
	for _, c := range []struct {
		name   string
		spread telemetry.Batch
	}{
		{"few", batch(0, 2_000, base)},
		{"more_of_a_moment_than_are_remembered", batch(0, 51_000, base)},
		{"far_apart", edges},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "eddy.duckdb")
			want := int64(len(c.spread.Spans))
			for round := range 2 {
				s := open(t, path)
				for again := range 2 {
					if err := s.Append(t.Context(), c.spread, 1); err != nil {
						t.Fatal(err)
					}
					counts, err := s.Counts(t.Context())
					if err != nil || counts["spans"] != want {
						t.Fatalf("after %d restarts and sending %d times more: %d spans (%v), want %d", round, again, counts["spans"], err, want)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
