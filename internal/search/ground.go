package search

import (
	"math/bits"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// Grounds are what sets are counted on: what failed, and the entries of the other board,
// of which there are as many as succeeded, or with them what failed.
type grounds struct{ fails, oks ground }

// A ground is a board, or the part of one that has a class.
type ground struct {
	*Board
	row      []int32  // of the board, by class
	ends     []uint8  // by word, 1 if what comes after is another band
	rate     []uint64 // of failures, by word, in the unit of rates
	surprise []uint64 // of each, in the unit of surprises; nil if nothing failed
}

// of is the bits of a class.
func (g *ground) of(k int32) []uint64 { return g.class[g.row[k]] }

// cover makes a ground of all of a board.
func (g *ground) cover(b *Board, classes int, rate, surprise []float64) {
	g.Board = b
	g.row = g.row[:0]
	for k := range classes {
		g.row = append(g.row, int32(k))
	}
	g.ends = b.ends(g.ends)
	g.rate = b.weights(g.rate, rate, rateUnit)
	g.surprise = g.surprise[:0]
	if surprise != nil {
		g.surprise = b.weights(g.surprise, surprise, surpriseUnit)
	}
}

// cut makes a ground of a part of one that covers a board, with rows for some classes.
// The part, bits of a row, becomes all that there is of it.
func (g *ground) cut(of *ground, part []uint64, ks []int32) {
	m := popcount.MaskOf(part, of.ends)
	g.alone(len(ks), m.Words)
	for i, k := range ks {
		g.row[k] = int32(i)
	}
	g.slab().Extract(m, of.slab(), ks)
	g.rate, g.surprise = reuse.Clear(g.rate, g.words), reuse.Clear(g.surprise, g.words)
	n, word := 0, 0
	for i, v := range part {
		n += bits.OnesCount64(v)
		if of.ends[i] == 0 {
			continue
		}
		for ; n > 0; n -= 64 {
			g.rate[word] = of.rate[i]
			if len(of.surprise) > 0 {
				g.surprise[word] = of.surprise[i]
			}
			g.all[len(ks)*g.words+word] = popcount.Below(n)
			word++
		}
		n = 0
	}
	clear(part)
	copy(part, g.all[len(ks)*g.words:][:word])
}

// extracted is what a mask leaves of rows of a slab, in the room of s.
func extracted(s popcount.Slab, m popcount.Mask, from popcount.Slab, rows []int32) popcount.Slab {
	s = popcount.Slab{Bits: reuse.Room(s.Bits, len(rows)*m.Words), Row: m.Words}
	s.Extract(m, from, rows)
	return s
}

// sideBySide is the same as lanes, in the room of l.
func sideBySide(l popcount.Lanes, m popcount.Mask, from popcount.Slab, rows []int32) popcount.Lanes {
	width := popcount.LaneWidth(len(rows))
	l = popcount.Lanes{Bits: reuse.Room(l.Bits, width*m.Words), Width: width, Words: m.Words}
	l.Extract(m, from, rows)
	return l
}
