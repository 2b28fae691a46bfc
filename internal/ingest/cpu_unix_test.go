//go:build unix

package ingest

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is what the process has used so far. Benchmarks divide by it because
// it does not depend on what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
