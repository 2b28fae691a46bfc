package search

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"

	"example.test/eddy/internal/reuse"
)

// A stripe is the words of a part of a band. Bands have two parts, which are laid out
// at the same time.
type stripe struct{ band, part, from, to int }

// fill makes the stripes of the parts of bands that have so many entries. Those with
// the most failures to be expected of a word come first: that is where most is learnt
// about a set.
func (b *Board) fill(sizes [][2]int) {
	b.stripes = b.stripes[:0]
	for band, parts := range sizes {
		for part, n := range parts {
			if n > 0 {
				b.stripes = append(b.stripes, stripe{band: band, part: part, to: (n + 63) / 64})
			}
		}
	}
	density := func(s stripe) float64 {
		return float64(sizes[s.band][s.part]) * rateOf(s.band) / float64(s.to)
	}
	slices.SortFunc(b.stripes, func(x, y stripe) int {
		return cmp.Or(cmp.Compare(density(y), density(x)), cmp.Compare(x.band, y.band), cmp.Compare(x.part, y.part))
	})
	b.words = 0
	for i := range b.stripes {
		s := &b.stripes[i]
		s.from, s.to = b.words, b.words+s.to
		b.words = s.to
	}
	b.words = (b.words + atOnce - 1) / atOnce * atOnce
}

// Lay lays out entries, with what each counts, by the band of their stratum (see BandOf),
// in the room of what was there before.
func (b *Board) Lay(c *Classes, band []int32, entries []Entry, counts []int64) {
	middle := len(entries) / 2
	if len(entries) < fewLaid {
		middle = len(entries)
	}
	b.next = reuse.Clear(b.next, Bands)
	var all int64
	for i, p := range entries {
		part := 0
		if i >= middle {
			part = 1
		}
		b.next[band[p.Stratum]][part]++
		all |= counts[i]
	}
	b.fill(b.next)
	b.clear(c, bits.Len64(uint64(all)))
	for _, s := range b.stripes {
		b.next[s.band][s.part] = s.from * 64
	}
	var both sync.WaitGroup
	both.Go(func() { b.set(band, 0, entries[:middle], counts) })
	b.set(band, 1, entries[middle:], counts[middle:])
	both.Wait()
}

// fewLaid is how many entries are not worth a second goroutine.
const fewLaid = 2048

// clear makes empty rows for classes, and so many binary digits.
func (b *Board) clear(c *Classes, planes int) {
	b.all = reuse.Clear(b.all, b.words*(len(c.List)+1+planes))
	room := b.all
	cut := func() []uint64 {
		row := room[:b.words:b.words]
		room = room[b.words:]
		return row
	}
	b.class, b.planes = b.class[:0], b.planes[:0]
	for range c.List {
		b.class = append(b.class, cut())
	}
	b.alive = cut()
	for range planes {
		b.planes = append(b.planes, cut())
	}
	// The row of a condition; those that stand for no class have one that nobody reads,
	// which spares a branch that no processor could predict.
	b.row = reuse.Clear(b.row, c.Conditions)
	for id := range b.row {
		b.row[id] = int32(b.rows() - 1)
	}
	for k := range c.List {
		b.row[c.List[k].First] = int32(k)
	}
}

// rows is how many rows there are: of the classes, of what is alive, of the digits,
// and one that nobody reads.
func (b *Board) rows() int { return len(b.class) + 2 + len(b.planes) }

// set sets the bits of entries that are the same part of their bands. It touches no
// word of the other parts.
//
// A word of every row is collected by band, and put in its place when its 64 entries
// are there: what is written over and over lies close together that way.
func (b *Board) set(band []int32, part int, entries []Entry, counts []int64) {
	rows, row, alive := b.rows(), b.row, len(b.class)
	b.filling[part] = reuse.Clear(b.filling[part], Bands*rows)
	var next [Bands]int
	for i := range next {
		next[i] = b.next[i][part]
	}
	for i, at := range entries {
		s := int(band[at.Stratum])
		bit := next[s]
		next[s]++
		words, m := b.filling[part][s*rows:][:rows], uint64(1)<<(bit%64)
		words[alive] |= m
		for p := range b.planes {
			words[alive+1+p] |= uint64(counts[i]) >> p & 1 << (bit % 64)
		}
		for _, id := range at.Conditions {
			words[row[id]] |= m
		}
		if bit%64 == 63 {
			b.put(words, bit/64)
		}
	}
	for s, bit := range next {
		if bit%64 > 0 {
			b.put(b.filling[part][s*rows:][:rows], bit/64)
		}
	}
}

// put puts a word of every row in its place, and leaves zeros in words.
func (b *Board) put(words []uint64, w int) {
	for r, v := range words[:len(words)-1] {
		b.all[r*b.words+w] = v
	}
	clear(words)
}
