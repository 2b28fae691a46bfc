package sim

// chunkBits makes chunks of 1024 items.
const chunkBits = 10

// An arena hands out items by number and takes them back. A pointer to an item
// stays valid while others are handed out.
type arena[T any] struct {
	chunks []*[1 << chunkBits]T
	free   []int32
	used   int32
}

// get returns the number of an item, which is as put left it.
func (a *arena[T]) get() int32 {
	if last := len(a.free) - 1; last >= 0 {
		i := a.free[last]
		a.free = a.free[:last]
		return i
	}
	if int(a.used) == len(a.chunks)<<chunkBits {
		a.chunks = append(a.chunks, new([1 << chunkBits]T))
	}
	a.used++
	return a.used - 1
}

func (a *arena[T]) at(i int32) *T {
	return &a.chunks[i>>chunkBits][i&(1<<chunkBits-1)]
}

func (a *arena[T]) put(i int32) { a.free = append(a.free, i) }

func (a *arena[T]) clone() arena[T] {
	c := arena[T]{chunks: make([]*[1 << chunkBits]T, len(a.chunks)), free: append([]int32(nil), a.free...), used: a.used}
	for i, chunk := range a.chunks {
		cp := *chunk
		c.chunks[i] = &cp
	}
	return c
}
