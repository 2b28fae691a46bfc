package duckdb_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/store"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/store/storetest"
	"example.test/eddy/internal/telemetry"
)

func TestAReopenedStoreAnswersAsBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there yet", "eddy.duckdb")
	oracle, source := store.NewMem(), storetest.NewSource(42)
	for round := range 2 {
		s, err := duckdb.Open(t.Context(), duckdb.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			batch, result := source.Batch(), source.Result()
			for _, x := range []store.Store{oracle, s} {
				if err := x.Append(t.Context(), batch, uint64(round*10+i)); err != nil {
					t.Fatal(err)
				}
				if err := x.Save(t.Context(), result); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".wal"); err == nil {
			t.Errorf("round %d: Close left a log behind", round)
		}
		again := open(t, path)
		storetest.Same(t, oracle, again)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	text := func(t *testing.T, path string) {
		if err := os.WriteFile(path, []byte(strings.Repeat("this is no database\n", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, want string
		prepare    func(t *testing.T, path string)
	}{
		{"newer", "schema version 99 is newer than 1", func(t *testing.T, path string) {
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			change(t, path, "UPDATE meta SET value = 99 WHERE name = 'schema_version'")
		}},
		{"foreign", "the file holds 1 tables and is not an eddy store", func(t *testing.T, path string) {
			change(t, path, "CREATE TABLE people (name VARCHAR)")
		}},
		{"text", "not a valid DuckDB database file", text},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "eddy.duckdb")
			c.prepare(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = duckdb.Open(t.Context(), duckdb.Config{Path: path})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open = %v, want an error with %q and the path", err, c.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the refused file was changed (%v)", err)
			}
		})
	}
}

// change runs a statement on the file at path, as a user would.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestAConfigSaysWhatIsWrongWithIt(t *testing.T) {
	for want, c := range map[string]duckdb.Config{
		"path: empty":         {},
		"question mark":       {Path: "a?b"},
		"memory limit 1024":   {Path: "a", MemoryLimit: 1024},
		"threads -1: want at": {Path: "a", Threads: -1},
	} {
		if _, err := duckdb.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%+v) = %v, want an error with %q", c, err, want)
		}
	}
}

func TestUsersCanQueryTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eddy.duckdb")
	s := open(t, path)
	start := time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC)
	x := span(1, start)
	if err := s.Append(t.Context(), telemetry.Batch{Spans: []*telemetry.Span{x}}, 1); err != nil {
		t.Fatal(err)
	}
	source := storetest.NewSource(1)
	for range 5 {
		if err := s.Save(t.Context(), source.Result()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", path+"?access_mode=read_only")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var trace, route, when string
	var duration int64
	err = db.QueryRow(`SELECT trace_id, attributes['http.route'], start_time::VARCHAR, duration_ns FROM spans WHERE service = 'cart'`).
		Scan(&trace, &route, &when, &duration)
	if err != nil || trace != x.Trace.String() || route != "/checkout" || when != "2026-11-21 10:00:00.123456789" || duration != 1e9 {
		t.Errorf("span by SQL = %s %s %s %d, %v", trace, route, when, duration, err)
	}
	var observed, listed int
	err = db.QueryRow(`SELECT (SELECT count(*) FROM observed), (SELECT sum(len(conditions)) FROM observations)`).Scan(&observed, &listed)
	if err != nil || observed == 0 || observed != listed {
		t.Errorf("the view observed has %d rows, observations list %d conditions, %v", observed, listed, err)
	}
	var verdict, condition string
	err = db.QueryRow(`SELECT verdict, conditions[1] FROM findings ORDER BY rank LIMIT 1`).Scan(&verdict, &condition)
	if err != nil || verdict != "interaction" || !strings.Contains(condition, "=") {
		t.Errorf("finding by SQL = %s %s, %v", verdict, condition, err)
	}
}

func TestRetentionBoundsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eddy.duckdb")
	s := open(t, path)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var sizes []int64
	for cycle := range 24 {
		for i := range 4 {
			if err := s.Append(t.Context(), batch(cycle*4+i, 1500, now), uint64(cycle)); err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Minute)
		}
		if _, err := s.Retain(t.Context(), store.Retention{Spans: 6 * time.Minute}, now); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size()>>10)
	}
	t.Logf("KiB after each cycle of 6,000 spans, of which 9,000 are kept: %v", sizes)
	// One size says little: it depends on which blocks are free at the end of the
	// file. Three times as many spans as before must not need a larger one.
	if early, late := slices.Max(sizes[:8]), slices.Max(sizes[8:]); late > early*3/2 {
		t.Errorf("the file grew from at most %d to at most %d KiB while it held no more spans", early, late)
	}
}

func TestAnInterruptedAppendIsStoredWholeOrNotAtAll(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eddy.duckdb"))
	big := batch(1, 10_000, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
	want := int64(0)
	for n, limit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, time.Minute} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := s.Append(ctx, big, 1)
		cancel()
		if err == nil {
			want = 10_000
		}
		position, positionErr := s.Position(t.Context())
		counts, countsErr := s.Counts(t.Context())
		if positionErr != nil || countsErr != nil || counts["spans"] != want || (position == 1) != (want > 0) {
			t.Errorf("after call %d (%v): position %d (%v), counts %v (%v), want %d spans", n, err, position, positionErr, counts, countsErr, want)
		}
	}
	if want == 0 {
		t.Error("no call was stored, not even one that had a minute")
	}
}

// rowsOf closes s and counts the rows of a table, as a user would.
func rowsOf(t *testing.T, s *duckdb.Store, table string) (n int) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", s.Path()+"?access_mode=read_only")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestResourcesThatNothingRefersToAreSwept(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eddy.duckdb"))
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	old, recent := span(1, now.Add(-time.Hour)), span(2, now)
	old.Resource = &telemetry.Resource{Service: "cart", Version: "2.3.0"}
	again := span(33, now)
	again.Resource = old.Resource
	log := &telemetry.Log{Trace: recent.Trace, Time: now, Resource: &telemetry.Resource{Service: "pricing"}}
	appendAll := func(position uint64, b telemetry.Batch) {
		t.Helper()
		if err := s.Append(t.Context(), b, position); err != nil {
			t.Fatal(err)
		}
	}
	appendAll(1, telemetry.Batch{Spans: []*telemetry.Span{old, recent}, Logs: []*telemetry.Log{log}})
	if _, err := s.Retain(t.Context(), store.Retention{Spans: time.Minute}, now); err != nil {
		t.Fatal(err)
	}
	appendAll(2, telemetry.Batch{Spans: []*telemetry.Span{again}})
	trace, err := s.Trace(t.Context(), again.Trace)
	if err != nil || trace[len(trace)-1].Resource.Version != "2.3.0" {
		t.Errorf("a span of a resource that was swept and came again: %v, %v", trace, err)
	}
	if n := rowsOf(t, s, "resources"); n != 3 {
		t.Errorf("%d resources are stored, want 3", n)
	}
}

func TestALowMemoryLimitIsEnough(t *testing.T) {
	s, err := duckdb.Open(t.Context(), duckdb.Config{Path: filepath.Join(t.TempDir(), "eddy.duckdb"), MemoryLimit: 64 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for n := range 4 {
		if err := s.Append(t.Context(), batch(n, 5_000, now), uint64(n)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range s.Spans(t.Context(), storetest.Always()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 20_000 {
		t.Errorf("%d spans, want 20000", n)
	}
}
