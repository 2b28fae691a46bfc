//go:build linux

package duckdb_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store/duckdb"
)

// checkoutSQL selects a table of n rows and 20 columns, over an hour: attributes
// of 2 to 400 values, skewed ones among them, a window of backups, and two
// columns of numbers. Where cart 2.4.0 meets the banker's rounding under a load
// above 840, 30 % fail; elsewhere 0.3 %. All is decided by the number of the row.
func checkoutSQL(n int) string {
	// Three hashes give 64 random bits each; those of several arguments would depend
	// on each other.
	return fmt.Sprintf(`SELECT * EXCLUDE (chance), CAST(chance < CASE WHEN cart = '2.4.0' AND rounding = 'banker' AND load > 840 THEN 0.30 ELSE 0.003 END AS INT) AS failed FROM (SELECT
		TIMESTAMP '2026-05-04 14:00:00' + to_microseconds(i * 3600000000 // %[1]d) AS at,
		'r' || (a & 3) AS region, 'r' || (a & 3) || 'z' || ((a >> 2) %% 3) AS zone, 'pod-' || ((a >> 10) %% 60) AS pod,
		['2.3.0', '2.3.1', '2.4.0', '2.5.0'][CAST(1 + ((a >> 20) & 3) AS INT)] AS cart, ['half-up', 'banker'][CAST(1 + ((a >> 22) & 1) AS INT)] AS rounding,
		['1.0', '1.1', '1.2'][CAST(1 + (a >> 23) %% 3 AS INT)] AS pricing,
		't' || CAST(floor(400 * t * t * t) AS INT) AS tenant, '/e/' || CAST(floor(24 * e * e) AS INT) AS endpoint,
		['web', 'ios', 'android'][CAST(1 + b %% 3 AS INT)] AS app, 'os' || ((b >> 8) %% 5) AS os,
		CASE WHEN (b >> 16) %% 10 = 0 THEN 'miss' ELSE 'hit' END AS cache, CASE WHEN (i * 60 // %[1]d) %% 20 < 3 THEN 'running' ELSE '' END AS backup,
		CASE WHEN (b >> 24) %% 50 = 0 THEN 2 ELSE 1 END AS attempt, CAST((b >> 32) %% 1000 AS INT) AS load, CAST(exp(((b >> 44) & 65535) / 65536.0 * 12) AS INT) AS size,
		'c' || CAST(floor(60 * d * d) AS INT) AS country, ['free', 'pro', 'team'][CAST(1 + (c >> 16) %% 3 AS INT)] AS plan,
		(c >> 24) %% 20 = 0 AS canary, (c >> 32) / 4294967296.0 AS chance
		FROM (SELECT *, CAST((a >> 32) & 65535 AS FLOAT) / 65536 AS t, CAST((a >> 48) & 65535 AS FLOAT) / 65536 AS e, CAST(c & 65535 AS FLOAT) / 65536 AS d
			FROM (SELECT i, hash(3 * i) AS a, hash(3 * i + 1) AS b, hash(3 * i + 2) AS c FROM range(%[1]d) r(i))))`, n)
}

// TestALargeTableIsExplained is small unless EDDY_TABLE_ROWS says otherwise, as
// "make table SIZE=1e8" does; it then prints what it took, beside what it takes
// DuckDB to read the same file and do nothing with it.
func TestALargeTableIsExplained(t *testing.T) {
	given := os.Getenv("EDDY_TABLE_ROWS")
	if given == "" {
		t.Run("sampled", func(t *testing.T) { explainFormats(t, 30_000, 10_000, "csv,parquet", false) })
		t.Run("profiled in the sample", func(t *testing.T) { explainLarge(t, 150_000, 1_400, "parquet", false) })
		return
	}
	rows, err := strconv.ParseFloat(given, 64)
	if err != nil || rows < 1e4 {
		t.Fatalf("EDDY_TABLE_ROWS=%s: want a number of 10,000 or more", given)
	}
	formats := "csv,parquet"
	if some := os.Getenv("EDDY_TABLE_FORMAT"); some != "" {
		formats = some
	}
	explainFormats(t, int(rows), 0, formats, true)
}

// explainFormats explains the same table in each format, which must not matter.
func explainFormats(t *testing.T, rows, most int, formats string, loud bool) {
	var results []interaction.Result
	for format := range strings.SplitSeq(formats, ",") {
		t.Run(format, func(t *testing.T) { results = append(results, explainLarge(t, rows, most, format, loud)) })
	}
	for i := range results {
		// Text is parsed by several threads, and yet rows keep their numbers.
		if diff := cmp.Diff(results[0], results[i]); diff != "" {
			t.Errorf("one format differs from the other:\n%s", diff)
		}
	}
}

// A largeTable is one in a file, and a DuckDB to ask about it.
type largeTable struct {
	t      *testing.T
	db     *sql.DB
	path   string
	from   string
	format string
}

func newLargeTable(t *testing.T, rows int, format string) *largeTable {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	path := filepath.Join(t.TempDir(), "checkout."+format)
	for _, s := range []string{
		fmt.Sprintf("SET threads=%d", runtime.GOMAXPROCS(0)),
		"COPY (" + checkoutSQL(rows) + ") TO " + quote(path) + " (FORMAT " + format + ")",
	} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return &largeTable{t, db, path, "read_" + format + "(" + quote(path) + ")", format}
}

// ask asks for one row.
func (l *largeTable) ask(query string, into ...any) {
	l.t.Helper()
	if err := l.db.QueryRowContext(l.t.Context(), query).Scan(into...); err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
}

func explainLarge(t *testing.T, rows, most int, format string, loud bool) interaction.Result {
	l := newLargeTable(t, rows, format)
	var result interaction.Result
	eddy := took(func() {
		result, _ = explain(t, duckdb.TableSource{Files: []string{l.path}, Failed: "failed", Time: "at", Seed: 1, MaxRows: most})
	})
	if got := sets(result); len(got) != 1 || !strings.HasPrefix(got[0], "interaction: cart=2.4.0 and load > 8") || !strings.HasSuffix(got[0], " and rounding=banker") {
		t.Fatalf("got %q, want cart=2.4.0, rounding=banker and a load above about 840", got)
	}
	// The cells are counts of all rows: DuckDB is asked for the same.
	f := result.Findings[0]
	var total, failed int
	l.ask("SELECT count(*), sum(failed) FROM "+l.from+" WHERE cart = '2.4.0' AND rounding = 'banker' AND load "+f.Conditions[1].Value, &total, &failed)
	if f.Cells[0].Total != total || f.Cells[0].Failed != failed {
		t.Errorf("%d of %d failed with all of %s, the file has %d of %d", f.Cells[0].Failed, f.Cells[0].Total, sets(result)[0], failed, total)
	}
	if loud {
		l.compare(result, eddy)
	}
	return result
}

// compare prints what was found and what it took, beside what it takes DuckDB to
// read the file.
func (l *largeTable) compare(result interaction.Result, eddy effort) {
	count := took(func() { l.ask("SELECT count(*) FROM "+l.from, new(int)) })
	largest := took(func() { l.ask("SELECT count(x) FROM (SELECT max(COLUMNS(*)) FROM "+l.from+") AS x", new(int)) })
	info, err := os.Stat(l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Log(interaction.Sentence(result.Findings[0], "", request.Failed))
	l.t.Logf("%s, %d rows, %d failed, %.0f MB, %d processors", l.format, result.Rows, result.Failed, float64(info.Size())/1e6, runtime.GOMAXPROCS(0))
	for _, line := range []struct {
		what string
		effort
	}{
		{"DuckDB: SELECT count(*)", count}, {"DuckDB: the largest value of each column", largest}, {"eddy explain, file to verdict", eddy},
	} {
		l.t.Logf("%-41s %7.2f s wall %7.2f s CPU %5.1f times the largest values", line.what, line.wall.Seconds(), line.cpu.Seconds(), line.cpu.Seconds()/largest.cpu.Seconds())
	}
	l.t.Logf("peak memory of the process, the generator's included: %d MB", usage().Maxrss>>10)
}

// An effort is what something took.
type effort struct{ wall, cpu time.Duration }

func took(f func()) effort {
	wall, before := time.Now(), usage()
	f()
	after := usage()
	return effort{time.Since(wall), time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())}
}

// usage is what the process has used. Linux counts memory in KiB.
func usage() syscall.Rusage {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u
}
