//go:build !unix

package sim

import "time"

// cpuTime is the time of a clock where the system does not say how much of the
// processor a process has used.
func cpuTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
