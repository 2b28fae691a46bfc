package interaction

import (
	"math/bits"
	"slices"

	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// allot makes the columns, and room for their bits and lists of the size that they
// need.
func (b *paneBuilder) allot(p *pane) (words []uint64, lists []uint32) {
	entities := len(b.catalog.entities)
	b.ofCell.n, b.ofPane.n = reuse.Clear(b.ofCell.n, entities), reuse.Clear(b.ofPane.n, entities)
	b.met, b.entered = reuse.Clear(b.met, entities+1), reuse.Room(b.entered, entities+2)
	b.block.reset(len(b.ids))
	b.shelves, b.some = reuse.Clear(b.shelves, len(b.ids)), reuse.Room(b.some, len(b.ids)+1)
	b.slot = reuse.Room(b.slot, len(b.catalog.conditions))
	p.words = (len(p.entries) + 63) / 64
	p.columns = make([]column, len(b.ids))
	slices.Sort(b.ids)
	p.ids = slices.Clone(b.ids)
	dense, long := 0, 0
	for at, id := range b.ids {
		b.slot[id] = int32(at)
		p.columns[at].id = id
		x, n := &b.shelves[at], int(b.having[id])
		x.entity = b.catalog.entity[id] + 1
		if x.dense = n >= p.words; x.dense {
			x.at = dense
			dense += p.words
		} else {
			x.at = long
			long += n
		}
	}
	return make([]uint64, dense), make([]uint32, long)
}

// finish completes a pane whose rows have been laid out.
func (b *paneBuilder) finish(p *pane, words []uint64, lists []uint32) {
	for at := range p.columns {
		c, x := &p.columns[at], &b.shelves[at]
		c.key = b.block.strips[at].key
		if !x.dense {
			c.entries = int64(x.entries)
			c.list = lists[x.at : x.at+int(x.entries) : x.at+int(x.entries)]
			continue
		}
		c.bits = words[x.at : x.at+p.words : x.at+p.words]
		c.entries = popcount.Common(c.bits, c.bits, c.bits)
	}
	p.fail()
	for i := range p.failing {
		for _, id := range p.failing[i].conditions {
			p.columns[b.slot[id]].failed += p.failing[i].failed
		}
	}
	p.count()
	p.draw()
}

// count lays out what the entries count, and draws half of them.
func (p *pane) count() {
	var bad, fine int64
	for i := range p.entries {
		bad, fine = bad|p.entries[i].failed, fine|p.entries[i].ok
	}
	p.bad, p.fine = make([][]uint64, bits.Len64(uint64(bad))), make([][]uint64, bits.Len64(uint64(fine)))
	words := make([]uint64, (len(p.bad)+len(p.fine)+1)*p.words)
	row := func() []uint64 {
		r := words[:p.words:p.words]
		words = words[p.words:]
		return r
	}
	for d := range p.bad {
		p.bad[d] = row()
	}
	for d := range p.fine {
		p.fine[d] = row()
	}
	p.half = row()
	for i := range p.entries {
		e, w := &p.entries[i], i/64
		for d, plane := range p.bad {
			plane[w] |= uint64(e.failed) >> d & 1 << (i % 64)
		}
		for d, plane := range p.fine {
			plane[w] |= uint64(e.ok) >> d & 1 << (i % 64)
		}
		p.half[w] |= p.lot(i) & 1 << (i % 64)
	}
}
