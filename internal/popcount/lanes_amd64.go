//go:build amd64 && !purego

package popcount

// extractWide takes the bits of rows where mask is set. The words that hold those of a
// row are step words from each other, and begin next words after those of the row before.
//
//go:noescape
func extractWide(dst *uint64, step, next int, mask *uint64, ends *uint8, words int, slab *uint64, stride int, rows *int32, n int)

// selectWide writes up to 7 places more than it returns.
//
//go:noescape
func selectWide(lanes, counts *int32, x *uint64, words int, bits *uint64, width int, set *uint64, groups int, least int64) int

// weighPairsWide takes a number of pairs that is a multiple of four, and of words that
// is one of eight.
//
//go:noescape
func weighPairsWide(dst, weights *uint64, words int, slab *uint64, stride int, a, b *int32, n int)
