package demo

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// dice are one component's source of chance, drawn from the run's seed and the
// component's name, so that a further component does not shift the draws of
// the others. They are safe for concurrent use.
type dice struct {
	mu     sync.Mutex
	source *rand.Rand
}

func newDice(seed uint64, name string) *dice {
	return &dice{source: rand.New(rand.NewPCG(seed, hashOf(name)))}
}

// hit reports true with the given probability.
func (d *dice) hit(probability float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Float64() < probability
}

// below draws an integer from 0 to n-1; n must be positive.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.IntN(n)
}

// between draws from low to high.
func (d *dice) between(low, high float64) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + (high-low)*d.source.Float64()
}

// order draws a permutation of 0 to n-1.
func (d *dice) order(n int) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Perm(n)
}

// pause draws a time with the given mean: half of it fixed, half exponential
// and cut off at six times the mean, which looks like a small service's work.
func (d *dice) pause(mean time.Duration) time.Duration {
	d.mu.Lock()
	x := min(d.source.ExpFloat64(), 6)
	d.mu.Unlock()
	return mean/2 + time.Duration(x*float64(mean)/2)
}

// gap draws the time to the next arrival of a Poisson process.
func (d *dice) gap(perSecond float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.source.ExpFloat64() / perSecond * float64(time.Second))
}

func hashOf(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // a hash never returns an error
	return h.Sum64()
}
