package etcd_test

import (
	"os"
	"testing"
)

// TestMain lets the leader experiment run candidates as processes of their own,
// made from the test binary, since only a process can be stopped by a signal; and
// likewise the nodes of a cluster.
func TestMain(m *testing.M) {
	if order := os.Getenv(childNode); order != "" {
		os.Exit(beNode(order))
	}
	if os.Getenv("EDDY_CANDIDATE") != "" {
		os.Exit(candidate())
	}
	os.Exit(m.Run())
}
