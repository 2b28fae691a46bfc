package phase

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is the time since the machine was started, also while it slept: the
// monotonic clock of package time stands still then, and a belief would be
// younger than it is.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(started)
	}
	return time.Duration(t.Nano())
}
