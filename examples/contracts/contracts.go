// Package contracts is ten contracts, one for each use of phases that comes up
// most, to copy and change.
package contracts

import "embed"

// Files has the contracts, each as NN-name.yaml.
//
//go:embed *.yaml
var Files embed.FS
