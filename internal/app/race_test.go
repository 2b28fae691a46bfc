//go:build race

package app_test

// underRace says that the race detector is on. It multiplies the memory of a
// process several times over, so that bounds on memory mean nothing.
const underRace = true
