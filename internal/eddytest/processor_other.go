//go:build !unix

package eddytest

import (
	"testing"
	"time"
)

// ProcessorTime is the wall clock where the system does not tell the processor time
// of a process simply.
func ProcessorTime(testing.TB) time.Duration { return time.Duration(time.Now().UnixNano()) }
