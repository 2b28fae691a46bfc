//go:build amd64 && !purego

package popcount

// The functions below take a number of words that is a multiple of eight and above
// zero.

//go:noescape
func untilWide(dst *uint32, x, y *uint64, words int) uint32

//go:noescape
func untilApartWide(both, rest *uint32, x, y, z *uint64, words int) (n, m uint32)

//go:noescape
func lessWide(dst, x, y *uint64, words int)
