package web

import (
	"sync"

	"example.test/eddy/internal/incident"
)

// drawnLimit is how many pictures are kept: those of the incidents that people
// have open, since each open page asks again after every step.
const drawnLimit = 16

// drawnKey says which picture, of which state of the incident, and when (in
// steps of 5 s, since the window of an open incident moves).
type drawnKey struct {
	id      incident.ID
	updated int64
	time    int64
}

// drawn keeps the last pictures, the oldest going first.
type drawn struct {
	mu       sync.Mutex
	pictures map[drawnKey]*Confluence
	order    []drawnKey
}

func newDrawn() *drawn { return &drawn{pictures: make(map[drawnKey]*Confluence)} }

func (d *drawn) get(k drawnKey) *Confluence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pictures[k]
}

// put keeps c, which nobody may change from then on.
func (d *drawn) put(k drawnKey, c *Confluence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.pictures[k]; ok {
		return
	}
	if len(d.order) == drawnLimit {
		delete(d.pictures, d.order[0])
		d.order = append(d.order[:0], d.order[1:]...)
	}
	d.pictures[k] = c
	d.order = append(d.order, k)
}
