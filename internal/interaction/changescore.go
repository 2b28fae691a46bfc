package interaction

import (
	"math"
	"math/bits"
)

// expected is how many failures those that have all of a set, counted by now and
// marked in mask, would have had at the risk of before, where past marks them.
func (c *change) expected(mask, past []uint64, now sum) float64 {
	if c.base != nil {
		return added(c.base, mask)
	}
	h := c.before.l.tally(past)
	return now.requests() * (float64(h.failed) + shrink*c.overall) / (h.requests() + shrink)
}

// added is the sum over the positions of a mask.
func added(of []float64, mask []uint64) (sum float64) {
	for w, v := range mask {
		for ; v != 0; v &= v - 1 {
			sum += of[w*64+bits.TrailingZeros64(v)]
		}
	}
	return sum
}

// chance is the probability that a tried set has so many failures if nothing
// changed, without regard to how many sets there were.
//
// Its own history is a sample like the present, so that the two are compared with
// each other; so is the history of its combinations, of which the sum of what is
// expected is worth as many observations as have the same variance (Fay and Feuer
// 1997). The one corrects for a mix that shifted, the other needs no history of
// each; the less striking of the two counts. What the rest has risen by is added to
// the history, and failures that came in bursts count as fewer.
func (m *miner) chance(t tried) float64 {
	c, x := m.change, m.exact
	now, past := &x.room[0], &c.before.room[0]
	x.nearly(now, t.set, 0)
	c.before.nearly(past, t.set, 0)
	phi := max(dispersion(now.times, byChance), dispersion(past.times, byChance))
	n := t.now.requests()
	x.spare, c.before.spare = x.mask(x.spare, t.set, false), c.before.mask(c.before.spare, t.set, false)
	e := c.expected(x.spare, c.before.spare, t.now)
	rise := max(0, t.expected-e) / n
	against := func(risk, of float64) float64 {
		var s split
		risk = min(1, risk+rise)
		failed, w := float64(t.now.failed), m.ledger.typical
		s.add(failed, (n-failed)/w, risk*of, (1-risk)*of/w)
		return s.dispersed(phi)
	}
	h := c.before.l.tally(c.before.spare)
	p := against(float64(h.failed)/max(h.requests(), 1), h.requests())
	if c.base != nil {
		p = max(p, against(e/n, e*n/added(c.unsure, x.spare)))
	}
	return p
}

// surprise is the deviance of the failures of a set from what was to be
// expected: those of its history, and for each observation what the rest has
// beyond its own. The square root makes the variance nearly one (Anscombe 1948).
// Only the set's own cells count: the rest may differ in itself.
func surprise(now sum, expected float64, all sum, allExpected float64) (score, due float64) {
	due = expected
	if out := all.requests() - now.requests(); out > 0 {
		due += now.requests() * max(0, float64(all.failed-now.failed)-allExpected+expected) / out
	}
	o := float64(now.failed)
	if o <= due {
		return 0, due
	}
	return anscombe(o, due), due
}

func anscombe(o, e float64) float64 {
	d := math.Sqrt(o+3./8) - math.Sqrt(e+3./8)
	return 4 * d * d
}
