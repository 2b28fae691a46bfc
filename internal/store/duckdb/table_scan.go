package duckdb

import "math"

// A scan looks for the range of a column's numbers that parts failures from the
// rest best, given how many rows, and how many that failed, lie in each part
// between two cuts, by bucket of time. Part 0 is what is no number.
type scan struct {
	parts         int
	total, failed []int64 // by part, 0 to parts
	strata        []scanStratum
}

// A scanStratum is one bucket: sums of the parts up to each.
type scanStratum struct {
	bucket      int64
	total       []int64
	all, failed int64
}

func newScan(parts int) *scan {
	return &scan{parts: parts, total: make([]int64, parts+1), failed: make([]int64, parts+1)}
}

// add counts rows. Buckets come in order.
func (s *scan) add(bucket int64, part int, total, failed int64) {
	if n := len(s.strata); n == 0 || s.strata[n-1].bucket != bucket {
		s.strata = append(s.strata, scanStratum{bucket: bucket, total: make([]int64, s.parts+1)})
	}
	t := &s.strata[len(s.strata)-1]
	t.total[part] += total
	t.all += total
	t.failed += failed
	s.total[part] += total
	s.failed[part] += failed
}

// best returns the range of parts from low to high, counted from 0 for the part
// below the first cut, with the largest likelihood ratio of two risks, inside and
// outside, over one; ok is false if no range fails more than the rest. Each bound
// costs the price.
func (s *scan) best(price float64) (low, high int, ok bool) {
	// expected[i] is how many failures the parts before i would have at the
	// risk of all rows of the same bucket.
	expected := make([]float64, s.parts+2)
	total, failed := make([]float64, s.parts+2), make([]float64, s.parts+2)
	for i := range s.parts + 1 {
		total[i+1] = total[i] + float64(s.total[i])
		failed[i+1] = failed[i] + float64(s.failed[i])
		e := 0.0
		for j := range s.strata {
			if t := &s.strata[j]; t.all > 0 {
				e += float64(t.total[i]) * float64(t.failed) / float64(t.all)
			}
		}
		expected[i+1] = expected[i] + e
	}
	n, f := total[s.parts+1], failed[s.parts+1]
	most := 0.0
	for a := range s.parts {
		for b := a; b < s.parts; b++ {
			if a == 0 && b == s.parts-1 {
				continue
			}
			// Parts a and b are numbered 1 higher, for what is no number.
			o, e, m := failed[b+2]-failed[a+1], expected[b+2]-expected[a+1], total[b+2]-total[a+1]
			if m < minTail || n-m < minTail || o <= e {
				continue
			}
			bounds := 1.0
			if a > 0 && b < s.parts-1 {
				bounds = 2
			}
			score := 2*(surprise(o, e)+surprise(f-o, f-e)+surprise(m-o, m-e)+surprise(n-m-f+o, n-m-f+e)) - price*bounds
			if !ok || score > most {
				low, high, most, ok = a, b, score, true
			}
		}
	}
	return low, high, ok
}

// surprise is o ln(o/e), a term of a likelihood ratio.
func surprise(o, e float64) float64 {
	if o <= 0 {
		return 0
	}
	return o * math.Log(o/max(e, 1e-9))
}
