package search

import (
	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// An inside is what has the first class of a set, and only that, with the classes that
// may follow it as rows. It is so much less than all that sets of one more class after
// the other are counted at a fraction of the cost.
type inside struct {
	grounds
	class  []int32 // by row
	place  []int32 // of it (see Search)
	set    []uint64
	lanes  popcount.Lanes // the failures once more, close together, a lane for each row,
	packed popcount.Slab  // and as rows
	beside popcount.Slab  // by row, the later ones that a set may have beside it
}

// on is what classes are counted on after the first elements of the prefix.
func (w *walker) on(depth int) *grounds {
	if depth > 0 && w.narrow {
		return &w.inside.grounds
	}
	return &w.everything
}

// within lays out what has the first class of the prefix for those that may follow it.
func (w *walker) within(after []follower) {
	if len(after) == 0 {
		return
	}
	in, first := &w.inside, w.lay(1)
	in.class = in.class[:0]
	for _, f := range after {
		in.class = append(in.class, f.k)
	}
	in.pair(w.Search)
	m := popcount.MaskOf(w.failures(1), w.oneEnd(w.fails.words))
	in.lanes = sideBySide(in.lanes, m, w.fails.slab(), in.class)
	in.packed = extracted(in.packed, m, w.fails.slab(), in.class)
	for i := range w.levels {
		l := &w.levels[i]
		l.part, l.after = reuse.Clear(l.part, in.lanes.Words), reuse.Clear(l.after, in.beside.Row)
	}
	for i := range first.part {
		first.part[i] = popcount.Below(int(first.counted.failed) - 64*i)
	}
	in.fails.cut(&w.everything.fails, first.fails, in.class)
	in.oks.cut(&w.everything.oks, first.oks, in.class)
}

// pair finds the lanes that may be beside each other.
func (in *inside) pair(s *Search) {
	in.place = in.place[:0]
	in.set = reuse.Clear(in.set, s.beside.Row)
	for _, k := range in.class {
		at := s.place[k]
		in.place = append(in.place, at)
		in.set[at/64] |= 1 << (at % 64)
	}
	in.beside = extracted(in.beside, popcount.MaskOf(in.set, s.oneEnd(len(in.set))), s.beside, in.place)
}

// followed notes which classes may follow the prefix.
func (w *walker) followed(after []follower) {
	l := &w.levels[len(w.prefix)]
	clear(l.after)
	for i := range after {
		lane := w.inside.fails.row[after[i].k]
		l.after[lane/64] |= 1 << (lane % 64)
	}
}

// take takes up, of the classes that may follow all of the prefix but its last one,
// those that count so many failures with all of it at least.
func (w *walker) take(least int64) {
	depth, in := len(w.prefix), &w.inside
	l, above := &w.levels[depth], &w.levels[depth-1]
	lane := in.fails.row[w.prefix[depth-1]]
	in.lanes.And(l.part, above.part, lane)
	for i, v := range in.beside.At(lane) {
		l.after[i] = above.after[i] & v
	}
	w.some, w.counts = w.some[:cap(w.some)], w.counts[:cap(w.counts)]
	n := in.lanes.Select(w.some, w.counts, l.part, l.after, int32(least))
	w.some, w.counts = w.some[:n], w.counts[:n]
	for i, lane := range w.some {
		w.some[i] = in.class[lane]
	}
}
