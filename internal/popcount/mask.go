package popcount

import "math/bits"

// A Mask says which bits to take out of rows of words, and puts those side by side.
type Mask struct {
	bits  []uint64
	ends  []uint8
	Words int // that hold what is taken out of a row
}

// MaskOf returns the mask of the bits that are set. After a word for which ends is 1
// what is taken begins a new word; the last one must be such. It keeps both.
func MaskOf(set []uint64, ends []uint8) Mask {
	m := Mask{bits: set, ends: ends[:len(set)]}
	if len(set) > 0 && ends[len(set)-1] != 1 {
		panic("popcount: a mask without an end")
	}
	n := 0
	for w, v := range set {
		n += bits.OnesCount64(v)
		if ends[w] == 1 {
			m.Words, n = m.Words+(n+63)/64, 0
		}
	}
	return m
}

// Extract fills the first rows of a slab with what a mask leaves of rows of another
// one. Words of a row that the mask does not fill are left as they are.
func (s Slab) Extract(m Mask, from Slab, rows []int32) { m.extract(s.Bits, 1, s.Row, from, rows) }

// extract writes what is left of rows to dst, where the words of one are step apart,
// and the rows next.
func (m Mask) extract(dst []uint64, step, next int, from Slab, rows []int32) {
	if len(rows) == 0 || m.Words == 0 {
		return
	}
	from.check(rows, len(m.bits))
	_ = dst[(len(rows)-1)*next+(m.Words-1)*step]
	if wide() {
		extractWide(&dst[0], step, next, &m.bits[0], &m.ends[0], len(m.bits), &from.Bits[0], from.Row, &rows[0], len(rows))
		return
	}
	for i, r := range rows {
		m.extractPlain(dst[i*next:], step, from.row(r, len(m.bits)))
	}
}

func (m Mask) extractPlain(dst []uint64, step int, row []uint64) {
	for w := range m.Words {
		dst[w*step] = 0
	}
	at := 0
	for w, mask := range m.bits {
		for v := row[w] & mask; v != 0; v &= v - 1 {
			bit := at + bits.OnesCount64(mask&(v&-v-1))
			dst[bit/64*step] |= 1 << (bit % 64)
		}
		at += bits.OnesCount64(mask)
		if m.ends[w] == 1 {
			at = (at + 63) / 64 * 64
		}
	}
}
