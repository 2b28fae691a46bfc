package sim

import (
	"math"
	"math/rand/v2"
)

// draws are a sequence of random numbers for one entity and one purpose. What
// one entity draws never shifts what another does, so that two runs that differ
// in one condition have the rest of their randomness in common. Copying draws
// copies their state.
type draws struct {
	pcg rand.PCG
}

// newDraws returns those of an entity and a purpose, such as "users" and
// "arrival".
func newDraws(seed uint64, entity, purpose string) draws {
	k := hashText(hashText(mix(seed), entity), purpose)
	return draws{pcg: *rand.NewPCG(k, mix(k))}
}

// uniform draws from [0, 1).
func (s *draws) uniform() float64 { return unit(s.pcg.Uint64()) }

// exp draws from the exponential distribution with mean 1.
func (s *draws) exp() float64 { return expOf(s.uniform()) }

// expOf turns a uniform number into an exponential one with mean 1.
func expOf(u float64) float64 { return -math.Log(1 - u) }

// unit turns 64 random bits into a number in [0, 1).
func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable
// pseudorandom number generators, 2014): every bit of x moves every bit of the
// result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hashText folds a text into a hash.
func hashText(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return mix(h ^ uint64(len(s)))
}

// A purpose tells the draws of a request apart.
type purpose uint64

// What a request draws. Each draw depends on nothing but the seed, the request,
// the purpose, who draws and how often, so that a policy that makes more
// attempts leaves the draws of all other requests as they were.
const (
	forService purpose = iota + 1
	forRoute
	forBackoff
	forFault
	forNetwork
	forLoss
	forCall
	forKey
	forFlag
	forTrace
	forEarly
	forThink
	forRule
	forResolve
	forColdStart
	forThrottle
	forAttribute
	forSampling
	forTranslate
	forSize
	forPriority
	forSplit
)

// draw returns the uniform number of a request for a purpose.
func draw(request uint64, p purpose, who, nth int) float64 {
	return unit(drawBits(request, p, who, nth))
}

func drawBits(request uint64, p purpose, who, nth int) uint64 {
	return mix(request ^ uint64(p)<<56 ^ uint64(who)<<24 ^ uint64(nth))
}
