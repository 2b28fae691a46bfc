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

func TestEachPairOfRowsIsCountedByItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 6
		r := rows(t, n)
		words := rapid.IntRange(0, len(r[0])).Draw(t, "words")
		weights := rapid.SliceOfN(rapid.Uint64Max(popcount.MaxWeight), words, words).Draw(t, "weights")
		pairs := popcount.PairBlock * rapid.IntRange(0, 5).Draw(t, "blocks")
		which := rapid.SliceOfN(rapid.Int32Range(0, n-1), pairs, pairs)
		a, b := which.Draw(t, "a"), which.Draw(t, "b")
		got := slices.Repeat([]uint64{1}, pairs)
		popcount.WeighPairs(got, weights, popcount.Slab{Bits: slices.Concat(r...), Row: len(r[0])}, a, b)
		for i := range got {
			var sum uint64
			for w, v := range weights {
				sum += uint64(count(w, r[a[i]], r[b[i]])) * v
			}
			if got[i] != sum {
				t.Errorf("rows %d and %d: got %d, want %d", a[i], b[i], got[i], sum)
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

func TestAMaskLeavesTheBitsOfRowsThatAreSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mask, ends, slab, of := masked(t)
		m := popcount.MaskOf(mask, ends)
		wide := popcount.Slab{Row: m.Words + rapid.IntRange(0, 3).Draw(t, "spare")}
		wide.Bits = make([]uint64, wide.Row*len(of))
		lanes := popcount.Lanes{Width: popcount.LaneWidth(len(of)), Words: m.Words}
		lanes.Bits = make([]uint64, lanes.Width*lanes.Words)
		wide.Extract(m, slab, of)
		lanes.Extract(m, slab, of)
		for i, k := range of {
			want := left(mask, ends, slab.Bits[int(k)*slab.Row:][:slab.Row])
			if len(want) != m.Words {
				t.Fatalf("got %d words, want %d", m.Words, len(want))
			}
			if got := wide.Bits[i*wide.Row:][:m.Words]; !slices.Equal(got, want) {
				t.Errorf("row %d: got %x, want %x", k, got, want)
			}
			for w := range want {
				if got := lanes.Bits[w*lanes.Width+i]; got != want[w] {
					t.Errorf("lane %d, word %d: got %x, want %x", i, w, got, want[w])
				}
			}
		}
	})
}

// masked draws a mask, and rows to take bits out of.
func masked(t *rapid.T) (mask []uint64, ends []uint8, slab popcount.Slab, of []int32) {
	r := rows(t, rapid.IntRange(2, 40).Draw(t, "rows"))
	mask, r = r[0], r[1:]
	if rapid.Bool().Draw(t, "all") {
		for w := range mask {
			mask[w] = math.MaxUint64
		}
	}
	ends = rapid.SliceOfN(rapid.Uint8Max(1), len(mask), len(mask)).Draw(t, "ends")
	if len(ends) > 0 {
		ends[len(ends)-1] = 1
	}
	of = rapid.SliceOfN(rapid.Int32Range(0, int32(len(r)-1)), 1, 30).Draw(t, "of")
	return mask, ends, popcount.Slab{Bits: slices.Concat(r...), Row: len(mask)}, of
}

// left is what a mask leaves of a row, bit by bit.
func left(mask []uint64, ends []uint8, row []uint64) (out []uint64) {
	n := 0
	for w, m := range mask {
		for ; m != 0; m &= m - 1 {
			if n%64 == 0 {
				out = append(out, 0)
			}
			out[len(out)-1] |= row[w] >> bits.TrailingZeros64(m) & 1 << (n % 64)
			n++
		}
		if ends[w] == 1 {
			n = 0
		}
	}
	return out
}

func TestLanesAreCountedByThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows(t, rapid.IntRange(1, 150).Draw(t, "rows"))
		x, r := r[0], r[1:]
		l := popcount.Lanes{Width: popcount.LaneWidth(len(r)), Words: len(x)}
		l.Bits = make([]uint64, l.Width*l.Words)
		for w := range x {
			for i := range r {
				l.Bits[w*l.Width+i] = r[i][w]
			}
		}
		set := rapid.SliceOfN(rapid.Uint64(), (len(r)+63)/64, (len(r)+63)/64).Draw(t, "set")
		if n := len(r) % 64; n > 0 {
			set[len(set)-1] &= 1<<n - 1
		}
		least := rapid.Int32Range(0, int32(16*len(x))).Draw(t, "least")
		var lanes, counts []int32
		for i := range r {
			both, n := make([]uint64, len(x)), int32(0)
			for w := range x {
				both[w] = x[w] & r[i][w]
				n += int32(count(w, x, r[i]))
			}
			got := make([]uint64, len(x))
			if l.And(got, x, int32(i)); !slices.Equal(got, both) {
				t.Errorf("lane %d: got %x, want %x", i, got, both)
			}
			if set[i/64]>>(i%64)&1 == 1 && n >= least {
				lanes, counts = append(lanes, int32(i)), append(counts, n)
			}
		}
		gotLanes, gotCounts := make([]int32, len(r)+8), make([]int32, len(r)+8)
		n := l.Select(gotLanes, gotCounts, x, set, least)
		if !slices.Equal(gotLanes[:n], lanes) || !slices.Equal(gotCounts[:n], counts) {
			t.Errorf("got lanes %v with %v, want %v with %v", gotLanes[:n], gotCounts[:n], lanes, counts)
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

func TestBelowHasTheLowestBits(t *testing.T) {
	for n, want := range map[int]uint64{-1: 0, 0: 0, 1: 1, 3: 7, 63: 1<<63 - 1, 64: math.MaxUint64, 99: math.MaxUint64} {
		if got := popcount.Below(n); got != want {
			t.Errorf("below %d: got %x, want %x", n, got, want)
		}
	}
}

func TestARowIsWithinAnotherThatHasAllOfItsBits(t *testing.T) {
	b := []uint64{0b1110, 0, 0b1}
	for _, x := range []struct {
		a    []uint64
		want bool
	}{
		{[]uint64{0, 0, 0}, true},
		{[]uint64{0b1010, 0, 0b1}, true},
		{[]uint64{0b1, 0, 0}, false},
		{[]uint64{0, 0b1, 0}, false},
		{[]uint64{0b1110, 0, 0b11}, false},
	} {
		if got := popcount.Within(x.a, b); got != x.want {
			t.Errorf("%b within %b: got %v", x.a, b, got)
		}
	}
}
