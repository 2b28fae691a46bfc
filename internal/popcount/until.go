package popcount

import "math/bits"

// Until sets dst[w] to how many bits x and y have in common before word w, and returns
// how many they have in all; there must be fewer than 1<<32. With it the bits of any
// stretch are the difference of two counts, however it is cut into stretches.
func Until(dst []uint32, x, y []uint64) uint32 {
	x, y = x[:len(dst)], y[:len(dst)]
	var n uint32
	from := 0
	if wide() && len(dst) >= wideWords {
		from = wholes(len(dst))
		n = untilWide(&dst[0], &x[0], &y[0], from)
	}
	return untilPlain(dst[from:], x[from:], y[from:], n)
}

// UntilApart is Until twice, for what x and z have in common: of those bits, both gets
// what y has as well, and rest what it has not.
func UntilApart(both, rest []uint32, x, y, z []uint64) {
	rest, x, y, z = rest[:len(both)], x[:len(both)], y[:len(both)], z[:len(both)]
	var n, m uint32
	from := 0
	if wide() && len(both) >= wideWords {
		from = wholes(len(both))
		n, m = untilApartWide(&both[0], &rest[0], &x[0], &y[0], &z[0], from)
	}
	untilApartPlain(both[from:], rest[from:], x[from:], y[from:], z[from:], n, m)
}

// Less sets dst to what is in x and not in y. dst may be x or y.
func Less(dst, x, y []uint64) {
	x, y = x[:len(dst)], y[:len(dst)]
	from := 0
	if wide() && len(dst) >= wideWords {
		from = wholes(len(dst))
		lessWide(&dst[0], &x[0], &y[0], from)
	}
	lessPlain(dst[from:], x[from:], y[from:])
}

// untilPlain is Until after n bits.
func untilPlain(dst []uint32, x, y []uint64, n uint32) uint32 {
	x, y = x[:len(dst)], y[:len(dst)]
	for w := range dst {
		dst[w] = n
		n += uint32(bits.OnesCount64(x[w] & y[w]))
	}
	return n
}

// untilApartPlain is UntilApart after n and m bits.
func untilApartPlain(both, rest []uint32, x, y, z []uint64, n, m uint32) {
	rest, x, y, z = rest[:len(both)], x[:len(both)], y[:len(both)], z[:len(both)]
	for w := range both {
		both[w], rest[w] = n, m
		v := x[w] & z[w]
		n += uint32(bits.OnesCount64(v & y[w]))
		m += uint32(bits.OnesCount64(v &^ y[w]))
	}
}

func lessPlain(dst, x, y []uint64) {
	x, y = x[:len(dst)], y[:len(dst)]
	for w := range dst {
		dst[w] = x[w] &^ y[w]
	}
}
