package sim

// A recency is the order in which keys were last used, of as many as there is
// room for.
type recency struct {
	bound      int // 0: there is room for all, and no order is kept
	n          int
	next, prev []int32
	in         []bool
	head, tail int32    // last used, longest not used
	asked      []uint16 // how often a key was used, halved now and then
	uses       int
	evicted    int
}

func newRecency(keys, bound int) recency {
	if bound == 0 || bound >= keys {
		return recency{}
	}
	return recency{
		bound: bound, next: make([]int32, keys), prev: make([]int32, keys), in: make([]bool, keys),
		head: none, tail: none, asked: make([]uint16, keys),
	}
}

// use notes that a key was asked for.
func (r *recency) use(key int32) {
	if r.bound == 0 {
		return
	}
	if r.asked[key] < 1<<15 {
		r.asked[key]++
	}
	if r.uses++; r.uses >= 10*r.bound { // as W-TinyLFU does, so that old fame fades
		r.uses = 0
		for k := range r.asked {
			r.asked[k] /= 2
		}
	}
	if r.in[key] {
		r.unlink(key)
		r.link(key)
	}
}

// put makes room for a key. It returns the key that had to go, or none, and
// whether the new one is kept.
func (r *recency) put(key int32, byFame bool) (victim int32, kept bool) {
	if r.in[key] {
		return none, true
	}
	victim = none
	if r.n == r.bound {
		victim = r.tail
		if byFame && r.asked[key] <= r.asked[victim] {
			return none, false
		}
		r.remove(victim)
		r.evicted++
	}
	r.in[key] = true
	r.n++
	r.link(key)
	return victim, true
}

func (r *recency) remove(key int32) {
	if r.bound == 0 || !r.in[key] {
		return
	}
	r.in[key] = false
	r.n--
	r.unlink(key)
}

func (r *recency) link(key int32) {
	r.prev[key], r.next[key] = none, r.head
	if r.head != none {
		r.prev[r.head] = key
	} else {
		r.tail = key
	}
	r.head = key
}

func (r *recency) unlink(key int32) {
	p, n := r.prev[key], r.next[key]
	if p != none {
		r.next[p] = n
	} else {
		r.head = n
	}
	if n != none {
		r.prev[n] = p
	} else {
		r.tail = p
	}
}
