//go:build !unix

package ingest

import (
	"testing"
	"time"
)

// cpuTime is the wall clock where the system does not tell the process's CPU
// time simply.
func cpuTime(*testing.B) time.Duration { return time.Duration(time.Now().UnixNano()) }
