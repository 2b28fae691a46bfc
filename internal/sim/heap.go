package sim

// A node is a pending event in a heap: its time, and a key that holds the order
// of scheduling and the slot.
type node struct {
	t   Time
	key uint64
}

func (n node) before(m node) bool { return n.t < m.t || n.t == m.t && n.key < m.key }

// A heap has four children a node: half the levels of a binary one, and the
// children share a cache line. The root that was taken stays as a hole until the
// next push or look, since most events schedule another one, which then sinks
// from the root and spares the repair.
type heap struct {
	nodes []node
	hole  bool
}

func (h *heap) push(n node) {
	if h.hole {
		h.hole = false
		h.sink(n)
		return
	}
	h.nodes = append(h.nodes, n)
	i := len(h.nodes) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !n.before(h.nodes[up]) {
			break
		}
		h.nodes[i] = h.nodes[up]
		i = up
	}
	h.nodes[i] = n
}

// min returns the first node, which stays.
func (h *heap) min() (node, bool) {
	if h.hole {
		h.hole = false
		last := len(h.nodes) - 1
		n := h.nodes[last]
		h.nodes = h.nodes[:last]
		if last > 0 {
			h.sink(n)
		}
	}
	if len(h.nodes) == 0 {
		return node{}, false
	}
	return h.nodes[0], true
}

// take removes what min returned.
func (h *heap) take() { h.hole = true }

// sink puts n where the root was.
func (h *heap) sink(n node) {
	nodes := h.nodes
	i := 0
	for {
		first := 4*i + 1
		if first >= len(nodes) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(nodes)); c++ {
			if nodes[c].before(nodes[least]) {
				least = c
			}
		}
		if !nodes[least].before(n) {
			break
		}
		nodes[i] = nodes[least]
		i = least
	}
	nodes[i] = n
}
