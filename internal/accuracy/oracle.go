package accuracy

import (
	"math"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/condition"
)

// An oracle knows all that a method could ever know before it sees the outcomes: of
// every request the risk that it has without a cause and with one, which sets can
// be planted, and that each number of conditions is as likely. What is most
// probable to it is right at least as often, over worlds of all orders, as the answer
// of any method; and it is asked only about sets that differ by one condition, so
// that its figure is above what can be reached.
type oracle struct {
	w    *World
	can  []bool    // by condition: a planted set may name it
	at   []state   // by condition
	cost []float64 // by order: the logarithm of how many sets can be planted
}

// tellable reports whether the first cause of a world is more probable to the
// oracle than each set that differs from it by one condition: left out, put in, or
// put in place of another one. Sets may have up to most conditions.
func (w *World) tellable(most int) bool {
	o := newOracle(w, most)
	c := &w.Causes[0]
	order := len(c.at)
	whole, with, lacking := o.gains(c)
	best := whole - o.cost[order]
	better := func(gain float64, at []state) bool {
		return o.plantable(at) && gain-o.cost[len(at)] > best
	}
	for j := range c.at {
		rest := slices.Concat(c.at[:j], c.at[j+1:])
		all := 0.0
		for id, x := range o.at {
			if x.col == 0 { // each request has one value of a column
				all += lacking[j][id]
			}
			if o.can[id] && better(with[id]+lacking[j][id], slices.Concat(rest, []state{x})) {
				return false
			}
		}
		if len(rest) > 0 && better(whole+all, rest) {
			return false
		}
	}
	for id, x := range o.at {
		if o.can[id] && order < most && better(with[id], slices.Concat(c.at, []state{x})) {
			return false
		}
	}
	return true
}

func newOracle(w *World, most int) *oracle {
	o := &oracle{w: w}
	for col := range w.fleet.columns {
		for v := range w.fleet.columns[col].values {
			o.at = append(o.at, state{col, uint16(v)})
		}
	}
	o.can = make([]bool, len(o.at))
	eligible := w.fleet.eligible()
	for _, x := range eligible {
		o.can[w.fleet.columns[x.col].first+condition.ID(x.value)] = true
	}
	// How many sets there are is estimated by drawing them.
	const draws = 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	o.cost = make([]float64, most+1)
	for k := 1; k <= most; k++ {
		n := 0
		at := make([]state, k)
		for range draws {
			for i := range at {
				at[i] = eligible[rng.IntN(len(eligible))]
			}
			if o.plantable(at) {
				n++
			}
		}
		ways, _ := math.Lgamma(float64(k) + 1)
		o.cost[k] = math.Log(float64(max(n, 1))/draws) + float64(k)*math.Log(float64(len(eligible))) - ways
	}
	return o
}

// plantable reports whether a set may be planted.
func (o *oracle) plantable(at []state) bool {
	d := Draft{fleet: o.w.fleet}
	share := 1.0
	for i, x := range at {
		if d.taken(at[:i], x) {
			return false
		}
		share *= d.shareOf(x)
	}
	return share >= leastShare && share <= mostShare
}

// gains adds up, in log-likelihood, how much likelier outcomes are if a request
// fails at the risk of the cause instead of its own: of the requests that have all
// of its conditions, of those by each further condition, and of those that lack
// only the one, by each condition.
func (o *oracle) gains(c *Cause) (whole float64, with []float64, lacking [][]float64) {
	with = make([]float64, len(o.at))
	for range c.at {
		lacking = append(lacking, make([]float64, len(o.at)))
	}
	for i := range o.w.Table.Rows {
		r := &o.w.Table.Rows[i]
		missing, n := 0, 0
		for j, x := range c.at {
			if r.Conditions[x.col] != o.w.fleet.columns[x.col].first+condition.ID(x.value) {
				missing, n = j, n+1
			}
		}
		if n > 1 {
			continue
		}
		own := float64(o.w.background[i])
		risk := math.Max(c.Risk, own)
		g := math.Log(risk / own)
		if r.Failed == 0 {
			g = math.Log((1-risk)/(1-own)) * math.Max(1, r.Weight)
		}
		by := with
		if n == 1 {
			by = lacking[missing]
		} else {
			whole += g
		}
		for _, id := range r.Conditions {
			by[id] += g
		}
	}
	return whole, with, lacking
}
