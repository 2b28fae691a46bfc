package interaction

import (
	"math/bits"
	"slices"
)

// byClass adds up, of the entries of a mask, which count all, those that have each
// class: if they count least, by class. Of the other classes it adds up a part, or
// nothing.
func (x *exact) byClass(mask []uint64, all sum, least []int64, sums []sum) {
	if len(sums) == 0 {
		return
	}
	perEntry := 200 // what counting an entry costs, in words
	if slices.Min(least) == all.total() {
		perEntry *= 20 // most classes are left after a few panes
	}
	n := 0
	for _, v := range mask {
		n += bits.OnesCount64(v)
	}
	switch {
	case perEntry*n < len(mask)*len(sums):
		x.byEntry(mask, sums)
	case len(x.l.runs) > 1 || x.l.differ:
		x.byRow(mask, sums)
	default:
		x.byColumn(mask, all, least, sums)
	}
}

// byEntry goes through the entries.
func (x *exact) byEntry(mask []uint64, sums []sum) {
	for w, v := range mask {
		for ; v != 0; v &= v - 1 {
			e := x.l.entry(w*64 + bits.TrailingZeros64(v))
			for _, id := range e.conditions {
				if k := x.c.of[id]; k >= 0 && x.c.list[k].first == id {
					sums[k].add(e)
				}
			}
		}
	}
}

// byRow goes through the bits of all classes, where successes do not weigh the same.
func (x *exact) byRow(mask []uint64, sums []sum) {
	for k := range sums {
		x.need([]int32{int32(k)})
	}
	words := max(1, len(mask))
	inTwo(len(sums)*words, func(_, from, to int) {
		for k := (from + words - 1) / words; k*words < to; k++ {
			sums[k] = x.l.both(mask, x.class[k])
		}
	})
}

// byColumn goes through the columns of the panes, and leaves those of a class as soon
// as it cannot count least any more: most cannot, and memory need not be read then.
func (x *exact) byColumn(mask []uint64, all sum, least []int64, sums []sum) {
	totals := make([]int64, len(x.l.panes))
	for i, p := range x.l.panes {
		part := mask[x.l.begins[i]:][:p.words]
		totals[i] = p.common(part, part).total()
	}
	words := len(mask) * len(sums)
	inTwo(words, func(half, from, to int) {
		step := 2
		if to-from == words {
			step = 1 // there is no other half
		}
		var active []int32
		for k := half; k < len(sums); k += step {
			if x.c.list[k].total >= least[k] {
				active = append(active, int32(k))
			}
		}
		left := all.total()
		for i, p := range x.l.panes {
			left -= totals[i]
			if totals[i] > 0 {
				active = x.inPane(p, mask[x.l.begins[i]:][:p.words], active, least, left, sums)
			}
		}
		for k := half; k < len(sums); k += step {
			sums[k].settle(x.l.runs[0].each)
		}
	})
}

// inPane adds what is in a mask of a pane to the sums of some classes, ascending, and
// returns those that may still count least with what is left.
func (x *exact) inPane(p *pane, mask []uint64, active []int32, least []int64, left int64, sums []sum) []int32 {
	n, at := 0, 0
	for _, k := range active {
		id := x.c.list[k].first
		for at < len(p.ids) && p.ids[at] < id {
			at++
		}
		if at < len(p.ids) && p.ids[at] == id {
			sums[k] = sums[k].plus(p.having(&p.columns[at], mask))
		}
		active[n] = k
		if sums[k].total()+left >= least[k] {
			n++
		}
	}
	return active[:n]
}

// having counts the entries of a mask that have a condition.
func (p *pane) having(c *column, mask []uint64) (s sum) {
	if c.bits != nil {
		return p.common(mask, c.bits)
	}
	for _, at := range c.list {
		if has(mask, int32(at)) {
			e := &p.entries[at]
			s.failed, s.ok = s.failed+e.failed, s.ok+e.ok
		}
	}
	return s
}

// within is how many observations of a cell have a condition.
func (p *pane) within(col *column, c *cell) (n int64) {
	if col.total == p.total {
		return c.total()
	}
	for _, e := range col.list {
		if c.from <= int(e) && int(e) < c.to {
			n += p.entries[e].failed + p.entries[e].ok
		}
	}
	for w := c.from / 64; w*64 < c.to && col.bits != nil; w++ {
		v := col.bits[w] & between(w, c.from, c.to)
		for d, plane := range p.bad {
			n += int64(bits.OnesCount64(v&plane[w])) << d
		}
		for d, plane := range p.fine {
			n += int64(bits.OnesCount64(v&plane[w])) << d
		}
	}
	return n
}

// common counts the failures and successes that are in two masks.
func (p *pane) common(a, b []uint64) sum { return inBoth(p.bad, p.fine, 0, a, b) }
