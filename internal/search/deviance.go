package search

import "math"

// Deviance is how much likelier failures are under their own risk inside and
// outside a set than under one risk for all: the G² of the 2x2 table with
// observed failures o in the set, e expected of them, n observations in it, of
// f failures and t observations in all. It is 0 unless o is above e.
//
// It equals twice the observations times their mutual information with being
// in the set. By the data processing inequality no other conjunction has more
// of it than the one the failures depend on, so ranking by it prefers the true
// set both to its parts and to what merely contains it.
func Deviance(o, e, n, f, t float64) float64 {
	if o <= e || e <= 0 {
		return 0
	}
	g := Term(o, e) + Term(n-o, n-e) + Term(f-o, f-e) + Term(t-n-f+o, t-n-f+e)
	return 2 * max(g, 0)
}

// Term is x·ln(x/y), with 0 where x is 0.
func Term(x, y float64) float64 {
	if x <= 1e-9 {
		return 0
	}
	return x * math.Log(x/max(y, 1e-9))
}
