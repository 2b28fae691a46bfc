package eddytest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/eddytest"
)

// recorder is a testing.TB that keeps what it was told instead of failing.
type recorder struct {
	testing.TB
	messages []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func TestGoldenComparesWithTheFile(t *testing.T) {
	t.Setenv("EDDY_UPDATE", "")
	t.Chdir(t.TempDir())
	writeFile(t, "testdata/sub/want.txt", "one\ntwo\nthree\n")

	for _, c := range []struct {
		name, file, got string
		// want are parts of the message; none means that the test passes.
		want []string
	}{
		{name: "equal", file: "sub/want.txt", got: "one\ntwo\nthree\n"},
		{name: "different", file: "sub/want.txt", got: "one\n2\nthree\n", want: []string{"want.txt differs", "make update", "-two", "+2"}},
		{name: "no_last_newline", file: "sub/want.txt", got: "one\ntwo\nthree", want: []string{"differs"}},
		{name: "absent", file: "absent.txt", got: "one\n", want: []string{"absent.txt does not exist", "make update", "one"}},
		{name: "empty_but_absent", file: "absent.txt", got: "", want: []string{"does not exist"}},
		{name: "directory", file: "sub", got: "", want: []string{"sub"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r recorder
			eddytest.Golden(&r, c.file, c.got)
			if c.want == nil {
				if len(r.messages) > 0 {
					t.Errorf("Golden(%q, %q) failed the test: %q", c.file, c.got, r.messages)
				}
				return
			}
			if len(r.messages) != 1 {
				t.Fatalf("Golden(%q, %q) said %q, want one message", c.file, c.got, r.messages)
			}
			for _, part := range c.want {
				if !strings.Contains(r.messages[0], part) {
					t.Errorf("Golden(%q, %q) said\n%s\nwant %q in it", c.file, c.got, r.messages[0], part)
				}
			}
		})
	}
	if _, err := os.Stat("testdata/absent.txt"); err == nil {
		t.Error("Golden wrote a file although EDDY_UPDATE is not set")
	}
}

func TestGoldenWritesTheFileWhileUpdating(t *testing.T) {
	t.Setenv("EDDY_UPDATE", "1")
	t.Chdir(t.TempDir())
	for _, got := range []string{"first\n", "second\n"} {
		eddytest.Golden(t, "new/dir/file.txt", []byte(got))
		if kept := readFile(t, "testdata/new/dir/file.txt"); kept != got {
			t.Errorf("after updating with %q the file holds %q", got, kept)
		}
	}
}

func TestGoldenLeavesARightFileAlone(t *testing.T) {
	t.Setenv("EDDY_UPDATE", "1")
	t.Chdir(t.TempDir())
	writeFile(t, "testdata/right.txt", "right\n")
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes("testdata/right.txt", old, old); err != nil {
		t.Fatal(err)
	}
	eddytest.Golden(t, "right.txt", "right\n")
	after, err := os.Stat("testdata/right.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().Equal(old) {
		t.Errorf("the file was written at %v although it was right", after.ModTime())
	}
}

func TestUpdatingFollowsTheEnvironment(t *testing.T) {
	for value, want := range map[string]bool{"": false, "0": false, "true": false, "1": true} {
		t.Setenv("EDDY_UPDATE", value)
		if got := eddytest.Updating(); got != want {
			t.Errorf("with EDDY_UPDATE=%q Updating() = %t, want %t", value, got, want)
		}
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
