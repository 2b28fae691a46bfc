// Package wording writes counts and shares as people read them, the same way
// on pages, in sentences and in terminals.
package wording

import (
	"math"
	"strconv"
	"strings"
)

// Count writes 12345 as "12,345".
func Count[N int | int64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Plural writes "1 request", "2,000 requests", "3 entries".
func Plural[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if s, ok := strings.CutSuffix(noun, "ry"); ok {
		return Count(n) + " " + s + "ries"
	}
	return Count(n) + " " + noun + "s"
}

// Few writes numbers up to six as words, "three", and others as Count does.
func Few(n int) string {
	words := []string{"none", "one", "two", "three", "four", "five", "six"}
	if n >= 0 && n < len(words) {
		return words[n]
	}
	return Count(n)
}

// Percent writes a share of 1 with as many digits as tell something: "74%",
// "0.2%", "99.4%". What is little is not shown as nothing, nor nearly all as
// all: "<0.01%", ">99.9%". NaN and negative shares are "0%".
func Percent(share float64) string {
	p := 100 * share
	switch {
	case p <= 0 || math.IsNaN(p):
		return "0%"
	case p >= 100:
		return "100%"
	case p < 0.01:
		return "<0.01%"
	case p > 99.9:
		return ">99.9%"
	case p < 0.1:
		return trim(p, 2)
	case p < 9.95 || p > 99:
		return trim(p, 1)
	}
	return trim(p, 0)
}

// trim writes p with at most the given digits after the point.
func trim(p float64, digits int) string {
	text := strconv.FormatFloat(p, 'f', digits, 64)
	if digits > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text + "%"
}
