package duckdb_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/store/duckdb"
)

// tableFile writes a file of a table and returns its path.
func tableFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readTable reads a table that is expected to be right.
func readTable(t *testing.T, src duckdb.TableSource) duckdb.TableReading {
	t.Helper()
	reading, err := duckdb.ReadTable(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return reading
}

// show writes the rows as text, sorted, one a line: "2/3 a=1, b=x" is two
// failures of three observations.
func show(table interaction.Table) []string {
	var lines []string
	for _, row := range table.Rows {
		line := fmt.Sprintf("%d/%d", row.Failed, row.Total)
		if !row.Time.IsZero() {
			line = row.Time.Format(time.RFC3339Nano) + " " + line
		}
		for i, id := range row.Conditions {
			sep := ", "
			if i == 0 {
				sep = " "
			}
			line += sep + table.Conditions[id].String()
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func wantRows(t *testing.T, table interaction.Table, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(show(table), want); diff != "" {
		t.Errorf("rows: -got, +want:\n%s", diff)
	}
}

const shop = `cart,rounding,failed
2.4.0,banker,1
2.4.0,half-up,0
2.3.0,banker,0
2.4.0,banker,1
2.4.0,banker,0
`

var shopRows = []string{
	"2/3 cart=2.4.0, rounding=banker",
	"0/1 cart=2.4.0, rounding=half-up",
	"0/1 cart=2.3.0, rounding=banker",
}

func TestEachFormatGivesTheSameTable(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(shop), "\n")
	names := strings.Split(lines[0], ",")
	var objects bytes.Buffer
	for _, line := range lines[1:] {
		object := map[string]any{}
		for i, cell := range strings.Split(line, ",") {
			object[names[i]] = cell
		}
		object["failed"] = object["failed"] == "1"
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		objects.Write(append(text, '\n'))
	}
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	if _, err := g.Write([]byte(shop)); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(objects.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	parquet := parquetFile(t, "SELECT cart, rounding, failed::BOOLEAN AS failed FROM read_csv("+quote(tableFile(t, "shop.csv", shop))+", all_varchar=true)")

	for name, content := range map[string]string{
		"shop.csv":         shop,
		"semicolon.csv":    strings.ReplaceAll(shop, ",", ";"),
		"bar.txt":          strings.ReplaceAll(shop, ",", "|"),
		"windows.csv":      "\ufeff" + strings.ReplaceAll(shop, "\n", "\r\n"),
		"unended.csv":      strings.TrimSuffix(shop, "\n"),
		"shop.tsv":         strings.ReplaceAll(shop, ",", "\t"),
		"shop.jsonl":       objects.String(),
		"array.json":       "[" + strings.Join(strings.Split(strings.TrimSpace(objects.String()), "\n"), ",") + "]",
		"unnamed":          objects.String(),
		"shop.csv.gz":      gz.String(),
		"misnamed.csv":     gz.String(),
		"shop.ndjson.zst":  zst.String(),
		"shop.parquet":     parquet,
		"parquet":          parquet,
		"odd[1]*?.csv":     shop,
		"it's \"new\".csv": shop,
	} {
		t.Run(name, func(t *testing.T) {
			reading := readTable(t, duckdb.TableSource{Files: []string{tableFile(t, name, content)}, Failed: "failed"})
			wantRows(t, reading.Table, shopRows...)
			if reading.Rows != 5 || reading.Failed != 2 {
				t.Errorf("got %d rows, %d failed; want 5, 2", reading.Rows, reading.Failed)
			}
			in := strings.NewReader(content)
			format := ""
			if strings.HasSuffix(name, ".zst") { // content does not tell what was compressed
				format = "jsonl"
			}
			fromStdin := readTable(t, duckdb.TableSource{Files: []string{"-"}, Stdin: in, Format: format, Failed: "failed"})
			if diff := cmp.Diff(reading.Table, fromStdin.Table); diff != "" {
				t.Errorf("standard input differs from the file:\n%s", diff)
			}
		})
	}
}

// parquetFile returns the content of a Parquet file with what the query selects.
func parquetFile(t *testing.T, query string) string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(t.TempDir(), "made.parquet")
	if _, err := db.ExecContext(t.Context(), "COPY ("+query+") TO "+quote(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func TestFilesOfOneTableMayOrderColumnsDifferently(t *testing.T) {
	one := tableFile(t, "one.csv", "cart,rounding,failed\n2.4.0,banker,1\n2.4.0,half-up,0\n")
	two := tableFile(t, "two.csv", "failed;rounding;cart\n0;banker;2.3.0\n1;banker;2.4.0\n")
	rest := strings.NewReader(`{"cart":"2.4.0","rounding":"banker","failed":0}`)
	reading := readTable(t, duckdb.TableSource{Files: []string{one, two, "-"}, Stdin: rest, Failed: "failed"})
	wantRows(t, reading.Table, shopRows...)
}

func TestValuesStandAsInTheFile(t *testing.T) {
	reading := readTable(t, duckdb.TableSource{Failed: "failed", Files: []string{tableFile(t, "f.csv",
		"zip,flag,price,text,failed\n"+
			"01,TRUE,1.50,\" a\",1\n"+
			"1,ND,1.5,a,0\n"+
			"1.0,true,+1.5,\"a, \"\"b\"\"\nc\",0\n"+
			"007,False,1e3,NULL,0\n"+
			"7,,,∅,0\n"+
			"7,\"\",\"\",ключ,0\n")}})
	wantRows(t, reading.Table,
		"1/1 zip=01, flag=TRUE, price=1.50, text= a",
		"0/1 zip=1, flag=ND, price=1.5, text=a",
		"0/1 zip=1.0, flag=true, price=+1.5, text=a, \"b\"\nc",
		"0/1 zip=007, flag=False, price=1e3, text=NULL",
		"0/1 zip=7, flag=(empty), price=(empty), text=∅",
		"0/1 zip=7, flag=(empty), price=(empty), text=ключ",
	)
}

func TestAbsentKeysAndNullsAreOneState(t *testing.T) {
	reading := readTable(t, duckdb.TableSource{Failed: "status=500", Files: []string{tableFile(t, "f.jsonl",
		`{"status":500,"region":null,"n":1,"deep":{"a":1}}`+"\n"+
			`{"status":200,"region":"","n":1.0}`+"\n"+
			`{"status":200,"n":"1","late":true}`+"\n")}})
	wantRows(t, reading.Table,
		`1/1 n=1, deep={"a":1}, late=(empty)`,
		`0/1 n=1.0, deep=(empty), late=(empty)`,
		`0/1 n=1, deep=(empty), late=true`,
	)
}

func TestColumnNamesMayBeAnything(t *testing.T) {
	names := []string{
		`a "quoted" name`, "it's", "two words", "SELECT", "total", "moment", "c0", "told", "bad", "lines", "ключ", "a=b", "x;DROP TABLE lines", "group", "%s", "$1", "?",
	}
	header := make([]string, len(names))
	for i, n := range names {
		header[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
	}
	cells := func(value string) string { return strings.Repeat(value+",", len(names)) }
	content := strings.Join(header, ",") + ",failed\n" + cells("x") + "1\n" + cells("y") + "0\n"
	reading := readTable(t, duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Failed: "failed"})
	if len(reading.Table.Conditions) != 2*len(names) {
		t.Fatalf("got %d conditions, want %d: %v", len(reading.Table.Conditions), 2*len(names), reading.Columns)
	}
	for i, n := range names {
		if got := reading.Columns[i].Name; got != n {
			t.Errorf("column %d: got %q, want %q", i, got, n)
		}
		src := duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Failed: n + "=x", Time: "", Only: []string{names[(i+1)%len(names)]}}
		if r := readTable(t, src); r.Failed != 1 {
			t.Errorf("--failed %q: got %d failed, want 1", src.Failed, r.Failed)
		}
	}
}

func TestOutcomeIsReadFromWordsNumbersOrValues(t *testing.T) {
	f := func(failed, cells string, wantRows, wantFailed int) {
		t.Helper()
		var content strings.Builder
		content.WriteString("x,y=z,failed\n")
		for i, c := range strings.Split(cells, " ") {
			fmt.Fprintf(&content, "%d,%s,%s\n", i%2, strings.Trim(c, "_"), strings.Trim(c, "_"))
		}
		r, err := duckdb.ReadTable(t.Context(), duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content.String())}, Failed: failed, Only: []string{"x"}})
		if err != nil {
			t.Errorf("--failed %s of %s: %v", failed, cells, err)
			return
		}
		if r.Rows != wantRows || r.Failed != wantFailed {
			t.Errorf("--failed %s of %s: got %d of %d failed, want %d of %d", failed, cells, r.Failed, r.Rows, wantFailed, wantRows)
		}
	}
	f("failed", "1 0 0", 3, 1)
	f("failed", "true false TRUE False", 4, 2)
	f("failed", "yes no Y n t F", 6, 3)
	f("failed", "1.0 0.0", 2, 1)
	f("failed", "1 _ 0", 2, 1) // an empty outcome is no outcome
	f("failed=KO", "KO OK ko _", 4, 1)
	f("failed=", "KO _", 2, 1)
	f("y=z", "1 0", 2, 1)
	f("y=z=OK", "KO OK", 2, 1)
}

func TestCountsAreAddedUp(t *testing.T) {
	reading := readTable(t, duckdb.TableSource{Count: "cnt", Failures: "value", Files: []string{tableFile(t, "f.csv",
		"cdn,value,cnt\n3,2,10\n3,1,5\n4,0,7\n5,0,0\n4,0.0,1e1\n")}})
	wantRows(t, reading.Table, "3/15 cdn=3", "0/17 cdn=4")
	if reading.Rows != 32 || reading.Failed != 3 {
		t.Errorf("got %d of %d failed, want 3 of 32", reading.Failed, reading.Rows)
	}
}

func TestTimesOfOneBucketAreOneStratum(t *testing.T) {
	for name, at := range map[string][3]string{
		"zoned":        {"2024-03-01T10:00:07Z", "2024-03-01T12:00:03+02:00", "2024-03-01T10:00:31.5Z"},
		"local":        {"2024-03-01 10:00:07", "2024-03-01 10:00:03.25", "2024-03-01 10:00:31"},
		"after a zone": {"2024-03-01T05:00:07 America/New_York", "2024-03-01 10:00:03", "2024-03-01T10:00:31.5Z"},
		"seconds":      {"1709287207", "1709287203", "1709287231.5"},
		"milliseconds": {"1709287207000", "1709287203000", "1709287231000"},
		"microseconds": {"1709287207000000", "1709287203000000", "1709287231000000"},
		"nanoseconds":  {"1709287207000000000", "1709287203000000000", "1709287231000000000"},
	} {
		t.Run(name, func(t *testing.T) {
			content := fmt.Sprintf("x,at,failed\na,%s,1\na,%s,0\na,%s,0\nb,,1\n", at[0], at[1], at[2])
			reading := readTable(t, duckdb.TableSource{
				Files: []string{tableFile(t, "f.csv", content)}, Failed: "failed", Time: "at", Bucket: 10 * time.Second,
			})
			wantRows(t, reading.Table, "2024-03-01T10:00:00Z 1/2 x=a", "2024-03-01T10:00:30Z 0/1 x=a")
			if note := strings.Join(reading.Notes, "\n"); !strings.Contains(note, "1 of 4 rows are left out: failed or at is empty") {
				t.Errorf("notes do not say that a row without time is left out: %q", note)
			}
		})
	}
}

func TestBucketIsAboutASixtiethOfTheTime(t *testing.T) {
	f := func(seconds int, want time.Duration) {
		t.Helper()
		content := fmt.Sprintf("x,at,failed\na,1700000000,1\nb,%d,0\n", 1700000000+seconds)
		reading := readTable(t, duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Failed: "failed", Time: "at"})
		if reading.Bucket != want {
			t.Errorf("%d s: got %v, want %v", seconds, reading.Bucket, want)
		}
	}
	f(0, time.Second)
	f(240, 5*time.Second)
	f(3600, time.Minute)
	f(86400, 30*time.Minute)
	f(90*86400, 7*24*time.Hour)
	f(20*365*86400, 30*24*time.Hour)
}

// numbersTable has 1,000 rows with a column of numbers, of which one fails.
func numbersTable(number func(i int) string) string {
	var b strings.Builder
	b.WriteString("load,failed\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%s,%d\n", number(i), max(0, 1-i))
	}
	return b.String()
}

func TestManyNumbersBecomeRanges(t *testing.T) {
	reading := readTable(t, duckdb.TableSource{Failed: "failed", Files: []string{tableFile(t, "f.csv",
		numbersTable(func(i int) string { return fmt.Sprint(i * 37 % 1000) }))}})
	var got []string
	for _, c := range reading.Table.Conditions {
		got = append(got, c.String())
	}
	want := []string{
		"load <= 29", "load <= 99", "load <= 249", "load <= 499",
		"load > 499", "load > 749", "load > 899", "load > 969",
		"249 < load <= 749",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("ranges: -got, +want:\n%s", diff)
	}
	held := map[string]int{}
	for _, row := range reading.Table.Rows {
		for _, id := range row.Conditions {
			held[reading.Table.Conditions[id].String()] += row.Total
		}
	}
	for i, n := range []int{30, 100, 250, 500, 500, 250, 100, 30, 500} {
		if held[want[i]] != n {
			t.Errorf("%s holds in %d rows, want %d", want[i], held[want[i]], n)
		}
	}
}

func TestColumnsAreTypedByTheirValues(t *testing.T) {
	f := func(name string, number func(i int) string, want duckdb.TableColumn) {
		t.Helper()
		reading := readTable(t, duckdb.TableSource{Failed: "failed", Files: []string{tableFile(t, "f.csv", numbersTable(number))}})
		want.Name = "load"
		if diff := cmp.Diff(reading.Columns, []duckdb.TableColumn{want}); diff != "" {
			t.Errorf("%s: -got, +want:\n%s", name, diff)
		}
		left := want.Kind == "left out" && want.Values != 1
		if said := strings.Contains(strings.Join(reading.Notes, "\n"), "Column load is left out"); said != left {
			t.Errorf("%s: notes are %q", name, reading.Notes)
		}
	}
	kind := func(kind string, values int) duckdb.TableColumn {
		return duckdb.TableColumn{Kind: kind, Values: values}
	}
	f("hours", func(i int) string { return fmt.Sprint(i % 24) }, kind("values", 24))
	f("minutes", func(i int) string { return fmt.Sprint(i * 7 % 60) }, kind("ranges", 60))
	f("names", func(i int) string { return fmt.Sprintf("t%d", i%400) }, kind("values", 400))
	f("postcodes", func(i int) string { return fmt.Sprintf("%05d", i%400) }, kind("values", 400))
	f("words_beside_numbers", func(i int) string {
		return []string{"n/a", "", fmt.Sprint(i), fmt.Sprint(i)}[i%4]
	}, kind("ranges", 502))
	f("timestamps", func(i int) string { return fmt.Sprint(1700000000 + i*13%977) }, kind("ranges", 977))
	f("numbers_that_begin_late", func(i int) string { return fmt.Sprint(min(i, 500) + max(0, i-900)) }, kind("ranges", 600))
	f("constant", func(int) string { return "x" }, duckdb.TableColumn{Kind: "left out", Values: 1, Reason: "it has one value in all rows"})
	f("row_numbers", func(i int) string { return fmt.Sprint(i + 5) }, duckdb.TableColumn{Kind: "left out", Reason: "it numbers the rows"})
	f("ids", func(i int) string { return fmt.Sprintf("%x-%d", i*7919, i) }, duckdb.TableColumn{
		Kind: "left out", Values: 1000, Reason: "it has 1,000 different values in 1,000 rows, so none could explain more than a few failures",
	})
}

func TestColumnThatIsAskedForIsNotLeftOut(t *testing.T) {
	content := numbersTable(func(i int) string { return fmt.Sprintf("r%d", i) })
	reading := readTable(t, duckdb.TableSource{Failed: "failed", Only: []string{"load"}, Files: []string{tableFile(t, "f.csv", content)}})
	if len(reading.Table.Conditions) != 1000 || len(reading.Notes) != 1 || !strings.Contains(reading.Notes[0], "tells all rows that failed from the others") {
		t.Errorf("got %d conditions, notes %q; want 1000, and that the column tells the outcome", len(reading.Table.Conditions), reading.Notes)
	}
}

func TestManyDistinctRowsAreThinnedButNoFailures(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,b,c,failed\n")
	random := rand.New(rand.NewPCG(1, 2))
	failed := 0
	for range 5000 {
		bad := 0
		if random.IntN(20) == 0 {
			bad = 1
		}
		failed += bad
		fmt.Fprintf(&b, "a%d,b%d,c%d,%d\n", random.IntN(30), random.IntN(30), random.IntN(30), bad)
	}
	src := duckdb.TableSource{Failed: "failed", MaxRows: 2000, Files: []string{tableFile(t, "f.csv", b.String())}}
	reading := readTable(t, src)
	rows, kept := 0.0, 0
	for _, row := range reading.Table.Rows {
		kept += row.Failed
		weight := row.Weight
		if weight == 0 {
			weight = 1
		}
		rows += float64(row.Total-row.Failed)*weight + float64(row.Failed)
	}
	if kept != failed {
		t.Errorf("%d of %d failures were kept, want all", kept, failed)
	}
	if len(reading.Table.Rows) > 1200 || rows < 4500 || rows > 5500 {
		t.Errorf("%d rows stand for %.0f, want at most about 1000 for about 5000", len(reading.Table.Rows), rows)
	}
	if reading.Rows != 5000 || reading.Failed != failed || len(reading.Notes) != 1 {
		t.Errorf("got %d rows, %d failed, notes %q; want 5000, %d, and one note", reading.Rows, reading.Failed, reading.Notes, failed)
	}
	if diff := cmp.Diff(readTable(t, src), reading); diff != "" {
		t.Errorf("a second reading differs:\n%s", diff)
	}
}

func TestTableDoesNotDependOnTheOrderOfLines(t *testing.T) {
	values := []string{"", "x", "y", "1", "01", "\"q,\"", "2.50"}
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 0))
		lines := []string{"x,y,0", "x,y,1"}
		for range random.IntN(40) {
			lines = append(lines, fmt.Sprintf("%s,%s,%d", values[random.IntN(len(values))], values[random.IntN(len(values))], random.IntN(2)))
		}
		read := func() duckdb.TableReading {
			path := tableFile(t, "f.csv", "a,b,failed\n"+strings.Join(lines, "\n")+"\n")
			return readTable(t, duckdb.TableSource{Files: []string{path}, Failed: "failed"})
		}
		first := read()
		total, failed := 0, 0
		for _, row := range first.Table.Rows {
			total, failed = total+row.Total, failed+row.Failed
		}
		if total != len(lines) || total != first.Rows || failed != first.Failed {
			t.Errorf("seed %d: rows add up to %d of %d, reading says %d of %d, file has %d lines", seed, failed, total, first.Failed, first.Rows, len(lines))
		}
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if diff := cmp.Diff(read(), first); diff != "" {
			t.Errorf("seed %d: shuffled lines differ:\n%s", seed, diff)
		}
	}
}

func TestATableWithTimesIsSaidToHaveThem(t *testing.T) {
	for _, c := range []struct {
		name  string
		cells []string
		src   duckdb.TableSource
		said  bool
	}{
		{"times", []string{"2026-05-04T14:20:00Z", "2026-05-04T14:21:00+02:00"}, duckdb.TableSource{}, true},
		{"with empty cells", []string{"2026-05-04 14:20:00", "", "2026-05-04 14:22:00.5"}, duckdb.TableSource{}, true},
		{"dates", []string{"2026-05-04", "2026-05-05"}, duckdb.TableSource{}, true},
		{"that are used", []string{"2026-05-04T14:20:00Z", "2026-05-04T14:21:00Z"}, duckdb.TableSource{Time: "at"}, false},
		{"that are not to be used", []string{"2026-05-04T14:20:00Z", "2026-05-04T14:21:00Z"}, duckdb.TableSource{Ignore: []string{"at"}}, false},
		{"one time", []string{"2026-05-04T14:20:00Z", "2026-05-04T14:20:00Z"}, duckdb.TableSource{}, false},
		{"no times", []string{"2026-05-04T14:20:00Z", "soon"}, duckdb.TableSource{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString("at,zone,failed\n")
			for i := range 60 {
				fmt.Fprintf(&b, "%s,%d,%d\n", c.cells[i%len(c.cells)], i%4, i/7%2)
			}
			src := c.src
			src.Failed = "failed"
			src.Files = []string{tableFile(t, "table.csv", b.String())}
			reading := readTable(t, src)
			if said := strings.Contains(strings.Join(reading.Notes, "\n"), "Column at holds times: with --time at"); said != c.said {
				t.Errorf("notes are %q, said %v, want %v", reading.Notes, said, c.said)
			}
		})
	}
}
