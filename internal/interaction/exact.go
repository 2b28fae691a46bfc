package interaction

import (
	"math/bits"
	"slices"
)

// An exact view counts sets of classes over all entries of a ledger, as far as
// they are alive. Bits are laid out as the ledger is, and are made for a class
// when it is first needed.
type exact struct {
	l     *ledger
	c     *classes
	alive []uint64
	class [][]uint64 // by class, nil until needed
	all   []sum      // of what is alive, by stratum; nil until needed
	*digits
}

func newExact(l *ledger, c *classes) *exact {
	x := &exact{l: l, c: c, class: make([][]uint64, len(c.list)), digits: newDigits(l)}
	x.alive = make([]uint64, (len(l.entries)+63)/64)
	for i := range l.entries {
		x.alive[i/64] |= 1 << (i % 64)
	}
	if 8*len(x.alive)*len(c.list) <= mostBits {
		all := make([]int32, len(c.list))
		for k := range all {
			all[k] = int32(k)
		}
		x.need(all)
	}
	return x
}

// mostBits is how many bytes of bits are made at once; above it, those of a
// class are made when it is first needed, at one more pass over the ledger.
const mostBits = 64 << 20

// need makes the bits of the classes that have none yet, in one pass: word by
// word, so that what is written to at a time is small.
func (x *exact) need(ks []int32) {
	var missing []int32
	for _, k := range ks {
		if x.class[k] == nil {
			missing = append(missing, k)
			x.class[k] = []uint64{} // wanted, and once
		}
	}
	if len(missing) == 0 {
		return
	}
	n := len(x.alive)
	all := make([]uint64, n*len(missing))
	slot := make([]int32, len(x.c.list)) // where in missing a class is, plus one
	for i, k := range missing {
		x.class[k], all = all[:n:n], all[n:]
		slot[k] = int32(i) + 1
	}
	of := make([]int32, len(x.c.of)) // the same by condition; 0 is nowhere
	for id, k := range x.c.of {
		if k >= 0 {
			of[id] = slot[k]
		}
	}
	inTwo(len(x.l.entries), func(_, from, to int) {
		word := make([]uint64, len(missing)+1)
		for ; from < to; from += 64 {
			end := min(from+64, to)
			for i := from; i < end; i++ {
				bit := uint64(1) << (i - from)
				for _, id := range x.l.entries[i].conditions {
					word[of[id]] |= bit
				}
			}
			for i, k := range missing {
				x.class[k][from/64] = word[i+1]
			}
			clear(word)
		}
	})
}

// A sum is what some entries count.
type sum struct {
	failed, ok int64
	units      int64   // of successes, in tests
	w, w2      float64 // of successes, for risks, in the unit of weights
}

func (s *sum) add(e *entry) {
	s.failed += e.failed
	s.ok += e.ok
	s.units += e.units
	s.w += e.weight
	s.w2 += e.weight2
}

func (s sum) plus(o sum) sum {
	return sum{s.failed + o.failed, s.ok + o.ok, s.units + o.units, s.w + o.w, s.w2 + o.w2}
}

// total is how many observations there are.
func (s sum) total() int64 { return s.failed + s.ok }

// risk is the share that failed.
func (s sum) risk(typical float64) proportion {
	return risk(float64(s.failed), s.w/weightUnit, s.w2/weightUnit/weightUnit, typical)
}

// A cross is a table of counts by which elements of a set hold: element i is
// bit i of the index.
type cross struct {
	order  int
	cells  []sum   // over all strata
	strata [][]sum // by stratum
}

// whole is the index of the cell where all elements hold.
func (t *cross) whole() int { return 1<<t.order - 1 }

// cross counts the cells of set. With everything it counts entries that an
// earlier finding explains as well.
func (x *exact) cross(set []int32, everything bool) *cross {
	x.need(set)
	t := newCross(len(set), len(x.l.start)-1)
	rows := make([][]uint64, len(set))
	for i, k := range set {
		rows[i] = x.class[k]
	}
	for w := range x.alive {
		for v := x.word(w, everything); v != 0; v &= v - 1 {
			b := bits.TrailingZeros64(v)
			cell := 0
			for i := range rows {
				cell |= int(rows[i][w]>>b&1) << i
			}
			e := &x.l.entries[w*64+b]
			t.strata[e.stratum][cell].add(e)
		}
	}
	for _, s := range t.strata {
		for i := range s {
			t.cells[i] = t.cells[i].plus(s[i])
		}
	}
	return t
}

// outcomes counts the cells of set over what is alive, each entry as one
// observation that failed if any of its did.
func (x *exact) outcomes(set []int32) *cross {
	x.need(set)
	t := newCross(len(set), len(x.l.start)-1)
	for i := range x.l.entries {
		if !x.lives(i) {
			continue
		}
		cell := 0
		for e, k := range set {
			cell |= int(x.class[k][i/64]>>(i%64)&1) << e
		}
		c := &t.strata[x.l.entries[i].stratum][cell]
		if x.l.entries[i].failed > 0 {
			c.failed++
		} else {
			c.ok++
			c.units += x.l.scale
		}
	}
	return t
}

// eachBit calls f with the number of each bit that is set in v.
func eachBit(v uint64, f func(bit int)) {
	for ; v != 0; v &= v - 1 {
		f(bits.TrailingZeros64(v))
	}
}

// each calls f with the entries that have all of set.
func (x *exact) each(set []int32, everything bool, f func(i int, e *entry)) {
	x.need(set)
	for w := range x.alive {
		v := x.word(w, everything)
		for _, k := range set {
			v &= x.class[k][w]
		}
		eachBit(v, func(b int) { f(w*64+b, &x.l.entries[w*64+b]) })
	}
}

// hasAll reports whether entry i has all of set.
func (x *exact) hasAll(i int, set []int32) bool {
	for _, k := range set {
		if x.class[k][i/64]>>(i%64)&1 == 0 {
			return false
		}
	}
	return true
}

// implies reports whether all entries that have class a have class b.
func (x *exact) implies(a, b int32) bool {
	x.need([]int32{a, b})
	for w, v := range x.class[a] {
		if v&^x.class[b][w] != 0 {
			return false
		}
	}
	return true
}

// lives reports whether entry i is alive.
func (x *exact) lives(i int) bool { return x.alive[i/64]>>(i%64)&1 == 1 }

// word is a word of the entries that count: those alive, or all.
func (x *exact) word(w int, everything bool) uint64 {
	if !everything {
		return x.alive[w]
	}
	if rest := len(x.l.entries) - w*64; rest < 64 {
		return 1<<rest - 1
	}
	return ^uint64(0)
}

// remove takes the entries that have all of set out of what is alive.
func (x *exact) remove(set []int32) {
	x.need(set)
	for w := range x.alive {
		v := x.alive[w]
		for _, k := range set {
			v &= x.class[k][w]
		}
		x.alive[w] &^= v
	}
	x.all = nil
}

// strata returns what is alive by stratum.
func (x *exact) strata() []sum {
	if x.all == nil {
		x.all = make([]sum, len(x.l.start)-1)
		for i := range x.l.entries {
			if x.lives(i) {
				x.all[x.l.entries[i].stratum].add(&x.l.entries[i])
			}
		}
	}
	return x.all
}

// nearly counts the cells of set in which at most one element is missing, and
// all else in the cell of none, over what is alive: what judging a set needs,
// at a fraction of the cost of cross.
func (x *exact) nearly(set []int32) *cross {
	x.need(set)
	t := newCross(len(set), len(x.l.start)-1)
	rows := make([][]uint64, len(set))
	for i, k := range set {
		rows[i] = x.class[k]
	}
	if x.digits != nil {
		x.nearlyByBits(t, rows)
	} else {
		x.nearlyByEntries(t, rows)
	}
	for s, all := range x.strata() {
		for i, c := range t.strata[s] {
			t.cells[i] = t.cells[i].plus(c)
			all = all.minus(c)
		}
		t.strata[s][0] = all
		t.cells[0] = t.cells[0].plus(all)
	}
	return t
}

// newCross returns an empty table.
func newCross(order, strata int) *cross {
	t := &cross{order: order, cells: make([]sum, 1<<order), strata: make([][]sum, strata)}
	all := make([]sum, strata<<order)
	for s := range t.strata {
		t.strata[s], all = all[:1<<order:1<<order], all[1<<order:]
	}
	return t
}

// compare compares the cells for which in is true with those of the others for
// which out is, within strata.
func (x *exact) compare(t *cross, in, out func(cell int) bool) split {
	var c split
	scale := float64(x.l.scale)
	for _, s := range t.strata {
		var a, b sum
		for cell := range s {
			if in(cell) {
				a = a.plus(s[cell])
			} else if out(cell) {
				b = b.plus(s[cell])
			}
		}
		c.add(float64(a.failed), float64(a.units)/scale, float64(b.failed), float64(b.units)/scale)
	}
	return c
}

// excess is how many failures in the whole set would not have been expected at
// the risk of the rest of the traffic of the same stratum.
func (x *exact) excess(t *cross) float64 {
	var total float64
	whole := t.whole()
	var rest sum
	for i, s := range t.cells {
		if i != whole {
			rest = rest.plus(s)
		}
	}
	overall := rest.risk(x.l.typical).risk
	for _, s := range t.strata {
		in := s[whole]
		if in.total() == 0 {
			continue
		}
		var out sum
		for i := range s {
			if i != whole {
				out = out.plus(s[i])
			}
		}
		r := overall
		if out.total() > 0 {
			r = out.risk(x.l.typical).risk
		}
		total += float64(in.failed) - r*(float64(in.failed)+in.w/weightUnit)
	}
	return total
}

// sorted returns the distinct elements of the sets, ascending.
func sorted(sets []candidate) []int32 {
	var ks []int32
	for _, c := range sets {
		ks = append(ks, c.set...)
	}
	slices.Sort(ks)
	return slices.Compact(ks)
}
