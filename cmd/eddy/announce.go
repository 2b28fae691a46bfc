package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// announce returns a function that shows on a terminal what is being done, and
// for how long already, on a line that it writes over; and one that clears the
// line. On anything but a terminal there is nothing to say: say is nil.
func announce(w io.Writer) (say func(doing string), done func()) {
	if !terminal(w) {
		return nil, func() {}
	}
	return newAnnouncer(w)
}

// newAnnouncer is announce for what is a terminal.
func newAnnouncer(w io.Writer) (say func(doing string), done func()) {
	a := &announcer{w: w, stop: make(chan struct{})}
	a.stopped.Go(a.count)
	return a.say, a.done
}

// An announcer writes over one line.
type announcer struct {
	w       io.Writer
	stop    chan struct{}
	stopped sync.WaitGroup

	mu    sync.Mutex
	doing string
	since time.Time
}

func (a *announcer) say(doing string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.doing, a.since = doing, time.Now()
	a.draw()
}

// count draws the line anew every second.
func (a *announcer) count() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-tick.C:
			a.mu.Lock()
			a.draw()
			a.mu.Unlock()
		}
	}
}

func (a *announcer) draw() {
	if a.doing == "" {
		return
	}
	fmt.Fprintf(a.w, "\r\x1b[K%s ...", a.doing)
	if s := time.Since(a.since).Truncate(time.Second); s > 0 {
		fmt.Fprintf(a.w, " %v", s)
	}
}

func (a *announcer) done() {
	close(a.stop)
	a.stopped.Wait()
	fmt.Fprint(a.w, "\r\x1b[K")
}
