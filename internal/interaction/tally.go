package interaction

import "math/bits"

// digits are the binary digits of what each entry counts, as bits laid out as
// those of an exact view are, the lowest first. With them a sum over many
// entries is a few counts of bits.
type digits struct{ failed, ok [][]uint64 }

// mostDigits is how many there may be for it to be worth it.
const mostDigits = 24

// newDigits returns the digits of a ledger; nil if there are too many, or if
// successes differ in weight, so that their number does not say it all.
func newDigits(l *ledger) *digits {
	if l.same == 0 {
		return nil
	}
	var failed, ok int64
	for i := range l.entries {
		failed, ok = failed|l.entries[i].failed, ok|l.entries[i].ok
	}
	if bits.Len64(uint64(failed))+bits.Len64(uint64(ok)) > mostDigits {
		return nil
	}
	words := (len(l.entries) + 63) / 64
	planes := func(all int64) [][]uint64 {
		out := make([][]uint64, bits.Len64(uint64(all)))
		for p := range out {
			out[p] = make([]uint64, words)
		}
		return out
	}
	d := &digits{planes(failed), planes(ok)}
	for i := range l.entries {
		e := &l.entries[i]
		for p := range d.failed {
			d.failed[p][i/64] |= uint64(e.failed) >> p & 1 << (i % 64)
		}
		for p := range d.ok {
			d.ok[p][i/64] |= uint64(e.ok) >> p & 1 << (i % 64)
		}
	}
	return d
}

// mask is the entries that have all of set.
func (x *exact) mask(set []int32, everything bool) []uint64 {
	x.need(set)
	out := make([]uint64, len(x.alive))
	for w := range out {
		out[w] = x.word(w, everything)
	}
	for _, k := range set {
		for w, v := range x.class[k] {
			out[w] &= v
		}
	}
	return out
}

// tally adds up the entries of a mask, and those of each class into sums.
func (x *exact) tally(mask []uint64, sums []sum) (all sum) {
	if x.digits == nil || x.incomplete() {
		for w, v := range mask {
			eachBit(v, func(b int) {
				e := &x.l.entries[w*64+b]
				all.add(e)
				for _, id := range e.conditions {
					if k := x.c.of[id]; k >= 0 && x.c.list[k].first == id {
						sums[k].add(e)
					}
				}
			})
		}
		return all
	}
	inTwo(len(sums)*len(mask), func(half, from, to int) {
		from, to = from/max(1, len(mask)), to/max(1, len(mask))
		for k := from; k < to; k++ {
			sums[k] = x.count(mask, x.class[k])
		}
	})
	return x.count(mask, mask)
}

// incomplete reports whether the bits of some class have not been made.
func (x *exact) incomplete() bool {
	for _, row := range x.class {
		if row == nil {
			return true
		}
	}
	return false
}

// count adds up the entries that are in both masks.
func (x *exact) count(a, b []uint64) sum {
	var s sum
	b = b[:len(a)]
	for w, v := range a {
		if v &= b[w]; v != 0 {
			x.digits.add(&s, v, w)
		}
	}
	s.weigh(x.l.same)
	return s
}

// add adds to s the number of failures and successes of the entries of a word.
func (d *digits) add(s *sum, v uint64, w int) {
	for p, plane := range d.failed {
		s.failed += int64(bits.OnesCount64(v&plane[w])) << p
	}
	for p, plane := range d.ok {
		s.ok += int64(bits.OnesCount64(v&plane[w])) << p
	}
}

// weigh fills in what follows from the number of successes, which weigh the
// same each.
func (s *sum) weigh(each float64) {
	s.units = s.ok
	s.w, s.w2 = float64(s.ok)*each, float64(s.ok)*each*each
}

// lacking tells, of a word of entries, which have all of the classes and which
// all but one.
func lacking(v uint64, rows [][]uint64, w int) (none, one uint64) {
	none = v
	for _, row := range rows {
		none, one = none&row[w], one&row[w]|none&^row[w]
	}
	return none, one
}

// nearlyByEntries counts entry by entry.
func (x *exact) nearlyByEntries(t *cross, rows [][]uint64) {
	whole := t.whole()
	for w, alive := range x.alive {
		none, one := lacking(alive, rows, w)
		for v := none | one; v != 0; v &= v - 1 {
			b := bits.TrailingZeros64(v)
			cell := whole
			for i := range rows {
				cell &^= int(^rows[i][w]>>b&1) << i
			}
			if cell == 0 {
				continue // the element of a single set is missing
			}
			e := &x.l.entries[w*64+b]
			t.strata[e.stratum][cell].add(e)
		}
	}
}

// nearlyByBits counts by the digits of the ledger: the entries of a stratum
// follow each other.
func (x *exact) nearlyByBits(t *cross, rows [][]uint64) {
	whole := t.whole()
	for s, cells := range t.strata {
		from, to := x.l.start[s], x.l.start[s+1]
		for w := from / 64; w*64 < to; w++ {
			v := x.alive[w]
			if w*64 < from {
				v &= ^uint64(0) << (from - w*64)
			}
			if w*64+64 > to {
				v &= ^uint64(0) >> (w*64 + 64 - to)
			}
			none, one := lacking(v, rows, w)
			if none != 0 {
				x.digits.add(&cells[whole], none, w)
			}
			if one == 0 || len(rows) == 1 {
				continue // a single set without its element is the cell of none
			}
			for i, row := range rows {
				if v := one &^ row[w]; v != 0 {
					x.digits.add(&cells[whole&^(1<<i)], v, w)
				}
			}
		}
		for i := range cells {
			cells[i].weigh(x.l.same)
		}
	}
}
