package interaction

import (
	"math/bits"
	"slices"
	"sync"

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
	failing    []failed
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
		pieces, failing := len(l.pieces), f
		for ; c < len(l.cells) && l.cells[c].from < b.to*64; c++ {
			end := min(l.cells[c].to, b.to*64) - 1
			if end < max(l.cells[c].from, from*64) {
				continue
			}
			p := piece{cell: c, slot: c, last: end/64 - from, upTo: below(end%64 + 1)}
			if len(l.chunks) == l.halfway && l.cells[c].from < from*64 {
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
		b.pieces, b.failing = l.pieces[pieces:], l.failing[failing:f]
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

// A question is what those entries count that have all of some rows and none of
// others.
type question struct {
	all, none [][]uint64
	// The answer, by cell; and a slot more.
	by    []counts
	w, w2 []float64 // only where successes of a cell do not weigh the same
}

// Counts are how many failed of some observations, and how many did not.
type counts struct{ failed, ok int64 }

func (n counts) plus(o counts) counts  { return counts{n.failed + o.failed, n.ok + o.ok} }
func (n counts) minus(o counts) counts { return counts{n.failed - o.failed, n.ok - o.ok} }
func (n counts) total() int64          { return n.failed + n.ok }

// questions are room for some.
type questions []question

// take returns n of them, that ask nothing yet.
func (p *questions) take(n int) []question {
	for len(*p) < n {
		*p = append(*p, question{})
	}
	list := (*p)[:n]
	for i := range list {
		list[i].all, list[i].none = list[i].all[:0], list[i].none[:0]
	}
	return list
}

// sum is the answer for a cell, the i-th.
func (q *question) sum(b *berth, i int) sum {
	s := sum{failed: q.by[i].failed, ok: q.by[i].ok}
	if b.each == differ {
		s.w, s.w2 = q.w[i], q.w2[i]
	}
	return b.settled(s)
}

// mark sets dst to those of from that the question is about, of the words from first
// on, and reports whether there may be any.
func (q *question) mark(dst, from []uint64, first int) bool {
	from = from[first : first+len(dst)]
	for _, row := range q.all {
		if popcount.And(dst, from, row[first:first+len(dst)]) == 0 {
			return false
		}
		from = dst
	}
	for _, row := range q.none {
		popcount.Less(dst, from, row[first:first+len(dst)])
		from = dst
	}
	if len(q.all)+len(q.none) == 0 {
		copy(dst, from)
	}
	return true
}

// A counter is room to count a chunk in.
type counter struct {
	bits  [chunkWords]uint64
	until [chunkWords]uint32
}

// fewWords is how many words in all are not worth a second goroutine.
const fewWords = 4096

// ask answers questions about the entries of a mask.
func (l *ledger) ask(from []uint64, list []question) {
	if l.words*len(list) < fewWords {
		l.counters[0].answer(l, from, list)
		return
	}
	l.room(list)
	var both sync.WaitGroup
	both.Go(func() { l.counters[1].chunks(l, from, l.chunks[l.halfway:], list) })
	l.counters[0].chunks(l, from, l.chunks[:l.halfway], list)
	both.Wait()
	l.join(list)
}

// answer is ask on one processor.
func (c *counter) answer(l *ledger, from []uint64, list []question) {
	l.room(list)
	c.chunks(l, from, l.chunks, list)
	l.join(list)
}

// room makes room for the answers, to be emptied chunk by chunk.
func (l *ledger) room(list []question) {
	n := len(l.cells)
	for i := range list {
		q := &list[i]
		q.by = room(q.by, n+1)
		q.w, q.w2 = q.w[:0], q.w2[:0]
		if l.differ {
			q.w, q.w2 = room(q.w, n+1), room(q.w2, n+1)
		}
		q.empty(n, n+1)
	}
}

// empty empties the answer for some cells.
func (q *question) empty(from, to int) {
	clear(q.by[from:to])
	if len(q.w) > 0 {
		clear(q.w[from:to])
		clear(q.w2[from:to])
	}
}

// join adds up the cell that lies in both halves.
func (l *ledger) join(list []question) {
	at, slot := l.astride, len(l.cells)
	if at < 0 {
		return
	}
	for i := range list {
		q := &list[i]
		q.by[at] = q.by[at].plus(q.by[slot])
		if l.differ {
			q.w[at] += q.w[slot]
			q.w2[at] += q.w2[slot]
		}
	}
}

func (c *counter) chunks(l *ledger, from []uint64, chunks []chunk, list []question) {
	for i := range chunks {
		for j := range list {
			c.count(l, from, &chunks[i], &list[j])
		}
	}
}

// count adds up what the entries of a chunk count that a question is about.
func (c *counter) count(l *ledger, from []uint64, b *chunk, q *question) {
	q.empty(b.begin, b.end)
	x := c.bits[:b.to-b.from]
	if !q.mark(x, from, b.from) {
		return
	}
	for i := range b.failing {
		f := &b.failing[i]
		if has(x, f.at-int32(b.from*64)) {
			q.by[f.slot].failed += f.n
		}
	}
	until := c.until[:len(x)]
	for d, plane := range l.fine {
		plane = plane[b.from:b.to]
		popcount.Until(until, x, plane)
		before := uint32(0)
		for i := range b.pieces {
			p := &b.pieces[i]
			n := until[p.last] + uint32(bits.OnesCount64(x[p.last]&plane[p.last]&p.upTo))
			q.by[p.slot].ok += int64(n-before) << d
			before = n
		}
	}
	if l.differ {
		c.weigh(l, b, q)
	}
}

// weigh adds up the weights in a chunk of those cells in which they are not all the
// same.
func (c *counter) weigh(l *ledger, b *chunk, q *question) {
	for i := range b.pieces {
		p := &b.pieces[i]
		cell := &l.cells[p.cell]
		if cell.each != differ {
			continue
		}
		for w := max(cell.from/64-b.from, 0); w <= p.last; w++ {
			for v := c.bits[w] & between(w+b.from, cell.from, cell.to); v != 0; v &= v - 1 {
				e := l.entry((w+b.from)*64 + bits.TrailingZeros64(v))
				q.w[p.slot] += e.weight
				q.w2[p.slot] += e.weight2
			}
		}
	}
}
