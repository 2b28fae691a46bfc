// Package reuse gives slices in room that was used before, so that what runs again and
// again allocates once.
package reuse

// Clear returns n zeros, in the room of s if that suffices.
func Clear[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}

// Room returns a slice of n in the room of s, if that suffices; what is in it is
// anything.
func Room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
