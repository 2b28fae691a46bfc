package popcount

import "math/bits"

// laneGroup is how many lanes are counted at a time where the processor can.
const laneGroup = 8

// Lanes are rows side by side: the first words of all, then the second ones, and so
// on. Where rows are short, as many are counted at a time as words of a longer one
// would be.
type Lanes struct {
	Bits  []uint64
	Width int // of a word, in lanes: a multiple of 8
	Words int // of a lane
}

// LaneWidth returns how wide so many lanes are.
func LaneWidth(lanes int) int { return (lanes + laneGroup - 1) / laneGroup * laneGroup }

// Extract fills lanes with what a mask leaves of rows of a slab, a lane each.
func (l Lanes) Extract(m Mask, from Slab, rows []int32) {
	m.extract(l.Bits[:l.Width*l.Words], l.Width, 1, from, rows)
}

// Lane sets dst to the words of a lane.
func (l Lanes) Lane(dst []uint64, lane int32) {
	at := int(lane)
	for w := range dst {
		dst[w] = l.Bits[at]
		at += l.Width
	}
}

// And sets dst to the bits that x has in common with a lane.
func (l Lanes) And(dst, x []uint64, lane int32) {
	x = x[:len(dst)]
	at := int(lane)
	for w := range dst {
		dst[w] = x[w] & l.Bits[at]
		at += l.Width
	}
}

// Select finds the lanes among those of a set, a bit for each and none beyond, that have
// at least so many bits in common with x. It returns how many they are; lanes has them, ascending,
// and counts how many bits each has in common with x. Both need room for 8 more than
// there are lanes in the set.
func (l Lanes) Select(lanes, counts []int32, x, set []uint64, least int32) int {
	groups := min(l.Width/laneGroup, 8*len(set))
	x = x[:l.Words]
	if !wide() || groups == 0 || len(x) == 0 {
		return l.selectPlain(lanes, counts, x, set, least)
	}
	_ = l.Bits[:l.Width*l.Words]
	n := 0
	for _, v := range set {
		n += bits.OnesCount64(v)
	}
	_, _ = lanes[:n+laneGroup], counts[:n+laneGroup]
	return selectWide(&lanes[0], &counts[0], &x[0], len(x), &l.Bits[0], l.Width, &set[0], groups, int64(least))
}

func (l Lanes) selectPlain(lanes, counts []int32, x, set []uint64, least int32) (n int) {
	for i, v := range set {
		for ; v != 0; v &= v - 1 {
			lane := i*64 + bits.TrailingZeros64(v)
			c, at := 0, lane
			for _, y := range x {
				c += bits.OnesCount64(y & l.Bits[at])
				at += l.Width
			}
			if int32(c) >= least {
				lanes[n], counts[n] = int32(lane), int32(c)
				n++
			}
		}
	}
	return n
}
