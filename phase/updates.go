package phase

import (
	"iter"
	"maps"
	"slices"
)

// updates holds what one range over Watch.Updates has not been told: for each
// subject the view that it knows and the one that is. Whoever is slow misses
// steps and never the last one, so nobody waits for it and nothing grows.
type updates struct {
	wake chan struct{}
	old  map[string]View
	now  map[string]View
}

// tell passes a change on. The caller holds the lock.
func (w *Watch) tell(before, after View) {
	for u := range w.updates {
		if _, ok := u.old[after.Key]; !ok {
			u.old[after.Key] = before
		}
		u.now[after.Key] = after
		select {
		case u.wake <- struct{}{}:
		default: // it has been told and will look
		}
	}
	w.unsaved = true
}

// Updates yields each change of what is believed as the view before and the view
// after, until the watch is closed. It begins with what is believed now.
func (w *Watch) Updates() iter.Seq2[View, View] {
	return func(yield func(View, View) bool) {
		u := w.subscribe()
		defer w.unsubscribe(u)
		for {
			old, now := w.take(u)
			for _, key := range slices.Sorted(maps.Keys(now)) {
				if !yield(old[key], now[key]) {
					return
				}
			}
			select {
			case <-u.wake:
			case <-w.ctx.Done():
				return
			}
		}
	}
}

func (w *Watch) subscribe() *updates {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := &updates{wake: make(chan struct{}, 1), old: make(map[string]View), now: make(map[string]View)}
	now := w.client.config.Clock()
	for key, f := range w.subjects {
		u.old[key], u.now[key] = View{Subject: Subject{w.name, key}}, w.view(key, f, now)
	}
	w.updates[u] = true
	return u
}

func (w *Watch) unsubscribe(u *updates) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.updates, u)
}

// take returns what u has not been told.
func (w *Watch) take(u *updates) (old, now map[string]View) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, now = u.old, u.now
	u.old, u.now = make(map[string]View), make(map[string]View)
	return old, now
}
