package duckdb

import (
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
	x float64
	n int64
}

// cutNumbers returns the cuts of a column and the ranges between and beyond
// them. Ranges nest: the tails above the median and its upper quantiles, those
// below the median and its lower ones, and the middle half. One of them is
// then close to any threshold, which a partition into equal parts would split.
func cutNumbers(numbers []numberCount) (cuts []float64, ranges []numberRange) {
	slices.SortFunc(numbers, func(a, b numberCount) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	var total int64
	for _, v := range numbers {
		total += v.n
	}
	at := func(q float64) (cut float64, below int64) {
		for _, v := range numbers {
			if below += v.n; float64(below) >= q*float64(total) {
				return v.x, below
			}
		}
		return math.Inf(1), total
	}
	// Tails down to a thirtieth: a threshold anywhere is met to within a factor
	// of about two.
	quantiles := [...]float64{0.03, 0.10, 0.25, 0.50, 0.75, 0.90, 0.97}
	middle := 0
	var shares []float64 // of the observations up to each cut
	for _, q := range quantiles {
		cut, below := at(q)
		if below < minTail || total-below < minTail || slices.Contains(cuts, cut) {
			continue
		}
		cuts = append(cuts, cut)
		shares = append(shares, float64(below)/float64(total))
		if math.Abs(shares[len(cuts)-1]-0.5) < math.Abs(shares[middle]-0.5) {
			middle = len(cuts) - 1
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
	low, _ := at(0.25)
	high, _ := at(0.75)
	i, j := slices.Index(cuts, low), slices.Index(cuts, high)
	if i >= 0 && j > i && shares[j]-shares[i] > 0.2 && shares[j]-shares[i] < 0.8 {
		ranges = append(ranges, numberRange{low, high})
	}
	return cuts, ranges
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
			numbers = append(numbers, numberCount{x, s.total})
		}
		c.states = words
		c.cuts, c.ranges = cutNumbers(numbers)
	}
	c.states = slices.DeleteFunc(c.states, func(s valueCount) bool {
		rare := t.failed >= 20 && s.failed < 5 && s.total < t.rows/1000
		return rare || s.total == 0 || strings.ContainsRune(s.value, 0)
	})
}
