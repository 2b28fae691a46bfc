package ingest

import "sync"

// recent remembers the last ids, up to a bound. It is safe for concurrent use.
type recent struct {
	mu   sync.Mutex
	ids  map[string]struct{}
	ring []string // the oldest at next, once it is full
	next int
	max  int
}

func newRecent(max int) *recent {
	return &recent{ids: make(map[string]struct{}), max: max}
}

func (r *recent) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.ids[id]
	return ok
}

func (r *recent) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[id]; ok {
		return
	}
	r.ids[id] = struct{}{}
	if len(r.ring) < r.max {
		r.ring = append(r.ring, id)
		return
	}
	delete(r.ids, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % r.max
}
