package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"example.test/eddy/internal/eddytest"
)

// TestMain lets scripts run measure as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"measure": main})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       eddytest.Updating(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
