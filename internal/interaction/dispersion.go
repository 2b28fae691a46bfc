package interaction

import "slices"

const (
	// fewTimes is below how many buckets of time nothing is said about how
	// failures vary from one to the next.
	fewTimes = 8
	// fewInSet is below how many failures those of one bucket count as one.
	fewInSet = 30
	// strays is the part of the failures at either end of the time that is left
	// out of it: a cause that came in the middle did not come in bursts.
	strays = 0.2
)

// dispersion is how many times as much the failures of a set vary from one bucket
// of time to the next as they would if each came by itself, at one risk: Pearson's
// chi-squared over its degrees of freedom (McCullagh and Nelder 1989), over the
// time in which most of them are; 1 at least. A burst may fall into two
// buckets, so pairs of them are looked at as well.
//
// A handful of failures shows no variation. So long as there are no more, those
// of one bucket count as one.
func dispersion(times []sum) float64 {
	if len(times) < fewTimes {
		return 1
	}
	times = core(times)
	phi := max(1, pearson(times, 1), pearson(times, 2))
	var f, hit float64
	for _, t := range times {
		f += float64(t.failed)
		if t.failed > 0 {
			hit++
		}
	}
	if f > 0 && f < fewInSet {
		phi = max(phi, f/hit)
	}
	return phi
}

// pearson is the dispersion of so many buckets taken together each; 0 if there
// are too few.
func pearson(times []sum, together int) float64 {
	var f, n float64
	for _, t := range times {
		f, n = f+float64(t.failed), n+float64(t.failed)+t.units
	}
	if f == 0 || f == n {
		return 0
	}
	risk := f / n
	var chi float64
	buckets := 0
	for part := range slices.Chunk(times, together) {
		var s sum
		for _, t := range part {
			s = s.plus(t)
		}
		if of := float64(s.failed) + s.units; of > 0 {
			d := float64(s.failed) - risk*of
			chi += d * d / (risk * (1 - risk) * of)
			buckets++
		}
	}
	if buckets < fewTimes {
		return 0
	}
	return chi / float64(buckets-1)
}

// core is the time that holds all failures but the first and the last strays.
func core(times []sum) []sum {
	var all int64
	for _, t := range times {
		all += t.failed
	}
	least := int64(strays * float64(all))
	from, to := 0, len(times)
	for before := int64(0); from < to && before+times[from].failed <= least; from++ {
		before += times[from].failed
	}
	for after := int64(0); to > from && after+times[to-1].failed <= least; to-- {
		after += times[to-1].failed
	}
	return times[from:to]
}
