// Package scenarios holds the scenarios that come with Eddy: systems that fail
// only when conditions meet, systems that fail for one reason, and systems that
// are busy and healthy.
package scenarios

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names returns the names of all scenarios, sorted.
func Names() []string {
	paths, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	for i := range paths {
		paths[i] = strings.TrimSuffix(paths[i], ".yaml")
	}
	return paths
}

// Read returns the text of a scenario by its name; false if there is none.
func Read(name string) ([]byte, bool) {
	text, err := files.ReadFile(name + ".yaml")
	return text, err == nil
}
