//go:build amd64 && !purego

package popcount

import "golang.org/x/sys/cpu"

// wide reports whether the processor counts eight words at a time.
func wide() bool { return cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPOPCNTDQ && cpu.X86.HasBMI2 }

// The functions below take a number of words that is a multiple of eight and above
// zero.

//go:noescape
func andWide(dst, x, y *uint64, words int) int64

//go:noescape
func commonWide(x, y, z *uint64, words int) int64

// eachWide and weighEachWide count the first so many words of x with those of each
// row; a row of the slab has stride words.
//
//go:noescape
func eachWide(dst *int32, x *uint64, words int, slab *uint64, stride int, rows *int32, n int)

//go:noescape
func weighEachWide(dst, weights, x *uint64, words int, slab *uint64, stride int, rows *int32, n int)

//go:noescape
func weighWide(weights, x, y, z *uint64, words int, limit uint64) (n int64, sum uint64)
