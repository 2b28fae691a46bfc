package interaction

import "sync"

// smallPart is how many rows are not worth a second goroutine.
const smallPart = 4096

// inTwo calls f for the two halves of 0 to n, at the same time if they are large
// enough, and returns when both are done. Halves meet at a multiple of 64, so
// that each fills words of bits of its own. What f does for one half must not
// depend on the other: it writes to places of its own, or to sums of whole
// numbers by half, which add up to the same whatever the division.
func inTwo(n int, f func(half, from, to int)) {
	if n < 2*smallPart {
		f(0, 0, n)
		return
	}
	middle := n / 2 &^ 63
	var both sync.WaitGroup
	both.Go(func() { f(1, middle, n) })
	f(0, 0, middle)
	both.Wait()
}
