package duckdb_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"example.test/eddy/internal/store/duckdb"
)

func FuzzHeader(f *testing.F) {
	for _, seed := range []string{
		"a,b,c\n1,2,3\n", "a;b;c\r\n", "\ufeffa\tb\n", "\"a \"\"quoted\"\" name\",b\n", ",x\n0,1\n", "\n\n", "\"open", "a|b", "a,A", "caf\xe9,b\n", "\"two\nlines\",b\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		names, err := duckdb.ParseHeader(head)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, name := range names {
			folded := strings.ToLower(name)
			if name == "" || seen[folded] || !utf8.ValidString(name) {
				t.Errorf("%q: name %q is empty, there twice or not UTF-8", head, name)
			}
			seen[folded] = true
		}
		if len(names) == 0 {
			t.Errorf("%q: no names and no error", head)
		}
	})
}

// FuzzTable reads what may be a table of any format. Whatever it is, the rows
// add up, or there is an error.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{
		"a,b,failed\n1,x,0\n2,y,1\n", "a;failed\n\"x;y\";1\n;0\n", "failed\n1\n0\n", "a\tfailed\n1\t1\n2\t0\n",
		"{\"a\":1,\"failed\":true}\n{\"a\":[1],\"failed\":0}\n", "[{\"failed\":1}]", "PAR1", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "a,failed\n\x00,1\nb,0\n",
	} {
		f.Add([]byte(seed), "failed")
	}
	f.Add([]byte("a=b,c\nKO,1\nOK,2\n"), "a=b=KO")
	f.Fuzz(func(t *testing.T, content []byte, failed string) {
		reading, err := duckdb.ReadTable(t.Context(), duckdb.TableSource{Files: []string{"-"}, Stdin: bytes.NewReader(content), Failed: failed})
		if err != nil {
			return
		}
		rows, fails := 0, 0
		for _, row := range reading.Table.Rows {
			rows, fails = rows+row.Total, fails+row.Failed
			for i, id := range row.Conditions {
				if int(id) >= len(reading.Table.Conditions) || i > 0 && id <= row.Conditions[i-1] {
					t.Fatalf("conditions %v of a row are not ascending numbers of %d", row.Conditions, len(reading.Table.Conditions))
				}
			}
		}
		if rows != reading.Rows || fails != reading.Failed || fails == 0 || fails == rows {
			t.Errorf("rows add up to %d of %d, reading says %d of %d", fails, rows, reading.Failed, reading.Rows)
		}
	})
}
