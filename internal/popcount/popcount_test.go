package popcount_test

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.test/eddy/internal/popcount"
)

// rows draws rows of one length, which may be no multiple of anything.
func rows(t *rapid.T, n int) [][]uint64 {
	words := rapid.IntRange(0, 70).Draw(t, "words")
	out := make([][]uint64, n)
	for i := range out {
		out[i] = rapid.SliceOfN(rapid.Uint64(), words, words).Draw(t, "row")
	}
	return out
}

// count is how many bits of word w are set in all rows.
func count(w int, rows ...[]uint64) int64 {
	v := uint64(math.MaxUint64)
	for _, r := range rows {
		v &= r[w]
	}
	return int64(bits.OnesCount64(v))
}

func TestCountsAreThoseOfBitByBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows(t, 3)
		x, y, z := r[0], r[1], r[2]
		var two, three int64
		both := make([]uint64, len(x))
		for w := range x {
			two, three = two+count(w, x, y), three+count(w, x, y, z)
			both[w] = x[w] & y[w]
		}
		if got := popcount.Common(x, y, z); got != three {
			t.Errorf("common: got %d, want %d", got, three)
		}
		if got := popcount.And(x, x, y); got != two || !slices.Equal(x, both) {
			t.Errorf("and: got %d, want %d; or the bits are wrong", got, two)
		}
	})
}

func TestEachRowIsCountedByItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 5
		r := rows(t, n+2)
		weights := rapid.SliceOfN(rapid.Uint64Max(popcount.MaxWeight), len(r[0]), len(r[0])).Draw(t, "weights")
		x := r[n][:rapid.IntRange(0, len(r[n])).Draw(t, "of a row")]
		slab := popcount.Slab{Bits: slices.Concat(r[:n]...), Row: len(r[0])}
		of := rapid.SliceOf(rapid.Int32Range(0, n-1)).Draw(t, "of")
		counts, sums := slices.Repeat([]int32{-1}, len(of)), slices.Repeat([]uint64{1}, len(of))
		popcount.Each(counts, x, slab, of)
		popcount.WeighEach(sums, weights, x, slab, of)
		for i, k := range of {
			var n int64
			var sum uint64
			for w := range x {
				c := count(w, x, r[k])
				n, sum = n+c, sum+uint64(c)*weights[w]
			}
			if int64(counts[i]) != n || sums[i] != sum {
				t.Errorf("row %d: got %d of sum %d, want %d of sum %d", k, counts[i], sums[i], n, sum)
			}
		}
	})
}

func TestASumIsExactUnlessItIsAboveTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows(t, 3)
		weights := rapid.SliceOfN(rapid.Uint64Max(popcount.MaxWeight), len(r[0]), len(r[0])).Draw(t, "weights")
		var n int64
		var sum uint64
		for w, v := range weights {
			c := count(w, r...)
			n, sum = n+c, sum+uint64(c)*v
		}
		limit := rapid.SampledFrom([]uint64{0, sum / 2, max(sum, 1) - 1, sum, sum + 1, 1 << 62}).Draw(t, "limit")
		gotN, got := popcount.Weigh(weights, r[0], r[1], r[2], limit)
		switch {
		case sum > limit && got <= limit:
			t.Errorf("got %d, want more than the limit of %d", got, limit)
		case sum <= limit && (got != sum || gotN != n):
			t.Errorf("got %d of sum %d, want %d of sum %d", gotN, got, n, sum)
		}
	})
}

func BenchmarkWords(b *testing.B) {
	const words, rows = 144, 170
	slab := make([]uint64, words*rows)
	for i := range slab {
		slab[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	row := func(i int) []uint64 { return slab[i*words : (i+1)*words] }
	weights := slices.Repeat([]uint64{1 << 20}, words)
	var of []int32
	for i := range rows {
		of = append(of, int32(i))
	}
	perWord := func(b *testing.B, words int) {
		b.ReportMetric(float64(b.N)*float64(words)/b.Elapsed().Seconds()/1e9, "Gword/s")
	}
	b.Run("common", func(b *testing.B) {
		for i := range b.N {
			popcount.Common(row(i%rows), row(0), row(0))
		}
		perWord(b, words)
	})
	b.Run("each-16", func(b *testing.B) {
		dst := make([]int32, rows)
		for range b.N {
			popcount.Each(dst, slab[:16], popcount.Slab{Bits: slab, Row: words}, of)
		}
		perWord(b, 16*rows)
	})
	b.Run("weigh-each-16", func(b *testing.B) {
		dst := make([]uint64, rows)
		for range b.N {
			popcount.WeighEach(dst, weights, slab[:16], popcount.Slab{Bits: slab, Row: words}, of)
		}
		perWord(b, 16*rows)
	})
	b.Run("weigh", func(b *testing.B) {
		for i := range b.N {
			popcount.Weigh(weights, row(i%rows), row(0), row(1), math.MaxInt64)
		}
		perWord(b, words)
	})
}
