package interaction

import (
	"math"
	"math/bits"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/reuse"
	"example.test/eddy/internal/telemetry"
)

// An entry stands for all rows of one cell with the same conditions.
type entry struct {
	conditions []condition.ID
	hash       uint64 // of the conditions
	failed, ok int64
	// weight and weight2 are the sums of the successes' weights, in 1/64, and
	// of their squares: whole numbers, so that sums do not depend on order.
	weight, weight2 float64
	// badTrace and fineTrace are examples: of those in the entry the ones that
	// come first by rank.
	badTrace, fineTrace telemetry.TraceID
}

// number gives the rows of a cell the numbers of their entries, from next on, and
// returns the next number after those. Rows without observations are of none.
func (b *paneBuilder) number(next int, rows []Row, members, numbers []int32) int {
	b.slots = reuse.Clear(b.slots, 1<<bits.Len(uint(2*len(members))))
	for k, i := range members {
		if rows[i].Total == 0 {
			continue
		}
		first := b.first(rows, members, k)
		if first == k {
			numbers[k] = int32(next)
			next++
		} else {
			numbers[k] = numbers[first]
		}
	}
	return next
}

// first returns which of the rows of a cell was the first that has the conditions of
// number k, which is k if there was none. b.slots are a hash table of them, by number
// plus one, with linear probing.
func (b *paneBuilder) first(rows []Row, members []int32, k int) int {
	i := members[k]
	hash, mask := b.hashes[i], uint64(len(b.slots)-1)
	at := hash & mask
	for ; b.slots[at] != 0; at = (at + 1) & mask {
		first := int(b.slots[at]) - 1
		j := members[first]
		if b.hashes[j] == hash && slices.Equal(rows[j].Conditions, rows[i].Conditions) {
			return first
		}
	}
	b.slots[at] = int32(k) + 1
	return k
}

// merge adds up the entries of a cell from its rows, given the entry of each.
func (b *paneBuilder) merge(p *pane, c *cell, rows []Row, members, numbers []int32) {
	for k, i := range members {
		r := &rows[i]
		if r.Total == 0 {
			continue
		}
		c.thickness.add(r)
		e := &p.entries[numbers[k]]
		if e.failed+e.ok == 0 {
			e.conditions, e.hash = r.Conditions, b.hashes[i]
		}
		c.each = together(c.each, e.add(r))
	}
	for i := c.from; i < c.to; i++ {
		c.sum.add(&p.entries[i])
		c.heaviest = max(c.heaviest, p.entries[i].weight)
	}
	p.total += c.sum.total()
	p.failed += c.sum.failed
}

// add adds a row to the entry, and returns what its successes weigh each, in 1/64; 0 if
// it has none.
func (e *entry) add(r *Row) float64 {
	if r.Failed > 0 {
		e.failed += int64(r.Failed)
		e.badTrace = earlier(e.badTrace, r.Trace)
	} else {
		e.fineTrace = earlier(e.fineTrace, r.Trace)
	}
	n := int64(r.Total - r.Failed)
	if n == 0 {
		return 0
	}
	w := float64(weightUnit)
	if r.Weight != 0 {
		w = max(1, math.Round(r.Weight*weightUnit))
	}
	e.ok += n
	e.weight += w * float64(n)
	e.weight2 += w * w * float64(n)
	return w
}

// together is what every success of two parts weighs, given what every one of each
// does; differ if that is not the same, 0 if there is none.
func together(a, b float64) float64 {
	switch {
	case a == b || b == 0:
		return a
	case a == 0:
		return b
	}
	return differ
}
