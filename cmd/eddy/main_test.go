package main

import (
	"os"
	"path/filepath"
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
	manifests, err := filepath.Abs("../../examples/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Setup: func(e *testscript.Env) error {
			e.Setenv("MANIFESTS", manifests)
			return nil
		},
		Dir:                 "testdata/script",
		UpdateScripts:       eddytest.Updating(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
