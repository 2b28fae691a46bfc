package interaction

import (
	"math/bits"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/telemetry"
)

// lots is how many leading zeros of a lot are told apart.
const lots = 24

// drawn is an entry and the upper half of its lot.
type drawn struct{ entry, lot uint32 }

// A failing entry is what is asked of those that failed, which are few, close together.
type failing struct {
	entry      int32
	lot        uint32 // the upper half
	failed     int64
	conditions []condition.ID
	trace      telemetry.TraceID // an example
}

// lot is a number drawn for an entry: by what it is and the seed, not by where
// it stands.
func (p *pane) lot(i int) uint64 { return mix(p.entries[i].hash ^ p.seed) }

// draw orders the entries by their lots, so that a sample is the first of them.
func (p *pane) draw() {
	zeros := func(lot uint64) int { return min(bits.LeadingZeros64(lot), lots-1) }
	lot := make([]uint64, len(p.entries))
	for i := range p.entries {
		lot[i] = p.lot(i)
		p.upTo[zeros(lot[i])]++
	}
	for n := lots - 1; n >= 0; n-- { // from counts to ends
		p.upTo[n] += p.upTo[n+1]
	}
	next := p.upTo
	p.drawn = make([]drawn, len(p.entries))
	for i, x := range lot {
		n := zeros(x) + 1
		p.drawn[next[n]] = drawn{uint32(i), uint32(x >> 32)}
		next[n]++
	}
	// Those that a large window samples lie in memory one after the other.
	first := p.drawn[:p.upTo[3]]
	size := 0
	for _, d := range first {
		size += len(p.entries[d.entry].conditions)
	}
	p.first, p.ends = make([]condition.ID, 0, size), make([]uint32, 0, len(first))
	for _, d := range first {
		e := &p.entries[d.entry]
		p.first, e.conditions = gather(p.first, e.conditions)
		p.ends = append(p.ends, uint32(len(p.first)))
	}
}

// gather copies conditions to the end of a list that has room for them.
func gather(list, ids []condition.ID) (all, own []condition.ID) {
	all = append(list, ids...)
	return all, all[len(list):len(all):len(all)]
}

// sampled is the conditions of the i-th of those drawn.
func (p *pane) sampled(i int) []condition.ID {
	switch {
	case i >= len(p.ends):
		return p.entries[p.drawn[i].entry].conditions
	case i == 0:
		return p.first[:p.ends[0]]
	}
	return p.first[p.ends[i-1]:p.ends[i]]
}

// fail lists the entries that failed.
func (p *pane) fail() {
	n, size := 0, 0
	for i := range p.entries {
		if e := &p.entries[i]; e.failed > 0 {
			n, size = n+1, size+len(e.conditions)
		}
	}
	p.failing = make([]failing, 0, n)
	ids := make([]condition.ID, 0, size)
	for i := range p.entries {
		if e := &p.entries[i]; e.failed > 0 {
			f := failing{entry: int32(i), lot: uint32(p.lot(i) >> 32), failed: e.failed, trace: e.badTrace}
			ids, f.conditions = gather(ids, e.conditions)
			p.failing = append(p.failing, f)
		}
	}
}
