package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"example.test/eddy/internal/eddytest"
)

// TestMain lets scripts run eddy as a process of its own, made from the test
// binary, so that main, flags and the exit status are under test too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"eddy": func() { os.Exit(run()) }})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       eddytest.Updating(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
