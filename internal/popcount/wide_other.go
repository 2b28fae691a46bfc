//go:build !amd64 || purego

package popcount

// wide reports that there is no code for more than a word at a time here.
func wide() bool { return false }

func andWide(dst, x, y *uint64, words int) int64 { panic("no wide code") }

func commonWide(x, y, z *uint64, words int) int64 { panic("no wide code") }

func eachWide(dst *int32, x *uint64, words int, slab *uint64, stride int, rows *int32, n int) {
	panic("no wide code")
}

func weighEachWide(dst, weights, x *uint64, words int, slab *uint64, stride int, rows *int32, n int) {
	panic("no wide code")
}

func weighWide(weights, x, y, z *uint64, words int, limit uint64) (n int64, sum uint64) {
	panic("no wide code")
}
