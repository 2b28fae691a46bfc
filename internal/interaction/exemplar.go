package interaction

import (
	"bytes"
	"encoding/binary"
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
	rows := m.exact.bits(nil, set)
	found := make([]examples, 1<<len(set))
	some := make([]bool, len(found))
	for i := range m.ledger.failing {
		e := &m.ledger.failing[i]
		if at != nil && !slices.Contains(at, m.ledger.cells[e.cell].location) {
			continue
		}
		c := 0
		for k, row := range rows {
			if has(row, e.at) {
				c |= 1 << k
			}
		}
		some[c] = true
		found[c].offer(e.trace)
	}
	for i, c := range cellOrder(len(set)) {
		if !some[c] {
			m.succeeded(rows, c, at, func(e *entry) { found[c].offer(e.fineTrace) })
		}
		f.Cells[i].Traces = found[c]
	}
}

// succeeded calls do for the entries with successes of a cell of a set, given by the
// rows of its elements, that lie at certain locations.
func (m *miner) succeeded(rows [][]uint64, c int, at []int32, do func(*entry)) {
	for i := range m.ledger.cells {
		b := &m.ledger.cells[i]
		if at != nil && !slices.Contains(at, b.location) {
			continue
		}
		for w := b.from / 64; w*64 < b.to; w++ {
			v := anyDigit(m.ledger.fine, w) & between(w, b.from, b.to)
			for e, row := range rows {
				if c>>e&1 == 1 {
					v &= row[w]
				} else {
					v &^= row[w]
				}
			}
			for ; v != 0; v &= v - 1 {
				do(m.ledger.entry(w*64 + bits.TrailingZeros64(v)))
			}
		}
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

// earlier returns the one of two examples that comes first, in an order that
// spreads over the time: by a hash. A trace of zeros is none.
func earlier(a, b telemetry.TraceID) telemetry.TraceID {
	var none telemetry.TraceID
	if a == none || b != none && compareTraces(b, a) < 0 {
		return b
	}
	return a
}

// compareTraces orders traces by a hash.
func compareTraces(a, b telemetry.TraceID) int {
	x, y := rank(a), rank(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return bytes.Compare(a[:], b[:])
}

func rank(t telemetry.TraceID) uint64 {
	return mix(binary.BigEndian.Uint64(t[:8]) ^ binary.BigEndian.Uint64(t[8:]))
}
