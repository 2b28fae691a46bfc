//go:build !amd64 || purego

package popcount

func untilWide(dst *uint32, x, y *uint64, words int) uint32 { panic("no wide code") }

func untilApartWide(both, rest *uint32, x, y, z *uint64, words int) (n, m uint32) {
	panic("no wide code")
}

func lessWide(dst, x, y *uint64, words int) { panic("no wide code") }
