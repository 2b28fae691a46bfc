package interaction

import (
	"math"
	"slices"
)

const (
	// fewTimes is below how many buckets of time nothing is said about how
	// failures vary from one to the next.
	fewTimes = 8
	// fewInSet is how many failures those of one stretch of time may stand for one of,
	// and longestStretch how many buckets such a stretch has at most.
	fewInSet       = 30
	longestStretch = 8
	// manyInSet is how many failures there are beside which so few do not matter.
	manyInSet = 20 * fewInSet
	// byChance is by how many standard deviations of its own a dispersion must
	// exceed 1 to be more than chance, and perhaps by how many it may be more.
	byChance = 2.5
	perhaps  = 1
	// rather is the most that it takes for stretches of time: fewer of them by chance make
	// little difference.
	rather = 2
	// strays is the part of the failures at either end of the time that is left
	// out of it: a cause that came in the middle did not come in bursts.
	strays = 0.2
)

// dispersion is how many times as much the failures of a set vary from one bucket
// of time to the next as they would if each came by itself, at one risk: Pearson's
// chi-squared over its degrees of freedom (McCullagh and Nelder 1989), over the
// time in which most of them are; 1 at least. A burst may fall into two
// buckets, so pairs of them are looked at as well. What is less than so many standard
// deviations above 1 counts as 1.
//
// A handful of failures shows little variation. So long as there are no more, those
// of one stretch of time count as one, as far as chance would have spread them over more
// of the time: so few that came at once may be a burst, wherever they are. Of more
// failures that is so for as many.
func dispersion(times []sum, chance float64) float64 {
	if len(times) < fewTimes {
		return 1
	}
	middle := core(times)
	phi := max(pearson(middle, 1, chance), pearson(middle, 2, chance))
	var f int64
	for _, t := range times {
		f += t.failed
	}
	if f == 0 || f >= manyInSet {
		return phi
	}
	clump, since := 1.0, ongoing(times, f)
	chance = min(chance, rather)
	for together := 1; together <= longestStretch; together *= 2 {
		clump = max(clump, clumping(since, float64(f), together, chance))
	}
	few := min(float64(f), fewInSet)
	return max(phi, float64(f)/(float64(f)-few+few/clump))
}

// ongoing is the time since so many failures began, if that is longer than a burst and
// they go on to the end: the last one is no longer ago than one is from the next. What
// has begun is no burst for that.
func ongoing(times []sum, f int64) []sum {
	failed := func(t sum) bool { return t.failed > 0 }
	from, after := max(slices.IndexFunc(times, failed), 0), 0
	for after < len(times) && !failed(times[len(times)-1-after]) {
		after++
	}
	if since := times[from:]; len(since) > longestStretch && f*int64(after) <= int64(len(since)) {
		return since
	}
	return times
}

// clumping is how many stretches of so many buckets of time chance would spread so many
// failures over, for each one that they are in; 1 if it could be chance.
func clumping(times []sum, f float64, together int, chance float64) float64 {
	stretches, hit := 0.0, 0.0
	for from := 0; from < len(times); from += together {
		stretches++
		for i := from; i < min(from+together, len(times)); i++ {
			if times[i].failed > 0 {
				hit++
				break
			}
		}
	}
	// How many come where another one is already is nearly a Poisson count, skewed as such
	// counts are (see pearson).
	skewed := (chance*chance - 1) / 6
	if hit >= -stretches*math.Expm1(-f/stretches)-skewed {
		return 1 // they would be in no more if there were as many requests in each
	}
	n := f
	for i := range times {
		n += times[i].units
	}
	var expected, variance float64
	for from := 0; from < len(times); from += together {
		of := 0.0
		for i := from; i < min(from+together, len(times)); i++ {
			of += float64(times[i].failed) + times[i].units
		}
		// Of Poisson counts with a sum that is given (the occupancy problem).
		mean := f * of / n
		none := math.Exp(-mean)
		expected += 1 - none
		variance += none * (1 - (1+mean)*none)
	}
	if hit >= expected-chance*math.Sqrt(variance)-skewed {
		return 1
	}
	return expected / hit
}

// pearson is the dispersion of so many buckets taken together each, and a standard
// deviation more, as it is only estimated; 1 if it could be chance, or if there are
// too few.
func pearson(times []sum, together int, chance float64) float64 {
	var f, n float64
	for _, t := range times {
		f, n = f+float64(t.failed), n+float64(t.failed)+t.units
	}
	if f == 0 || f == n {
		return 1
	}
	risk := f / n
	var chi, variance, skew float64
	buckets := 0
	for part := range slices.Chunk(times, together) {
		var s sum
		for _, t := range part {
			s = s.plus(t)
		}
		if of := float64(s.failed) + s.units; of > 0 {
			d := float64(s.failed) - risk*of
			chi += d * d / (risk * (1 - risk) * of)
			mean := risk * of
			variance += 2 + 1/mean // of a term, for a Poisson count; so is its third moment
			skew += 8 + (22+1/mean)/mean
			buckets++
		}
	}
	// Of small counts the sum is skewed, and goes further up by chance (Cornish and
	// Fisher 1938).
	chance += (chance*chance - 1) / 6 * skew / math.Pow(variance, 1.5)
	if df := float64(buckets - 1); buckets >= fewTimes && chi > df+chance*math.Sqrt(variance) {
		return chi / df * (1 + math.Sqrt(2/df)) // it is known from so many buckets alone
	}
	return 1
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
