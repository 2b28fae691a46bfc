package interaction

import (
	"math/bits"

	"example.test/eddy/internal/popcount"
)

// A sum is what some entries count.
type sum struct {
	failed, ok int64
	w, w2      float64 // of successes, for risks, in the unit of weights
	units      float64 // of successes, in tests; only in sums by stratum
}

func (s *sum) add(e *entry) {
	s.failed += e.failed
	s.ok += e.ok
	s.w += e.weight
	s.w2 += e.weight2
}

func (s sum) plus(o sum) sum {
	return sum{s.failed + o.failed, s.ok + o.ok, s.w + o.w, s.w2 + o.w2, s.units + o.units}
}

func (s sum) minus(o sum) sum {
	d := sum{s.failed - o.failed, s.ok - o.ok, s.w - o.w, s.w2 - o.w2, s.units - o.units}
	if d.ok == 0 {
		d.units = 0 // and not what rounding leaves
	}
	return d
}

// total is how many observations there are.
func (s sum) total() int64 { return s.failed + s.ok }

// risk is the share that failed.
func (s sum) risk(typical float64) proportion {
	return risk(float64(s.failed), s.w/weightUnit, s.w2/weightUnit/weightUnit, typical)
}

// settle completes the sum of a part in which every success weighs as much,
// unless they differ: then count has done it.
func (s *sum) settle(each float64) {
	if each != differ {
		s.w, s.w2 = float64(s.ok)*each, float64(s.ok)*each*each
	}
}

// count adds to s what the positions v of word w count; each is what every
// success there weighs. What follows from the number of successes, settle adds.
func (l *ledger) count(s *sum, v uint64, w int, each float64) {
	if v == 0 {
		return
	}
	if each == differ {
		for ; v != 0; v &= v - 1 {
			s.add(l.entry(w*64 + bits.TrailingZeros64(v)))
		}
		return
	}
	for d, plane := range l.bad {
		s.failed += int64(bits.OnesCount64(v&plane[w])) << d
	}
	for d, plane := range l.fine {
		s.ok += int64(bits.OnesCount64(v&plane[w])) << d
	}
}

// tally adds up the positions of a mask, whatever their stratum.
func (l *ledger) tally(mask []uint64) sum {
	return l.both(mask, mask)
}

// both adds up the positions that are in two masks.
func (l *ledger) both(a, b []uint64) sum {
	var all sum
	for _, r := range l.runs {
		var s sum
		from, to := r.from/64, r.to/64
		if r.from%64 != 0 || r.each == differ || to-from < 8 {
			for w := from; w*64 < r.to; w++ {
				if v := a[w] & b[w]; v != 0 {
					l.count(&s, v&between(w, r.from, r.to), w, r.each)
				}
			}
		} else {
			s = l.span(a[from:to], b[from:to], from)
			if r.to%64 != 0 {
				l.count(&s, a[to]&b[to]&between(to, r.from, r.to), to, r.each)
			}
		}
		s.settle(r.each)
		all = all.plus(s)
	}
	return all
}

// span counts the failures and successes of whole words, from word first on, that
// are in two masks.
func (l *ledger) span(a, b []uint64, first int) sum { return inBoth(l.bad, l.fine, first, a, b) }

// inBoth counts what is in two masks, of which word first is where they begin, given
// the binary digits of failures and of successes.
func inBoth(bad, fine [][]uint64, first int, a, b []uint64) (s sum) {
	for d, plane := range bad {
		s.failed += popcount.Common(a, b, plane[first:]) << d
	}
	for d, plane := range fine {
		s.ok += popcount.Common(a, b, plane[first:]) << d
	}
	return s
}

// weight is what the successes at a position of a cell weigh.
func (l *ledger) weight(at int32, b *berth) float64 {
	if b.each == differ {
		return l.entry(int(at)).weight
	}
	var ok uint64
	for d, plane := range l.fine {
		ok |= plane[at/64] >> (at % 64) & 1 << d
	}
	return float64(ok) * b.each
}
