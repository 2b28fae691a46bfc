package sim

// An entry is a pending event in a heap: its time, and a key that holds the order
// of scheduling and the slot.
type entry struct {
	t   Time
	key uint64
}

func (n entry) before(m entry) bool { return n.t < m.t || n.t == m.t && n.key < m.key }

// A heap has four children an entry: half the levels of a binary one, and the
// children share a cache line. The root that was taken stays as a hole until the
// next push or look, since most events schedule another one, which then sinks
// from the root and spares the repair.
type heap struct {
	entries []entry
	hole    bool
}

func (h *heap) push(n entry) {
	if h.hole {
		h.hole = false
		h.sink(n)
		return
	}
	h.entries = append(h.entries, n)
	i := len(h.entries) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !n.before(h.entries[up]) {
			break
		}
		h.entries[i] = h.entries[up]
		i = up
	}
	h.entries[i] = n
}

// min returns the first entry, which stays.
func (h *heap) min() (entry, bool) {
	if h.hole {
		h.hole = false
		last := len(h.entries) - 1
		n := h.entries[last]
		h.entries = h.entries[:last]
		if last > 0 {
			h.sink(n)
		}
	}
	if len(h.entries) == 0 {
		return entry{}, false
	}
	return h.entries[0], true
}

// take removes what min returned.
func (h *heap) take() { h.hole = true }

// sink puts n where the root was.
func (h *heap) sink(n entry) {
	entries := h.entries
	i := 0
	for {
		first := 4*i + 1
		if first >= len(entries) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(entries)); c++ {
			if entries[c].before(entries[least]) {
				least = c
			}
		}
		if !entries[least].before(n) {
			break
		}
		entries[i] = entries[least]
		i = least
	}
	entries[i] = n
}
