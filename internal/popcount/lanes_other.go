//go:build !amd64 || purego

package popcount

func extractWide(dst *uint64, step, next int, mask *uint64, ends *uint8, words int, slab *uint64, stride int, rows *int32, n int) {
	panic("no wide code")
}

func selectWide(lanes, counts *int32, x *uint64, words int, bits *uint64, width int, set *uint64, groups int, least int64) int {
	panic("no wide code")
}

func weighPairsWide(dst, weights *uint64, words int, slab *uint64, stride int, a, b *int32, n int) {
	panic("no wide code")
}
