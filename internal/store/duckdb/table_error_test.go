package duckdb_test

import (
	"errors"
	"strings"
	"testing"

	"example.test/eddy/internal/store/duckdb"
)

func TestErrorsNameTheFileThePlaceAndTheFix(t *testing.T) {
	ok := "a,b,failed\n1,2,0\n2,2,1\n"
	for name, c := range map[string]struct {
		file, content string
		src           duckdb.TableSource
		want          []string
	}{
		"short_line":      {"f.csv", "a,failed\n1,0\n2\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: line 3: 1 columns, but the header has 2"}},
		"open_quote":      {"f.csv", "a,failed\n1,0\n\"2,1\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: line 3: a quote opens and never closes"}},
		"latin":           {"f.csv", "a,failed\ncaf\xe9,1\nx,0\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: line 2: not UTF-8", "iconv"}},
		"latin_header":    {"f.csv", "caf\xe9,failed\nx,1\ny,0\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: line 1: column 1", "not UTF-8"}},
		"blank_header":    {"f.csv", "\na,failed\nx,1\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: line 1: empty"}},
		"name_twice":      {"f.csv", "a,A,failed\nx,1,1\n", duckdb.TableSource{Failed: "failed"}, []string{`f.csv: line 1: column "A": the name is there twice`}},
		"json_line":       {"f.jsonl", "{\"a\":1,\"failed\":1}\n{\"a\":\n", duckdb.TableSource{Failed: "failed"}, []string{"f.jsonl: line ", "not JSON"}},
		"json_list":       {"f.jsonl", "{\"a\":1,\"failed\":1}\n[1]\n", duckdb.TableSource{Failed: "failed"}, []string{"f.jsonl: ", "record"}},
		"parquet":         {"f.parquet", "PAR1 and no more", duckdb.TableSource{Failed: "failed"}, []string{"f.parquet: ", "arquet"}},
		"no_rows":         {"f.csv", "a,failed\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: no rows below the header"}},
		"empty_file":      {"f.csv", "", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: empty"}},
		"no_outcome":      {"f.csv", "a,failed\n1,\n2,\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: 2 rows, and in none of them is it said what failed"}},
		"unknown_close":   {"f.csv", ok, duckdb.TableSource{Failed: "faild"}, []string{`--failed: `, `no column "faild"; did you mean "failed"?`}},
		"unknown":         {"f.csv", ok, duckdb.TableSource{Failed: "zzz=1"}, []string{`no column "zzz" (columns: a, b, failed)`}},
		"unknown_time":    {"f.csv", ok, duckdb.TableSource{Failed: "failed", Time: "when"}, []string{`--time: `, `no column "when"`}},
		"unknown_only":    {"f.csv", ok, duckdb.TableSource{Failed: "failed", Only: []string{"A"}}, []string{`--only: `, `no column "A"`}},
		"unknown_ignore":  {"f.csv", ok, duckdb.TableSource{Failed: "failed", Ignore: []string{"FAILED"}}, []string{`--ignore: `, `did you mean "failed"?`}},
		"two_roles":       {"f.csv", ok, duckdb.TableSource{Failed: "failed", Time: "failed"}, []string{`--failed: column "failed" is already --time`}},
		"nothing_offered": {"f.csv", ok, duckdb.TableSource{Failed: "failed", Ignore: []string{"a", "b"}}, []string{"no column is left"}},
		"not_a_boolean":   {"f.csv", "a,Build\n1,KO\n2,OK\n3,OK\n", duckdb.TableSource{Failed: "Build"}, []string{`neither true nor false: "OK" (2 rows), "KO" (1 row)`, "--failed 'Build=VALUE'"}},
		"value_absent":    {"f.csv", "a,Build\n1,KO\n2,OK\n", duckdb.TableSource{Failed: "Build=ko"}, []string{`Build is never "ko"; it is "KO" (1 row), "OK" (1 row)`}},
		"none_failed":     {"f.csv", "a,failed\n1,0\n2,0\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: no row failed, of 2"}},
		"all_failed":      {"f.csv", "a,failed\n1,1\n2,1\n", duckdb.TableSource{Failed: "failed"}, []string{"f.csv: every row failed (2 of 2)"}},
		"count_word":      {"f.csv", "a,n,f\n1,x,1\n2,3,1\n", duckdb.TableSource{Count: "n", Failures: "f"}, []string{"1 of 2 rows do not hold whole numbers", `n="x", f="1"`}},
		"count_exceeded":  {"f.csv", "a,n,f\n1,2,3\n2,3,1\n", duckdb.TableSource{Count: "n", Failures: "f"}, []string{"f at most n", `n="2", f="3"`}},
		"count_part":      {"f.csv", "a,n,f\n1,2.5,1\n2,3,1\n", duckdb.TableSource{Count: "n", Failures: "f"}, []string{`n="2.5"`}},
		"count_negative":  {"f.csv", "a,n,f\n1,2,-1\n2,3,1\n", duckdb.TableSource{Count: "n", Failures: "f"}, []string{`f="-1"`}},
		"count_empty":     {"f.csv", "a,n,f\n1,2,\n2,3,1\n", duckdb.TableSource{Count: "n", Failures: "f"}, []string{`f=""`}},
		"line_ends":       {"f.csv", "a,failed\r\n" + strings.Repeat("1,1\r\n2,0\r\n", 2000) + "1,1\n" + strings.Repeat("1,0\r\n", 2000), duckdb.TableSource{Failed: "failed"}, []string{"f.csv: lines cannot be told apart", "CR LF"}},
		"time_word":       {"f.csv", "a,t,failed\n1,soon,1\n2,2024-01-01,0\n", duckdb.TableSource{Failed: "failed", Time: "t"}, []string{`column "t": 1 of 2 rows hold no time, such as "soon"`}},
		"unknown_weight":  {"f.csv", ok, duckdb.TableSource{Failed: "failed", Weight: "w"}, []string{`--weight: `, `no column "w"`}},
		"weight_twice":    {"f.csv", ok, duckdb.TableSource{Failed: "failed", Weight: "failed"}, []string{`--failed: column "failed" is already --weight`}},
		"weight_word":     {"f.csv", "a,w,failed\n1,2,0\n1,few,0\n2,,1\n", duckdb.TableSource{Failed: "failed", Weight: "w"}, []string{`column "w": 1 of 3 rows hold no weight, the first of them row 2 below the header: "few"; want from 1 to 1,000,000`}},
		"weight_part":     {"f.csv", "a,w,failed\n1,0.5,0\n1,0,0\n2,,1\n", duckdb.TableSource{Failed: "failed", Weight: "w"}, []string{`2 of 3 rows hold no weight, the first of them row 1 below the header: "0.5"`}},
		"weight_negative": {"f.jsonl", "{\"a\":1,\"w\":2,\"failed\":0}\n{\"a\":1,\"w\":-3,\"failed\":0}\n{\"a\":1,\"failed\":1}\n", duckdb.TableSource{Failed: "failed", Weight: "w"}, []string{`row 2 below the header: "-3"`}},
		"weight_infinite": {"f.csv", "a,n,f,w\n1,9,1,inf\n2,9,0,1e7\n", duckdb.TableSource{Count: "n", Failures: "f", Weight: "w"}, []string{`2 of 2 rows hold no weight`, `row 1 below the header: "inf"`}},
		"weight_quantile": {"f.csv", "a,took,w\n1,9,1\n", duckdb.TableSource{Slow: "took", Weight: "w"}, []string{`--weight: which rows of a sample are slow needs a limit, as in --slow 'took>250'`}},
		"no_way":          {"f.csv", ok, duckdb.TableSource{}, []string{"--failed", "--count"}},
		"two_ways":        {"f.csv", ok, duckdb.TableSource{Failed: "failed", Count: "a", Failures: "b"}, []string{"give one of the two"}},
		"half_a_way":      {"f.csv", ok, duckdb.TableSource{Count: "a"}, []string{"--count and --failures go together"}},
		"format":          {"f.csv", ok, duckdb.TableSource{Failed: "failed", Format: "xls"}, []string{`format "xls": want csv, tsv, jsonl or parquet`}},
		"memory":          {"f.csv", ok, duckdb.TableSource{Failed: "failed", Memory: "lots"}, []string{"memory_limit='lots'"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.Files = []string{tableFile(t, c.file, c.content)}
			refused(t, c.src, c.want)
		})
	}
}

// refused checks that a table is not read, and that the error says all that is wanted.
func refused(t *testing.T, src duckdb.TableSource, wanted []string) {
	t.Helper()
	_, err := duckdb.ReadTable(t.Context(), src)
	if err == nil {
		t.Fatalf("no error; want one with %q", wanted)
	}
	for _, want := range wanted {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestFilesThatAreNotOneTableAreRefused(t *testing.T) {
	one := tableFile(t, "one.csv", "a,failed\n1,0\n2,1\n")
	f := func(want string, files ...string) {
		t.Helper()
		src := duckdb.TableSource{Files: files, Failed: "failed", Stdin: strings.NewReader("a,failed\n1,0\n")}
		if _, err := duckdb.ReadTable(t.Context(), src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", files, err, want)
		}
	}
	f(`fewer.csv: no column "a", which `, one, tableFile(t, "fewer.csv", "b,failed\n1,0\n"))
	f(`more.csv: column "b", which `, one, tableFile(t, "more.csv", "a,b,failed\n1,1,0\n"))
	f("standard input: given twice", "-", "-")
	f("gone.csv: no such file", one, "gone.csv")
	f("is a directory", t.TempDir())
	f("no file given")
}

func TestNothingToCompareIsToldFromOtherErrors(t *testing.T) {
	f := func(content string, want error) {
		t.Helper()
		_, err := duckdb.ReadTable(t.Context(), duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Failed: "failed"})
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", content, err, want)
		}
	}
	f("a,failed\n1,0\n", duckdb.ErrNothingFailed)
	f("a,failed\n1,1\n", duckdb.ErrEverythingFailed)
}
