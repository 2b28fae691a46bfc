package interaction

import (
	"math/bits"
	"slices"

	"example.test/eddy/internal/telemetry"
)

// mostTraces is how many examples a cell has at most.
const mostTraces = 5

// exemplify gives each cell of a finding its examples: failures where there are
// any, chosen by a hash of the trace, so that they are spread over the time and
// do not depend on the order of rows. The set is in the order of the finding's
// conditions; at are its locations, nil for all.
func (m *miner) exemplify(f *Finding, set []int32, at []int32) {
	rows := m.exact.elements(set)
	found := make([]examples, 1<<len(set))
	none := make([]bool, 1<<len(set)) // cells without failures
	for _, failures := range []bool{true, false} {
		for i := range m.ledger.cells {
			b := &m.ledger.cells[i]
			if at != nil && !slices.Contains(at, b.location) {
				continue
			}
			for w := b.from / 64; w*64 < b.to; w++ {
				v := m.ledger.filled[w] & between(w, b.from, b.to)
				if failures {
					v &= anyDigit(m.ledger.bad, w)
				}
				for ; v != 0; v &= v - 1 {
					bit := bits.TrailingZeros64(v)
					c := 0
					for e, row := range rows {
						c |= int(row[w]>>bit&1) << e
					}
					if e := m.ledger.entry(w*64 + bit); failures {
						found[c].offer(e.badTrace)
					} else if none[c] {
						found[c].offer(e.fineTrace)
					}
				}
			}
		}
		for c := range none {
			none[c] = len(found[c]) == 0
		}
		if !slices.Contains(none, true) {
			break
		}
	}
	for i, c := range cellOrder(len(set)) {
		f.Cells[i].Traces = found[c]
	}
}

// examples are the first few traces, in their order.
type examples []telemetry.TraceID

// offer takes in a trace if it is among the first.
func (x *examples) offer(t telemetry.TraceID) {
	if t == (telemetry.TraceID{}) {
		return
	}
	if n := len(*x); n == mostTraces && compareTraces(t, (*x)[n-1]) >= 0 {
		return
	}
	i, known := slices.BinarySearchFunc(*x, t, compareTraces)
	if known {
		return
	}
	*x = slices.Insert(*x, i, t)
	*x = (*x)[:min(len(*x), mostTraces)]
}
