package interaction

import (
	"cmp"
	"encoding/binary"
	"slices"

	"example.test/eddy/internal/telemetry"
)

// mostTraces is how many examples a cell has at most.
const mostTraces = 5

// exemplify gives each cell of the findings its examples: failures where there
// are any, chosen by a hash of the trace, so that they are spread over the
// time and do not depend on the order of rows.
func (m *miner) exemplify(findings []Finding) {
	if len(findings) == 0 {
		return
	}
	shown := make([]*examples, len(findings))
	for i, f := range findings {
		shown[i] = m.examples(f)
	}
	for i := range m.table.Rows {
		r := &m.table.Rows[i]
		if r.Trace == (telemetry.TraceID{}) || r.Total == 0 {
			continue
		}
		e := example{mix(binary.BigEndian.Uint64(r.Trace[:8]) ^ binary.BigEndian.Uint64(r.Trace[8:]) ^ m.options.Seed), r.Trace}
		for fi, f := range findings {
			if m.inWhere(f, i) {
				shown[fi].add(r, e)
			}
		}
	}
	for fi := range findings {
		for at := range findings[fi].Cells {
			list := shown[fi].failed[at]
			if len(list) == 0 {
				list = shown[fi].fine[at]
			}
			for _, e := range list {
				findings[fi].Cells[at].Traces = append(findings[fi].Cells[at].Traces, e.trace)
			}
		}
	}
}

// An example is a trace, with where it comes among others.
type example struct {
	rank  uint64
	trace telemetry.TraceID
}

func compareExamples(a, b example) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), slices.Compare(a.trace[:], b.trace[:]))
}

// examples are those of one finding.
type examples struct {
	element      []uint8     // by condition: the bit of its element, or 0
	cell         []int       // by the elements that hold: the cell, or -1
	failed, fine [][]example // by cell, the first few in their order
}

// examples returns those of a finding, none yet.
func (m *miner) examples(f Finding) *examples {
	x := &examples{
		element: make([]uint8, len(m.table.Conditions)), cell: slices.Repeat([]int{-1}, 1<<len(f.Conditions)),
		failed: make([][]example, len(f.Cells)), fine: make([][]example, len(f.Cells)),
	}
	for k := range m.classes.list {
		if i := slices.Index(f.Conditions, m.condition(int32(k))); i >= 0 {
			x.element[m.classes.list[k].first] = 1 << i
		}
	}
	for at, bits := range cellOrder(len(f.Conditions)) {
		x.cell[bits] = at
	}
	return x
}

// add offers a row as an example of its cell.
func (x *examples) add(r *Row, e example) {
	var bits uint8
	for _, id := range r.Conditions {
		bits |= x.element[id]
	}
	at := x.cell[bits]
	if at < 0 {
		return
	}
	list := &x.fine[at]
	if r.Failed > 0 {
		list = &x.failed[at]
	}
	if n := len(*list); n == mostTraces && compareExamples(e, (*list)[n-1]) >= 0 {
		return
	}
	i, known := slices.BinarySearchFunc(*list, e, compareExamples)
	if known {
		return
	}
	*list = slices.Insert(*list, i, e)
	*list = (*list)[:min(len(*list), mostTraces)]
}

// inWhere reports whether a row is at one of the finding's locations.
func (m *miner) inWhere(f Finding, row int) bool {
	if len(f.Where) == 0 {
		return true
	}
	ids := m.groups.places[m.groups.location[row]]
	for _, id := range ids {
		if !slices.Contains(f.Where, m.table.Conditions[id]) {
			return false
		}
	}
	return len(ids) > 0
}
