package conformance

import (
	"cmp"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
)

// Propagation is the histogram of the times from a commit to acknowledgements.
type Propagation struct {
	Contract string `json:"contract"`
	Role     string `json:"role"`
	// Bounds are upper ends in seconds, and Counts how many lie at or below each and
	// above the one before; the last count is of those above all. Never is how many
	// consumers did not acknowledge, of all roles.
	Bounds []float64 `json:"bounds"`
	Counts []int     `json:"counts"`
	Never  int       `json:"never,omitempty"`
	N      int       `json:"n"`
	Sum    float64   `json:"sum_seconds"`
}

// PropagationBounds are the upper ends of the buckets, in seconds.
func PropagationBounds() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16}
}

func newPropagation(contract, role string) *Propagation {
	bounds := PropagationBounds()
	return &Propagation{Contract: contract, Role: role, Bounds: bounds, Counts: make([]int, len(bounds)+1)}
}

// add counts one acknowledgement.
func (p *Propagation) add(d time.Duration) {
	x := max(0, d.Seconds())
	i, _ := slices.BinarySearch(p.Bounds, x)
	p.Counts[i]++
	p.N++
	p.Sum += x
}

// heard is what a histogram is of.
type heard struct{ contract, role string }

func sorted(all map[heard]*Propagation) []Propagation {
	list := make([]Propagation, 0, len(all))
	for _, p := range all {
		c := *p
		c.Counts = slices.Clone(p.Counts)
		c.Sum = math.Round(p.Sum*1e6) / 1e6 // the order of a map must not show
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Propagation) int {
		return cmp.Or(cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Role, b.Role))
	})
	return list
}

// Propagation are the histograms of all acknowledgements since the monitor began,
// by contract and role.
func (m *Monitor) Propagation() []Propagation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sorted(m.heard)
}

// hear counts an acknowledgement for good.
func (m *Monitor) hear(contract, role string, d time.Duration) {
	k := heard{contract, role}
	if m.heard[k] == nil {
		if len(m.heard) >= maxSeries {
			m.dropped++
			return
		}
		m.heard[k] = newPropagation(contract, role)
	}
	m.heard[k].add(d)
}

// propagation are the histograms of the commits of a window.
func (m *Monitor) propagation(w telemetry.Window) []Propagation {
	all := make(map[heard]*Propagation)
	get := func(k heard) *Propagation {
		if all[k] == nil {
			all[k] = newPropagation(k.contract, k.role)
		}
		return all[k]
	}
	for id, e := range m.epochs {
		if e.committed.IsZero() || !w.Contains(e.committed) {
			continue
		}
		for who, at := range e.acks {
			get(heard{id.contract, who.role}).add(at.Sub(e.committed))
		}
		if never := e.registered - len(e.acks); never > 0 && w.End.Sub(e.committed) > 10*m.bound(id.contract) {
			get(heard{id.contract, ""}).Never += never
		}
	}
	return sorted(all)
}
