package interaction

import (
	"math/bits"
	"sync"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// A question is what those entries count that have all of some rows and none of
// others. Where there is a row to tell apart, it is about those that have it as well;
// and what lacks it is answered beside.
//
// A row has a bit for each position of the ledger, and after those words one for each
// entry that failed.
type question struct {
	all, none [][]uint64
	apart     []uint64
	lack      *question // with apart, room for the answer

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
		q := &list[i]
		q.all, q.none, q.apart, q.lack = q.all[:0], q.none[:0], nil, nil
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

// mark sets dst to those of from that the question is about, but for the row to tell
// apart, of the words from first on. It reports whether there may be any.
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
	bits, rest   [chunkWords]uint64
	until, other [chunkWords]uint32
}

// fewWords is how many words in all are not worth a second goroutine.
const fewWords = 4096

// ask answers questions about the entries of a mask.
func (l *ledger) ask(from []uint64, list []question) {
	if l.words*len(list) < fewWords {
		l.counters[0].answer(l, from, list)
		return
	}
	l.prepare(list)
	var both sync.WaitGroup
	both.Go(func() { l.counters[1].chunks(l, from, l.chunks[l.halfway:], list) })
	l.counters[0].chunks(l, from, l.chunks[:l.halfway], list)
	both.Wait()
	l.join(list)
}

// answer is ask on one processor.
func (c *counter) answer(l *ledger, from []uint64, list []question) {
	l.prepare(list)
	c.chunks(l, from, l.chunks, list)
	l.join(list)
}

// prepare makes room for the answers, to be emptied chunk by chunk.
func (l *ledger) prepare(list []question) {
	n := len(l.cells)
	for i := range list {
		for q := &list[i]; q != nil; q = q.lack {
			q.by = reuse.Room(q.by, n+1)
			q.w, q.w2 = q.w[:0], q.w2[:0]
			if l.differ {
				q.w, q.w2 = reuse.Room(q.w, n+1), reuse.Room(q.w2, n+1)
			}
			q.empty(n, n+1)
		}
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
		for q := &list[i]; q != nil; q = q.lack {
			q.by[at] = q.by[at].plus(q.by[slot])
			if l.differ {
				q.w[at] += q.w[slot]
				q.w2[at] += q.w2[slot]
			}
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
	if q.lack != nil {
		q.lack.empty(b.begin, b.end)
	}
	x := c.bits[:b.to-b.from]
	if !q.mark(x, from, b.from) {
		return
	}
	l.failures(from, b, q)
	if q.lack != nil {
		c.toldApart(l, b, x, q)
	} else {
		c.successes(l, b, x, q)
	}
}

// failures adds up the failures. They are few, and beside each other after the
// positions of a row.
func (l *ledger) failures(from []uint64, b *chunk, q *question) {
	for w := b.fail / 64; w*64 < b.failEnd; w++ {
		v := from[l.words+w] & between(w, b.fail, b.failEnd)
		for _, row := range q.all {
			v &= row[l.words+w]
		}
		for _, row := range q.none {
			v &^= row[l.words+w]
		}
		if q.lack != nil {
			apart := q.apart[l.words+w]
			l.addFailed(w, v&^apart, q.lack)
			v &= apart
		}
		l.addFailed(w, v, q)
	}
}

// addFailed adds up the bits v of a word of those that failed.
func (l *ledger) addFailed(w int, v uint64, q *question) {
	for ; v != 0; v &= v - 1 {
		f := &l.failing[w*64+bits.TrailingZeros64(v)]
		q.by[f.slot].failed += f.n
	}
}

// successes adds up the successes of the bits x of a chunk.
func (c *counter) successes(l *ledger, b *chunk, x []uint64, q *question) {
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
		l.heft(b, x, q)
	}
}

// toldApart is successes for the bits of x that have the row to tell apart, and for the
// rest.
func (c *counter) toldApart(l *ledger, b *chunk, x []uint64, q *question) {
	apart, until, other := q.apart[b.from:b.to], c.until[:len(x)], c.other[:len(x)]
	for d, plane := range l.fine {
		plane = plane[b.from:b.to]
		popcount.UntilApart(until, other, x, apart, plane)
		before, rest := uint32(0), uint32(0)
		for i := range b.pieces {
			p := &b.pieces[i]
			v, has := x[p.last]&plane[p.last]&p.upTo, apart[p.last]
			n, m := until[p.last]+uint32(bits.OnesCount64(v&has)), other[p.last]+uint32(bits.OnesCount64(v&^has))
			q.by[p.slot].ok += int64(n-before) << d
			q.lack.by[p.slot].ok += int64(m-rest) << d
			before, rest = n, m
		}
	}
	if l.differ {
		lacks := c.rest[:len(x)]
		popcount.Less(lacks, x, apart)
		popcount.And(x, x, apart)
		l.heft(b, x, q)
		l.heft(b, lacks, q.lack)
	}
}

// heft adds up the weights of the bits x of a chunk in those cells in which they are not
// all the same.
func (l *ledger) heft(b *chunk, x []uint64, q *question) {
	for i := range b.pieces {
		p := &b.pieces[i]
		cell := &l.cells[p.cell]
		if cell.each != differ {
			continue
		}
		for w := max(cell.from/64-b.from, 0); w <= p.last; w++ {
			for v := x[w] & between(w+b.from, cell.from, cell.to); v != 0; v &= v - 1 {
				e := l.entry((w+b.from)*64 + bits.TrailingZeros64(v))
				q.w[p.slot] += e.weight
				q.w2[p.slot] += e.weight2
			}
		}
	}
}
