package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/sim"
)

// An Uncertain is a number that the author does not know: calm traffic does not
// show how many servers there are beyond those that were ever busy. What is said
// about the system counts as robust only if it holds over the whole range.
type Uncertain struct {
	Target string // a service or a store
	Param  string // "servers" or "queue.bound"
	Low    int
	High   int
}

// At returns the scenario with each uncertain number at a share of its range, 0
// to 1, spread evenly on a logarithmic scale.
func (s *Scenario) At(shares []float64) (*Scenario, error) {
	out := *s
	out.Model.Services = slices.Clone(s.Model.Services)
	out.Model.Stores = slices.Clone(s.Model.Stores)
	for i, u := range s.Uncertain {
		n := int(math.Round(float64(u.Low) * math.Pow(float64(u.High)/float64(u.Low), shares[i])))
		if !place(&out.Model, u, n) {
			return nil, fmt.Errorf("uncertain %s of %s: want servers or queue.bound of a service or a store", u.Param, u.Target)
		}
	}
	return &out, nil
}

// place gives an uncertain number a value; false if there is no such number.
func place(m *sim.Model, u Uncertain, n int) bool {
	number := u.of(m)
	if number == nil {
		return false
	}
	*number = n
	return true
}

// of returns where a model has the number; nil if it has none.
func (u Uncertain) of(m *sim.Model) *int {
	either := func(servers, bound *int) *int {
		switch u.Param {
		case "servers":
			return servers
		case "queue.bound":
			return bound
		}
		return nil
	}
	for i := range m.Services {
		if v := &m.Services[i]; v.ID == u.Target {
			return either(&v.Servers, &v.Queue.Bound)
		}
	}
	for i := range m.Stores {
		if v := &m.Stores[i]; v.ID == u.Target {
			return either(&v.Servers, &v.Queue.Bound)
		}
	}
	return nil
}

// Corners returns n places in the ranges of all uncertain numbers, spread so
// that each range is covered evenly (a Latin hypercube: McKay, Beckman and
// Conover 1979), after the two where all are low and all are high.
func (s *Scenario) Corners(n int, r *rand.Rand) [][]float64 {
	k := len(s.Uncertain)
	low, high := make([]float64, k), make([]float64, k)
	for i := range high {
		high[i] = 1
	}
	if k == 0 {
		return [][]float64{{}}
	}
	out := [][]float64{low, high}
	inner := make([][]float64, max(n-2, 0))
	for i := range inner {
		inner[i] = make([]float64, k)
	}
	for d := range k {
		for i, slot := range r.Perm(len(inner)) {
			inner[i][d] = (float64(slot) + 0.5) / float64(len(inner))
		}
	}
	return append(out, inner...)
}

// uncertain checks the ranges.
func (d *decoder) uncertain(s *Scenario) {
	for i, u := range s.Uncertain {
		at := fmt.Sprintf("uncertain[%d]", i)
		if u.Low < 1 || u.High < u.Low {
			d.about("", at, "from %d to %d: want 1 <= low <= high", u.Low, u.High)
		}
		m := s.Model
		m.Services, m.Stores = slices.Clone(m.Services), slices.Clone(m.Stores)
		if !place(&m, u, u.Low) {
			d.about("", at, "%s of %q: want servers or queue.bound of a service or a store", u.Param, u.Target)
		}
	}
}
