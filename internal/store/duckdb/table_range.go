package duckdb

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// minTail is how many observations a range needs on either side to be offered.
const minTail = 20

// A numberRange is a range of a column's numbers: above low and up to high, where an
// infinity means no bound. Its ends are cuts of the column.
type numberRange struct{ low, high float64 }

// String is the range as the value of a condition: "> 840", "<= 3" or
// "> 120 and <= 400".
func (s numberRange) String() string {
	var parts []string
	if !math.IsInf(s.low, -1) {
		parts = append(parts, "> "+plain(s.low))
	}
	if !math.IsInf(s.high, 1) {
		parts = append(parts, "<= "+plain(s.high))
	}
	return strings.Join(parts, " and ")
}

// plain writes a number without an exponent where that is short.
func plain(x float64) string {
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// A numberCount is a number of a column's, and how many observations have it.
type numberCount struct {
	x        float64
	n        int64
	requests int64 // that they stand for
}

// sortNumbers orders numbers ascending.
func sortNumbers(numbers []numberCount) {
	slices.SortFunc(numbers, func(a, b numberCount) int { return cmp.Compare(a.x, b.x) })
}

// quantiles returns the cuts of a column at the shares q of the requests that its
// observations stand for, and how many are up to each. Cuts with few observations on a
// side are left out.
func quantiles(numbers []numberCount, q []float64) (cuts []float64, below []int64) {
	var n, requests int64
	for _, v := range numbers {
		n, requests = n+v.n, requests+v.requests
	}
	var sum, upTo int64
	next := 0
	for _, v := range numbers {
		sum, upTo = sum+v.n, upTo+v.requests
		met := false
		for next < len(q) && float64(upTo) >= q[next]*float64(requests) {
			next++
			met = true
		}
		if met && sum >= minTail && n-sum >= minTail {
			cuts, below = append(cuts, v.x), append(below, upTo)
		}
	}
	return cuts, below
}

// hundredths are the shares at which ranges can be cut.
func hundredths() []float64 {
	q := make([]float64, 99)
	for i := range q {
		q[i] = float64(i+1) / 100
	}
	return q
}

// cutNumbers returns the ranges of a column's numbers that are searched; those
// that are found are then cut anew, at any of the hundredths. Ranges nest: the tails above the median and its upper quantiles, those
// below the median and its lower ones, and the middle half. One of them is
// then close to any threshold, which a partition into equal parts would split.
func cutNumbers(numbers []numberCount) []numberRange {
	var ranges []numberRange
	var total int64
	for _, v := range numbers {
		total += v.requests
	}
	// Tails down to a thirtieth: a threshold anywhere is met to within a factor
	// of about two.
	cuts, below := quantiles(numbers, []float64{0.03, 0.10, 0.25, 0.50, 0.75, 0.90, 0.97})
	share := func(i int) float64 { return float64(below[i]) / float64(total) }
	middle := 0
	for i := range cuts {
		if math.Abs(share(i)-0.5) < math.Abs(share(middle)-0.5) {
			middle = i
		}
	}
	for i, cut := range cuts {
		if i <= middle {
			ranges = append(ranges, numberRange{math.Inf(-1), cut})
		}
		if i >= middle {
			ranges = append(ranges, numberRange{cut, math.Inf(1)})
		}
	}
	quarters, _ := quantiles(numbers, []float64{0.25, 0.75})
	if len(quarters) == 2 {
		i, j := slices.Index(cuts, quarters[0]), slices.Index(cuts, quarters[1])
		if i >= 0 && j > i && share(j)-share(i) > 0.2 && share(j)-share(i) < 0.8 {
			ranges = append(ranges, numberRange{quarters[0], quarters[1]})
		}
	}
	return ranges
}

// holds reports whether the numbers above cuts[i-1] and up to cuts[i] are in the
// range.
func (s numberRange) holds(cuts []float64, i int) bool {
	return (i == 0 && math.IsInf(s.low, -1) || i > 0 && cuts[i-1] >= s.low) &&
		(i == len(cuts) && math.IsInf(s.high, 1) || i < len(cuts) && cuts[i] <= s.high)
}

// settle parts the numbers of a column into ranges, which leaves the words as
// states, and drops the states that are too rare to be found: those of less
// than a thousandth of the observations and fewer than five failures. Of a set
// in a table with many failures the miner asks for more, so that dropping them
// changes no result, but makes more rows alike.
func (c *candidate) settle(t tableTotal) {
	if c.number {
		var numbers []numberCount
		words := c.states[:0]
		for _, s := range c.states {
			x, err := strconv.ParseFloat(s.value, 64)
			if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
				words = append(words, s)
				continue
			}
			numbers = append(numbers, numberCount{x, s.total, s.requests})
		}
		c.states = words
		sortNumbers(numbers)
		c.numbers = numbers
		c.ranges = cutNumbers(numbers)
		c.cuts, _ = quantiles(numbers, hundredths())
	}
	c.states = slices.DeleteFunc(c.states, func(s valueCount) bool {
		rare := t.failed >= 20 && s.failed < 5 && s.total < t.rows/1000
		return rare || s.total == 0 || strings.ContainsRune(s.value, 0)
	})
}
