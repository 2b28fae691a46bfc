package sim

import (
	"math/bits"
	"time"
)

// subBits splits each power of two into 64 buckets, so that a quantile is within
// 0.8 % of what was recorded.
const subBits = 6

// A Histogram counts durations in buckets of constant relative width.
type Histogram struct {
	counts      []uint32
	first, last int // buckets outside are empty
	n           int
	sum         float64 // nanoseconds
}

func bucketOf(t Time) int {
	v := uint64(max(t, 0))
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift)&(1<<subBits-1)
}

// middle is the middle of a bucket.
func middle(b int) Time {
	if b < 1<<subBits {
		return Time(b)
	}
	shift := b>>subBits - 1
	low := uint64(1<<subBits|b&(1<<subBits-1)) << shift
	return Time(low + uint64(1)<<shift/2)
}

// add counts a duration.
func (h *Histogram) add(t Time) {
	b := bucketOf(t)
	if b >= len(h.counts) {
		h.counts = append(h.counts, make([]uint32, b+1-len(h.counts))...)
	}
	h.counts[b]++
	if h.n == 0 {
		h.first, h.last = b, b
	}
	h.first, h.last = min(h.first, b), max(h.last, b)
	h.n++
	h.sum += float64(t)
}

// N is how many durations were counted.
func (h *Histogram) N() int { return h.n }

// Mean is their mean, or 0 if there are none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}

// drain adds what h has counted to sum, if that is not nil, empties h, and returns
// its median and 99th percentile. It is done once an interval, in one pass.
func (h *Histogram) drain(sum *Histogram) (p50, p99 time.Duration) {
	if h.n == 0 {
		return 0, 0
	}
	if sum != nil {
		if more := len(h.counts) - len(sum.counts); more > 0 {
			sum.counts = append(sum.counts, make([]uint32, more)...)
		}
		if sum.n == 0 {
			sum.first, sum.last = h.first, h.last
		}
		sum.first, sum.last = min(sum.first, h.first), max(sum.last, h.last)
		sum.n += h.n
		sum.sum += h.sum
	}
	half, most := int(.5*float64(h.n)), int(.99*float64(h.n))
	for b := h.first; b <= h.last; b++ {
		c := h.counts[b]
		if c == 0 {
			continue
		}
		if n := int(c); half >= 0 {
			if half -= n; half < 0 {
				p50 = middle(b).Duration()
			}
		}
		if n := int(c); most >= 0 {
			if most -= n; most < 0 {
				p99 = middle(b).Duration()
			}
		}
		if sum != nil {
			sum.counts[b] += c
		}
		h.counts[b] = 0
	}
	h.n, h.sum = 0, 0
	return p50, p99
}

// Quantile returns the duration below which a share q of them lies, or 0 if
// there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int(q * float64(h.n))
	for b, c := range h.counts {
		rank -= int(c)
		if rank < 0 {
			return middle(b).Duration()
		}
	}
	for b := len(h.counts) - 1; b >= 0; b-- {
		if h.counts[b] > 0 {
			return middle(b).Duration()
		}
	}
	return 0
}
