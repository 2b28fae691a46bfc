package modelcheck

import (
	"context"
	"sync/atomic"
)

// A reach is the set of states from which an agreed one can be reached.
type reach struct {
	search *search
	good   [shards][]atomic.Uint32 // one bit a state
}

// stuck returns a state, of those nearest to the first, from which no agreed
// state can be reached any more, and whether there is one.
//
// Edges are not kept, as they take several times the memory of the states.
// Instead the states that are not known to reach an agreed one are tried again,
// last ones first, until a round finds none: most states reach one through states
// that were found later.
func (s *search) stuck(ctx context.Context) (id, bool, error) {
	r := &reach{search: s}
	for i, sh := range s.shards {
		r.good[i] = make([]atomic.Uint32, (sh.n+31)/32)
	}
	w := newWorkers(s)
	for {
		var found atomic.Int64
		w.parallel(func(i int) {
			for shard := i; shard < shards; shard += len(w.each) {
				found.Add(r.sweep(shard))
			}
		})
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		if found.Load() == 0 {
			break
		}
	}
	return r.nearestBad()
}

// sweep tries the states of a shard and returns how many it found good.
func (r *reach) sweep(shard int) (found int64) {
	m := r.search.model
	good := false
	e := emitter{next: make([]byte, m.size())}
	e.take = func(uint32, Property) {
		if good {
			return
		}
		next, seen := r.search.lookup(e.next)
		good = seen && r.isGood(next)
	}
	for index := r.search.shards[shard].n - 1; index >= 0; index-- {
		i := newID(shard, index)
		if r.isGood(i) {
			continue
		}
		state := r.search.state(i)
		if good = m.agreed(state); !good {
			m.steps(state, &e)
		}
		if good {
			r.good[shard][index/32].Or(1 << (index % 32))
			found++
		}
	}
	return found
}

func (r *reach) isGood(i id) bool {
	shard, index := i.split()
	return r.good[shard][index/32].Load()&(1<<(index%32)) != 0
}

func (r *reach) nearestBad() (id, bool, error) {
	var nearest id
	least := -1
	for shard, sh := range r.search.shards {
		for index := range sh.n {
			i := newID(shard, index)
			if r.isGood(i) {
				continue
			}
			if d := len(r.search.path(i)); least < 0 || d < least {
				nearest, least = i, d
			}
			break // states of a shard are in the order of their distance
		}
	}
	return nearest, least >= 0, nil
}

// path returns the states from the first one to i, both included.
func (s *search) path(i id) []id {
	path := []id{i}
	first := make([]byte, s.model.size())
	s.model.initial(first)
	for string(s.state(i)) != string(first) {
		shard, index := i.split()
		i, _ = s.shards[shard].origin(index)
		path = append([]id{i}, path...)
	}
	return path
}
