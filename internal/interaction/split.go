package interaction

import (
	"math"

	"example.test/eddy/internal/search"
)

// A split compares two groups of observations within strata: how many failed
// in the first, and how many would have been expected to if failures had been
// dealt at random within each stratum.
type split struct {
	observed, expected float64 // failures in the first group
	n, failed, total   float64 // observations in the first; failures and all in both

	// Of the strata that have both groups: how many more failed in the first
	// than expected, and for the four counts of the 2x2 table (failures and
	// successes in the first, failures and successes in the second) how many
	// are expected and how many there can be.
	surplus    float64
	mean, most [4]float64
}

// add counts a stratum with so many failures and successes in the two groups.
func (c *split) add(failed1, ok1, failed2, ok2 float64) {
	f, n1, n2 := failed1+failed2, failed1+ok1, failed2+ok2
	if f <= 0 {
		return
	}
	all := n1 + n2
	ok := all - f
	e := n1 * f / all
	c.observed, c.expected = c.observed+failed1, c.expected+e
	c.n, c.failed, c.total = c.n+n1, c.failed+f, c.total+all
	if n1 <= 0 || n2 <= 0 {
		return
	}
	c.surplus += failed1 - e
	for i, x := range [4]struct{ mean, most float64 }{
		{e, min(n1, f)}, {n1 - e, min(n1, ok)}, {f - e, min(n2, f)}, {n2 - f + e, min(n2, ok)},
	} {
		c.mean[i] += x.mean
		c.most[i] += x.most
	}
}

func (c split) deviance() float64 {
	return search.Deviance(c.observed, c.expected, c.n, c.failed, c.total)
}

// p bounds the probability of as many failures in the first group.
//
// In each stratum every count of the 2x2 table is hypergeometric, which is a
// sum of independent trials (Vatutin and Mikhailov 1982); so is its sum over
// strata, which tail bounds. The four counts say the same; the one whose bound
// has the least variance is used, which depends on the margins alone.
func (c split) p() float64 { return c.dispersed(1) }

// dispersed is p where failures vary phi times as much as by chance: as if there
// were so many fewer of everything.
func (c split) dispersed(phi float64) float64 {
	if c.surplus <= 0 {
		return 1
	}
	best, least := -1, math.Inf(1)
	for i, m := range c.most {
		if v := c.mean[i] * (1 - c.mean[i]/max(m, 1e-9)); v > 1e-9 && v < least {
			best, least = i, v
		}
	}
	if best < 0 {
		return 1
	}
	m, e := c.most[best], c.mean[best]
	if best == 1 || best == 2 { // these fall as failures in the first rise
		e = m - e
	}
	return tail(m/phi, (e+c.surplus)/phi, e/phi)
}
