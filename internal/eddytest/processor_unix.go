//go:build unix

package eddytest

import (
	"syscall"
	"testing"
	"time"
)

// ProcessorTime is what this process has used of its processors so far. Benchmarks
// divide by it, because it does not depend on what else the machine does.
func ProcessorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
