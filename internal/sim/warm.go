package sim

import "time"

// ColdStart makes the servers of a service those of functions: one that has not
// worked for KeepAlive is gone, and the next request that needs it waits for a
// new one. The zero ColdStart is none.
type ColdStart struct {
	Takes     Dist
	KeepAlive time.Duration // 5 min
}

// warmth is which servers of an instance are still there.
type warmth struct {
	idle []Time // until when each idle one stays, the freshest last
}

// take uses a warm server if there is one.
func (w *warmth) take(now Time) bool {
	for n := len(w.idle); n > 0; n = len(w.idle) {
		until := w.idle[n-1]
		if until > now {
			w.idle = w.idle[:n-1]
			return true
		}
		w.idle = w.idle[:0] // the freshest is gone, so are the others
	}
	return false
}

// give returns a server.
func (w *warmth) give(until Time) { w.idle = append(w.idle, until) }
