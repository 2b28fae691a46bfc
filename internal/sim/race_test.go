//go:build race

package sim_test

// raceDetector is on, and makes all times meaningless.
const raceDetector = true
