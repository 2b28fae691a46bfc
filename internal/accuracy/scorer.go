package accuracy

import (
	"cmp"
	"math"
	"slices"
)

// A count is what a set saw in the minute to explain and in those before.
type count struct {
	all, bad       float64
	before, badWas float64
}

// sets counts every set of up to three attributes that saw a bad event in the
// minute to explain; total is the count of everything.
func (i *Incident) sets() (counts map[string]*count, sets map[string]Set, total count) {
	counts, sets = map[string]*count{}, map[string]Set{}
	for pass := range 2 {
		for _, c := range i.Cells {
			now := c.Minute == minutes-1
			if now != (pass == 0) {
				continue
			}
			if now {
				total.all += float64(c.All)
				total.bad += float64(c.Bad)
			} else {
				total.before += float64(c.All)
				total.badWas += float64(c.Bad)
			}
			each(c.Set, 3, func(s Set) {
				k := s.String()
				x := counts[k]
				if x == nil {
					if !now {
						return
					}
					x = &count{}
					counts[k], sets[k] = x, slices.Clone(s)
				}
				if now {
					x.all += float64(c.All)
					x.bad += float64(c.Bad)
				} else {
					x.before += float64(c.All)
					x.badWas += float64(c.Bad)
				}
			})
		}
	}
	return counts, sets, total
}

// each calls f with every non-empty subset of s of at most k conditions.
func each(s Set, k int, f func(Set)) {
	var walk func(from int, prefix Set)
	walk = func(from int, prefix Set) {
		if len(prefix) > 0 {
			f(prefix)
		}
		if len(prefix) == k {
			return
		}
		for j := from; j < len(s); j++ {
			walk(j+1, append(prefix, s[j]))
		}
	}
	walk(0, make(Set, 0, k))
}

// wracc is the weighted relative accuracy of the minute by itself (Lavrac,
// Flach and Zupan 1999).
func wracc(c, t count) float64 { return c.all / t.all * (c.bad/c.all - t.bad/t.all) }

// excess is how many more bad events there were than at the rate of the minutes
// before.
func excess(c, _ count) float64 { return c.bad - c.all*c.badWas/math.Max(c.before, 1) }

// zOfRates is the difference of the two rates in standard errors.
func zOfRates(c, _ count) float64 {
	if c.before == 0 {
		return 0
	}
	p := (c.bad + c.badWas) / (c.all + c.before)
	se := math.Sqrt(p * (1 - p) * (1/c.all + 1/c.before))
	if se == 0 {
		return 0
	}
	return (c.bad/c.all - c.badWas/c.before) / se
}

// gain is the difference of the rates, weighted as in wracc.
func gain(c, t count) float64 {
	return c.all / t.all * (c.bad/c.all - c.badWas/math.Max(c.before, 1) - (t.bad/t.all - t.badWas/t.before))
}

// rank orders the sets by a score, best first, the shorter first among equals.
func (i *Incident) rank(score func(c, total count) float64) []Set {
	counts, sets, total := i.sets()
	type scored struct {
		key string
		x   float64
	}
	var list []scored
	for k, c := range counts {
		list = append(list, scored{k, score(*c, total)})
	}
	slices.SortFunc(list, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.x, a.x), cmp.Compare(len(sets[a.key]), len(sets[b.key])), cmp.Compare(a.key, b.key))
	})
	var out []Set
	for _, s := range list[:min(len(list), 10)] {
		out = append(out, sets[s.key])
	}
	return out
}
