package interaction

import (
	"cmp"
	"encoding/binary"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/telemetry"
)

// mostTraces is how many examples a cell has at most.
const mostTraces = 5

// exemplify gives each cell of the findings its examples: failures where there
// are any, chosen by a hash of the trace, so that they are spread over the
// time and do not depend on the order of rows.
func (m *miner) exemplify(findings []Finding) {
	type key struct{ finding, cell int }
	type example struct {
		rank  uint64
		trace telemetry.TraceID
	}
	failed, fine := make(map[key][]example), make(map[key][]example)
	keep := func(all map[key][]example, k key, e example) {
		list := all[k]
		i, dup := slices.BinarySearchFunc(list, e, func(a, b example) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), slices.Compare(a.trace[:], b.trace[:]))
		})
		if dup || i >= mostTraces {
			return
		}
		list = slices.Insert(list, i, e)
		all[k] = list[:min(len(list), mostTraces)]
	}
	element := make([]map[condition.ID]int, len(findings))
	cellAt := make([]map[int]int, len(findings))
	for i, f := range findings {
		element[i], cellAt[i] = m.elements(f), make(map[int]int)
		for at, bits := range cellOrder(len(f.Conditions)) {
			cellAt[i][bits] = at
		}
	}
	for i, r := range m.table.Rows {
		if r.Trace == (telemetry.TraceID{}) || r.Total == 0 {
			continue
		}
		e := example{mix(binary.BigEndian.Uint64(r.Trace[:8]) ^ binary.BigEndian.Uint64(r.Trace[8:]) ^ m.options.Seed), r.Trace}
		for fi, f := range findings {
			if !m.inWhere(f, i) {
				continue
			}
			bits := 0
			for _, id := range r.Conditions {
				if at, ok := element[fi][id]; ok {
					bits |= 1 << at
				}
			}
			at, ok := cellAt[fi][bits]
			if !ok {
				continue
			}
			if r.Failed > 0 {
				keep(failed, key{fi, at}, e)
			} else {
				keep(fine, key{fi, at}, e)
			}
		}
	}
	for fi := range findings {
		for at := range findings[fi].Cells {
			k := key{fi, at}
			list := failed[k]
			if len(list) == 0 {
				list = fine[k]
			}
			for _, e := range list {
				findings[fi].Cells[at].Traces = append(findings[fi].Cells[at].Traces, e.trace)
			}
		}
	}
}

// elements numbers the conditions of a finding as its cells do.
func (m *miner) elements(f Finding) map[condition.ID]int {
	out := make(map[condition.ID]int, len(f.Conditions))
	for k := range m.classes.list {
		if i := slices.Index(f.Conditions, m.condition(int32(k))); i >= 0 {
			out[m.classes.list[k].first] = i
		}
	}
	return out
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
