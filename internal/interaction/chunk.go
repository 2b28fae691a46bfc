package interaction

import (
	"slices"

	"example.test/eddy/internal/popcount"
)

// chunkWords is how many words are counted together: what is made of them stays in the
// first cache of a processor, and the rows of all that is asked about in the second.
const chunkWords = 512

// A chunk is some words of a ledger. All that is asked is counted in one before the
// next is looked at, so that memory is read once however much that is.
type chunk struct {
	from, to int // words
	// The cells that begin in it, and nowhere before.
	begin, end int
	pieces     []piece
	// Of the entries that failed, the first of its own and the first of the next.
	fail, failEnd int
}

// A piece is what of a cell lies in a chunk.
type piece struct {
	cell int
	slot int    // see divide
	last int    // the word of the chunk in which it ends
	upTo uint64 // the bits of that word up to its end
}

// divide cuts the ledger into chunks. Two processors count one half of them each; what
// of a cell lies in the second half, if it begins in the first, is counted in a slot of
// its own.
func (l *ledger) divide() {
	l.chunks, l.pieces, l.astride = l.chunks[:0], slices.Grow(l.pieces[:0], len(l.cells)+l.words/chunkWords+1), -1
	l.halfway = ((l.words+chunkWords-1)/chunkWords + 1) / 2
	c, f, begin := 0, 0, 0
	for from := 0; from < l.words; from += chunkWords {
		b := chunk{from: from, to: min(from+chunkWords, l.words), begin: begin}
		pieces, fail := len(l.pieces), f
		for ; c < len(l.cells) && l.cells[c].from < b.to*64; c++ {
			end := min(l.cells[c].to, b.to*64) - 1
			if end < max(l.cells[c].from, from*64) {
				continue
			}
			p := piece{cell: c, slot: c, last: end/64 - from, upTo: popcount.Below(end%64 + 1)}
			if len(l.chunks) >= l.halfway && l.cells[c].from < l.halfway*chunkWords*64 {
				l.astride, p.slot = c, len(l.cells)
			}
			l.pieces = append(l.pieces, p)
			for ; f < len(l.failing) && int(l.failing[f].at) <= end; f++ {
				l.failing[f].slot = int32(p.slot)
			}
			if l.cells[c].to > b.to*64 {
				break
			}
		}
		b.pieces, b.fail, b.failEnd = l.pieces[pieces:], fail, f
		b.end = c
		switch {
		case b.to == l.words:
			b.end = len(l.cells) // without entries, if any are left
		case c < len(l.cells) && l.cells[c].from < b.to*64:
			b.end++ // it goes on
		}
		begin = b.end
		l.chunks = append(l.chunks, b)
	}
}
