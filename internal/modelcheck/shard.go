package modelcheck

import (
	"encoding/binary"
	"math/bits"
)

// shards is how many parts the set of states has. It does not depend on the
// machine, since the order of states, and so which of several shortest
// counterexamples is shown, follows from it.
const (
	shardBits = 3
	shards    = 1 << shardBits
)

// An id names a state: its shard in the upper bits, its number there below.
type id uint32

const (
	indexBits = 32 - shardBits
	maxIndex  = 1<<indexBits - 1
)

func newID(shard, index int) id { return id(shard<<indexBits | index) }

func (i id) split() (shard, index int) { return int(i >> indexBits), int(i & maxIndex) }

// chunkStates is how many states an arena grows by.
const chunkStates = 1 << 14

// A shard is a set of states of equal size, in the order in which they were
// added. It is not safe for concurrent use.
type shard struct {
	size    int
	chunks  [][]byte   // chunkStates states each
	parents [][]uint32 // the state from which each was reached first
	labels  [][]uint32 // and by which step
	n       int
	table   []uint32 // index+1 by hash, 0 is free
}

func newShard(size int) *shard { return &shard{size: size, table: make([]uint32, 1<<10)} }

func (s *shard) state(index int) []byte {
	at := index % chunkStates * s.size
	return s.chunks[index/chunkStates][at : at+s.size : at+s.size]
}

func (s *shard) origin(index int) (parent id, label uint32) {
	return id(s.parents[index/chunkStates][index%chunkStates]), s.labels[index/chunkStates][index%chunkStates]
}

// find returns the index of a state, or -1.
func (s *shard) find(state []byte, hash uint64) int {
	mask := uint64(len(s.table) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		found := s.table[at]
		if found == 0 {
			return -1
		}
		if string(s.state(int(found-1))) == string(state) {
			return int(found - 1)
		}
	}
}

// add adds a state unless it is there.
func (s *shard) add(state []byte, hash uint64, parent id, label uint32) {
	if s.find(state, hash) >= 0 {
		return
	}
	if s.n%chunkStates == 0 {
		s.chunks = append(s.chunks, make([]byte, 0, chunkStates*s.size))
		s.parents = append(s.parents, make([]uint32, chunkStates))
		s.labels = append(s.labels, make([]uint32, chunkStates))
	}
	last := len(s.chunks) - 1
	s.chunks[last] = append(s.chunks[last], state...)
	s.parents[last][s.n%chunkStates] = uint32(parent)
	s.labels[last][s.n%chunkStates] = label
	s.n++
	s.put(s.n-1, hash)
	if 5*s.n > 3*len(s.table) {
		s.grow()
	}
}

func (s *shard) put(index int, hash uint64) {
	mask := uint64(len(s.table) - 1)
	at := hash & mask
	for s.table[at] != 0 {
		at = (at + 1) & mask
	}
	s.table[at] = uint32(index + 1)
}

func (s *shard) grow() {
	s.table = make([]uint32, 2*len(s.table))
	for i := range s.n {
		s.put(i, hashOf(s.state(i)))
	}
}

// bytes is how much memory the shard takes.
func (s *shard) bytes() int { return len(s.chunks)*chunkStates*(s.size+8) + 4*len(s.table) }

// hashOf mixes a state eight bytes at a time by multiplying to 128 bits and
// folding. It has no seed, so that every run goes through states alike.
func hashOf(state []byte) uint64 {
	const a, b = 0x9e3779b97f4a7c15, 0xe7037ed1a0b428db
	h := uint64(len(state)) * a
	for len(state) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(state), b)
		state = state[8:]
	}
	var tail uint64
	for i, c := range state {
		tail |= uint64(c) << (8 * i)
	}
	return fold(fold(h^tail, b), a)
}

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// shardOf takes bits that the table does not begin with.
func shardOf(hash uint64) int { return int(hash >> (64 - shardBits)) }
