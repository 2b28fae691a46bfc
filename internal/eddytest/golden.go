// Package eddytest is what tests of several packages share: golden files, traces
// written by hand, and the processor time that benchmarks divide by.
//
// Only _test.go files import it; arch_test.go in the root enforces that.
package eddytest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
)

// Updating reports whether golden files are to be rewritten: EDDY_UPDATE=1,
// which "make update" sets.
//
// It is a variable and not a flag because "go test ./... -update" fails in
// every package whose tests do not define the flag.
func Updating() bool { return os.Getenv("EDDY_UPDATE") == "1" }

// Golden compares got with the file testdata/name of the package under test and
// fails the test with the difference, got being the side with the plus signs.
// While Updating, it writes the file instead, and the diff of the commit is
// what has to be read.
//
// What is compared must be the same on every run: sort, round and fix times in
// the code under test, not here. Golden may be called from several goroutines,
// each with a name of its own.
func Golden[Text ~string | ~[]byte](t testing.TB, name string, got Text) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if Updating() {
		if err := write(path, []byte(got)); err != nil {
			t.Errorf("golden file %s: %v", path, err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("golden file %s does not exist; run \"make update\", read what it wrote, and commit it\ngot:\n%s", path, got)
		return
	}
	if err != nil {
		t.Errorf("golden file %s: %v", path, err)
		return
	}
	if d := diff.Diff(path, want, "got", []byte(got)); d != nil {
		t.Errorf("%s differs; if got is right, run \"make update\" and read the diff\n%s", path, d)
	}
}

// write leaves a file that is already right alone, so that its time stays and
// with it the test results that the go command has cached.
func write(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
