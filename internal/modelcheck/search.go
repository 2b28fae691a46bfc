package modelcheck

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A model is a set of states with steps between them.
type model interface {
	// size is how many bytes a state has.
	size() int
	// initial writes the first state.
	initial(state []byte)
	// steps emits every step that is possible in a state. It may run in several
	// goroutines at once, each with an emitter of its own.
	steps(state []byte, e *emitter)
	// agreed reports whether a state is one of those that must stay within reach.
	agreed(state []byte) bool
	// promela writes the model for Spin.
	promela(title string) string
}

// An emitter takes the steps out of a state. A model fills next and calls emit.
type emitter struct {
	next []byte
	take func(label uint32, broken Property)
}

func (e *emitter) emit(label uint32, broken Property) { e.take(label, broken) }

// Progress is how far a search is.
type Progress struct {
	// Run is what is searched, as "router".
	Run     string
	States  int
	Edges   int
	Depth   int
	Elapsed time.Duration
}

// bounds is how far a search may go.
type bounds struct {
	states  int
	bytes   int
	workers int
	report  func(states, edges, depth int)
}

// A search walks through the states of a model in the order of their distance
// from the first, so that the first violation is one of the shortest.
//
// Each round takes some states of the present distance. First the workers find
// the steps out of them, each for a stretch, and sort the states reached by
// shard; then they add those, each to shards of its own. As each shard takes them
// in the order of the states they come from, the result does not depend on the
// number of workers.
type search struct {
	model  model
	bounds bounds
	shards [shards]*shard

	edges  int
	depth  int
	broken *fault
	// exhausted says which bound ended the search early, if one did.
	exhausted string
}

// A fault is a step that breaks a property.
type fault struct {
	from     id
	label    uint32
	property Property
}

// round is how many states are taken at once; what they lead to waits in memory.
const round = 1 << 15

func newSearch(m model, b bounds) *search {
	s := &search{model: m, bounds: b}
	for i := range s.shards {
		s.shards[i] = newShard(m.size())
	}
	return s
}

// run walks until all states are seen, a property is broken, a bound is hit or
// the context ends.
func (s *search) run(ctx context.Context) error {
	first := make([]byte, s.model.size())
	s.model.initial(first)
	hash := hashOf(first)
	s.shards[shardOf(hash)].add(first, hash, 0, 0)
	var done [shards]int // how many states of each shard are taken
	w := newWorkers(s)
	for {
		var level []id
		for i, sh := range s.shards {
			for ; done[i] < sh.n; done[i]++ {
				level = append(level, newID(i, done[i]))
			}
		}
		if len(level) == 0 {
			return nil
		}
		for len(level) > 0 {
			n := min(round, len(level))
			w.expand(level[:n])
			if s.broken != nil {
				return nil
			}
			w.collect()
			level = level[n:]
			if s.over() {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			s.bounds.report(s.states(), s.edges, s.depth)
		}
		s.depth++
	}
}

func (s *search) states() int {
	n := 0
	for _, sh := range s.shards {
		n += sh.n
	}
	return n
}

func (s *search) bytes() int {
	n := 0
	for _, sh := range s.shards {
		n += sh.bytes()
	}
	return n
}

// over reports whether a bound is hit.
func (s *search) over() bool {
	switch n, b := s.states(), s.bytes(); {
	case n > s.bounds.states:
		s.exhausted = fmt.Sprintf("more than %d states", s.bounds.states)
	case b > s.bounds.bytes:
		s.exhausted = fmt.Sprintf("%d states take more than %d MiB", n, s.bounds.bytes>>20)
	}
	return s.exhausted != ""
}

func (s *search) state(i id) []byte {
	shard, index := i.split()
	return s.shards[shard].state(index)
}

// lookup returns the id of a state that was seen.
func (s *search) lookup(state []byte) (id, bool) {
	hash := hashOf(state)
	shard := shardOf(hash)
	index := s.shards[shard].find(state, hash)
	if index < 0 {
		return 0, false
	}
	return newID(shard, index), true
}

// workers are the goroutines of a search, with what each has found.
type workers struct {
	search *search
	each   []*worker
}

// A worker finds the steps out of a stretch of states.
type worker struct {
	found  [shards]successors
	edges  int
	broken *fault
}

// successors are states reached, one after the other.
type successors struct {
	states  []byte
	hashes  []uint64
	parents []id
	labels  []uint32
}

func newWorkers(s *search) *workers {
	w := &workers{search: s}
	for range max(s.bounds.workers, 1) {
		w.each = append(w.each, &worker{})
	}
	return w
}

// expand finds the steps out of some states.
func (w *workers) expand(from []id) {
	w.parallel(func(i int) {
		lo, hi := len(from)*i/len(w.each), len(from)*(i+1)/len(w.each)
		w.each[i].expand(w.search, from[lo:hi])
	})
	for _, each := range w.each { // in the order of their stretches
		w.search.edges += each.edges
		if w.search.broken = each.broken; each.broken != nil {
			return
		}
	}
}

func (w *worker) expand(s *search, from []id) {
	for i := range w.found {
		f := &w.found[i]
		f.states, f.hashes, f.parents, f.labels = f.states[:0], f.hashes[:0], f.parents[:0], f.labels[:0]
	}
	w.edges, w.broken = 0, nil
	e := emitter{next: make([]byte, s.model.size())}
	for _, parent := range from {
		e.take = func(label uint32, broken Property) {
			w.edges++
			if broken != "" && w.broken == nil {
				w.broken = &fault{from: parent, label: label, property: broken}
			}
			hash := hashOf(e.next)
			f := &w.found[shardOf(hash)]
			f.states = append(f.states, e.next...)
			f.hashes = append(f.hashes, hash)
			f.parents = append(f.parents, parent)
			f.labels = append(f.labels, label)
		}
		s.model.steps(s.state(parent), &e)
		if w.broken != nil {
			return
		}
	}
}

// collect adds the states that were reached.
func (w *workers) collect() {
	w.parallel(func(i int) {
		for shard := i; shard < shards; shard += len(w.each) {
			into := w.search.shards[shard]
			for _, each := range w.each {
				f := &each.found[shard]
				for k, hash := range f.hashes {
					into.add(f.states[k*into.size:(k+1)*into.size], hash, f.parents[k], f.labels[k])
				}
			}
		}
	})
}

func (w *workers) parallel(do func(i int)) {
	var group sync.WaitGroup
	for i := range w.each {
		group.Go(func() { do(i) })
	}
	group.Wait()
}
