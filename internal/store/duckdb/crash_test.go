//go:build unix

package duckdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.test/eddy/internal/store"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/store/storetest"
	"example.test/eddy/internal/telemetry"
)

// childMode says that the test binary is to be a process that others end, or
// refuse: see child.
const childMode = "EDDY_STORE_CHILD"

func TestMain(m *testing.M) {
	mode := os.Getenv(childMode)
	if mode == "" {
		m.Run()
		return
	}
	if err := child(mode, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stdout, "error:", err)
	}
}

// child does the operations of script from number first on, until something
// ends it, and prints how many were done after each. In the mode "hold" it only
// opens the store and waits for the end of its input. In the mode "full" files
// cannot grow beyond a few megabytes.
func child(mode, path, first string) error {
	ctx := context.Background()
	s, err := duckdb.Open(ctx, duckdb.Config{Path: path})
	if err != nil {
		return err
	}
	if mode == "hold" {
		fmt.Fprintln(os.Stdout, "open")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	if mode == "full" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 3 << 20, Max: 3 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	for i, operation := range script() {
		if i < from {
			continue
		}
		if err := operation(ctx, s); err != nil {
			return errors.Join(err, s.Append(ctx, telemetry.Batch{}, 1<<40))
		}
		fmt.Fprintln(os.Stdout, i+1)
	}
	return nil
}

// script yields operations, numbered from 0 and the same each time, that go on
// for longer than any test.
func script() func(yield func(int, func(context.Context, store.Store) error) bool) {
	return func(yield func(int, func(context.Context, store.Store) error) bool) {
		source := storetest.NewSource(99)
		for i := 0; i < 1_000_000; i += 3 {
			batch, result := source.Batch(), source.Result()
			now := source.Base().Add(time.Duration(i) * time.Second)
			for j, do := range []func(context.Context, store.Store) error{
				func(ctx context.Context, s store.Store) error { return s.Append(ctx, batch, uint64(i)) },
				func(ctx context.Context, s store.Store) error { return s.Save(ctx, result) },
				func(ctx context.Context, s store.Store) error {
					// Deletes a row or two, and so moves the log into the tables.
					_, err := s.Retain(ctx, store.Retention{Totals: 100 * time.Minute}, now)
					return err
				},
			} {
				if !yield(i+j, do) {
					return
				}
			}
		}
	}
}

// start runs the test binary as a child and returns its output.
func start(t *testing.T, mode, path string, first int) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], path, strconv.Itoa(first))
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill() // it may have ended by itself
	})
	return cmd, stdin, bufio.NewScanner(stdout)
}

// done does operations up to number n to a store in memory.
func done(t *testing.T, n int) *store.Mem {
	t.Helper()
	m := store.NewMem()
	for i, operation := range script() {
		if i == n {
			break
		}
		if err := operation(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// stateOf returns after how many operations, acknowledged or one more, the
// store at path is what it must be, and fails if it is neither.
func stateOf(t *testing.T, path string, acknowledged int) int {
	t.Helper()
	s, err := duckdb.Open(t.Context(), duckdb.Config{Path: path})
	if err != nil {
		t.Fatalf("open after %d operations: %v", acknowledged, err)
	}
	defer s.Close()
	var differ []string
	for n := acknowledged; n <= acknowledged+1; n++ {
		d := storetest.Differences(t.Context(), done(t, n), s)
		if len(d) == 0 {
			return n
		}
		differ = append(differ, fmt.Sprintf("with %d operations: %s", n, d[0]))
	}
	t.Fatalf("acknowledged were %d operations, and the store is neither there nor one further:\n%s",
		acknowledged, strings.Join(differ, "\n"))
	return 0
}

func TestAKilledProcessLosesNothingItAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eddy.duckdb")
	rng := rand.New(rand.NewPCG(4, 4))
	state := 0
	for range 4 {
		cmd, _, lines := start(t, "work", path, state)
		acknowledged := state
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("child: %s", lines.Text())
			}
			if acknowledged == state { // the first: it works now
				time.AfterFunc(time.Duration(rng.IntN(150_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
			acknowledged = n
		}
		_ = cmd.Wait() // says that it was killed
		if acknowledged == state {
			t.Fatal("the child did nothing")
		}
		state = stateOf(t, path, acknowledged)
	}
	t.Logf("%d operations, 4 kills", state)
}

func TestAFullDiskIsAnErrorAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eddy.duckdb")
	cmd, _, lines := start(t, "full", path, 0)
	acknowledged, said := 0, ""
	for lines.Scan() {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			acknowledged = n
			continue
		}
		said += lines.Text() + "\n"
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child ended with %v", err)
	}
	for _, want := range []string{"error: ", "File too large", "stays closed until eddy is started again"} {
		if !strings.Contains(said, want) {
			t.Errorf("the child said %q, want an error with %q", said, want)
		}
	}
	t.Logf("after %d operations: %s", acknowledged, said)
	stateOf(t, path, acknowledged)
}

func TestOpenSaysWhoHasTheFileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eddy.duckdb")
	cmd, stdin, lines := start(t, "hold", path, 0)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("child: %s", lines.Text())
	}
	_, err := duckdb.Open(t.Context(), duckdb.Config{Path: path})
	for _, want := range []string{path, "process " + strconv.Itoa(cmd.Process.Pid), "end that process, or use another data directory"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open = %v, want an error with %q", err, want)
		}
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("child: %v", err)
	}
	open(t, path)
}
