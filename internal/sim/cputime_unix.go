//go:build unix

package sim

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that this process has used. Other work on the
// machine does not count in it, as it would in the time of a clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
