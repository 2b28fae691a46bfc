package kubernetes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/phase/contract"
)

// shipped finds contracts that come with Eddy.
func shipped(name string) *contract.Contract {
	text, ok := contracts.Read(name)
	if !ok {
		return nil
	}
	c, err := contract.Parse(name+".yaml", text)
	if err != nil {
		return nil
	}
	return c
}

// Whatever is in a manifest, it is checked or refused, and every problem says where and
// what it is.
func FuzzCheckManifests(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add([]byte(strings.NewReplacer("pod-drain", "rolling-drain", "30s", "soon", "--wait, ", "", "shop/checkout", "till").Replace(string(text))))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		problems, checked, err := kubernetes.CheckManifests("m.yaml", text, shipped)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "m.yaml:") {
				t.Errorf("error %q does not say where", err)
			}
			return
		}
		for _, p := range problems {
			if p.Message == "" || p.Line < 1 || p.Line > 1+strings.Count(string(text), "\n") {
				t.Errorf("problem %+v in %d lines", p, strings.Count(string(text), "\n"))
			}
			if p.Code != "" && checked == 0 {
				t.Errorf("problem %s of no workload", p)
			}
		}
	})
}
