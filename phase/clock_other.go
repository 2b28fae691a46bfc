//go:build !linux

package phase

import "time"

// bootTime is the monotonic clock.
func bootTime() time.Duration { return time.Since(started) }
