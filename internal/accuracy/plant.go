package accuracy

import (
	"slices"

	"example.test/eddy/internal/condition"
)

// Planted conjunctions hold for so much of the traffic.
const (
	leastShare = 0.003
	mostShare  = 0.06
)

// plant adds a cause of so many conditions, of different columns, that holds
// for 0.3 to 6 % of the traffic and shares no column with another cause.
func (d *Draft) plant(order int, risk float64) {
	eligible := d.eligible()
	for {
		var at []state
		share := 1.0
		for len(at) < order {
			x := eligible[d.rng.IntN(len(eligible))]
			if d.taken(at, x) {
				continue
			}
			at = append(at, x)
			share *= d.shareOf(x)
		}
		if share >= leastShare && share <= mostShare {
			d.cause(risk, at...)
			return
		}
	}
}

// cause adds a cause.
func (d *Draft) cause(risk float64, at ...state) {
	c := Cause{Share: 1, Risk: risk, at: at}
	var cs []condition.Condition
	for _, x := range at {
		c.Share *= d.shareOf(x)
		cs = append(cs, d.condition(x.col, x.value))
	}
	c.Set = NewSet(cs...)
	d.Causes = append(d.Causes, c)
}

// eligible lists what a planted cause may name: nothing that time or place
// decides, and of an exact alias only one.
func (f *fleet) eligible() []state {
	var all []state
	add := func(col, values int) {
		for v := range values {
			all = append(all, state{col, uint16(v)})
		}
	}
	for s := range rolling {
		for k := range perService {
			if k != config {
				add(s*perService+k, len(f.columns[s*perService+k].values))
			}
		}
	}
	for k := range flags {
		add(colFlag+k, 2)
	}
	add(colZone, 4)
	add(colTenant, 10)
	add(colCache, 2)
	add(colOS, 3)
	add(colApp, 4)
	return all
}

// taken reports whether x cannot stand beside at, or is of a column, or a
// service, of another cause.
func (d *Draft) taken(at []state, x state) bool {
	same := func(y state) bool {
		if x.col < colFlag && y.col < colFlag && x.col%perService != phase && y.col%perService != phase {
			return x.col/perService == y.col/perService // a version and its instances
		}
		return x.col == y.col
	}
	if slices.ContainsFunc(at, same) {
		return true
	}
	return slices.ContainsFunc(d.Causes, func(c Cause) bool { return slices.ContainsFunc(c.at, same) })
}

// shareOf is the share of the traffic that has a value.
func (f *fleet) shareOf(x state) float64 {
	if s := f.columns[x.col].share; s != nil {
		return s[x.value]
	}
	if x.col < colFlag && x.col%perService == instance {
		v := f.columns[x.col-instance+version].share
		return v[x.value/instances] / instances
	}
	return 0.5
}
