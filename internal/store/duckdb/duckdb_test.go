package duckdb_test

import (
	"path/filepath"
	"testing"

	"example.test/eddy/internal/store"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/store/storetest"
)

func TestDuckDBIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "eddy.duckdb")) })
}

func open(t testing.TB, path string) *duckdb.Store {
	t.Helper()
	s, err := duckdb.Open(t.Context(), duckdb.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
