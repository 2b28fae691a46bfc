package sim

import (
	"fmt"
	"math"
)

// maxKeys bounds the tables that a cache or store keeps by key.
const maxKeys = 4 << 20

func (k Keys) validate() error {
	if k.N < 0 || k.N > maxKeys {
		return fmt.Errorf("%d keys: want 1 to %d", k.N, maxKeys)
	}
	if !(k.Zipf >= 0) || math.IsInf(k.Zipf, 0) {
		return fmt.Errorf("zipf %v: want 0 or more", k.Zipf)
	}
	if !(k.Hot >= 0 && k.Hot <= 1) {
		return fmt.Errorf("hot %v: want 0 to 1", k.Hot)
	}
	return nil
}

// A keyTable draws keys from their distribution in constant time (Walker's alias
// method).
type keyTable struct {
	n     int
	keep  []float64 // probability of staying at the column
	other []int32
}

// newKeyTable makes the table of n keys, of which the k-th has weight k^-zipf.
func newKeyTable(k Keys) keyTable {
	t := keyTable{n: max(k.N, 1)}
	if t.n == 1 || k.Zipf == 0 {
		return t
	}
	t.keep, t.other = make([]float64, t.n), make([]int32, t.n)
	sum := 0.0
	for i := range t.keep {
		t.keep[i] = math.Pow(float64(i+1), -k.Zipf)
		sum += t.keep[i]
	}
	var small, large []int32
	for i := range t.keep {
		t.keep[i] *= float64(t.n) / sum
		if t.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		a, b := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		t.other[a] = b
		t.keep[b] -= 1 - t.keep[a]
		if t.keep[b] < 1 {
			large = large[:len(large)-1]
			small = append(small, b)
		}
	}
	for _, i := range append(small, large...) {
		t.keep[i] = 1
	}
	return t
}

// at returns the key for 64 random bits.
func (t *keyTable) at(bits uint64) int32 {
	x := unit(bits) * float64(t.n)
	i := int32(x)
	if t.keep == nil || x-float64(i) < t.keep[i] {
		return i
	}
	return t.other[i]
}

// A keyPicker says which key a request is about.
type keyPicker struct {
	table keyTable
	hot   float64
}

func newKeyPicker(k Keys) keyPicker { return keyPicker{table: newKeyTable(k), hot: k.Hot} }

// of sets the key that a call is about, unless a cache before has drawn it.
func (p *keyPicker) of(s *Sim, c *call) int32 {
	if c.key == none {
		bits := drawBits(s.requests.at(c.req).key, forKey, 0, int(c.nth))
		c.key = p.table.at(bits)
		if p.hot > 0 && unit(mix(bits)) < p.hot {
			c.key = 0
		}
	}
	return p.within(c.key)
}

// within is the key that one drawn elsewhere, of more keys, stands for here.
func (p *keyPicker) within(key int32) int32 { return key % int32(p.table.n) }
