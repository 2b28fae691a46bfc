package interaction

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/search"
)

// firstLook searches a table as far as the first search.
func firstLook(ctx context.Context, t Table, o Options) (*miner, *search.Search, error) {
	w, err := cut(ctx, t, o.withDefaults())
	if err != nil {
		return nil, nil, err
	}
	w.line()
	m := &miner{options: w.options, ledger: &w.scratch.ledger, exact: &w.scratch.exact, scratch: &w.scratch}
	m.prepare()
	s := m.begin(ctx)
	m.look(s, false)
	return m, s, nil
}

// Judged counts the sets that the first search of a table finds as judging them does,
// and cell by cell. Of the cells, judging tells those that lack more than one element
// together.
func Judged(ctx context.Context, t Table, o Options) (got, want [][]int64, err error) {
	m, s, err := firstLook(ctx, t, o)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range s.Best() {
		n := &m.exact.room[1]
		m.exact.nearly(n, c.Set, len(c.Set))
		got = append(got, numbers(n.table()))
		t := m.exact.cross(c.Set, false)
		whole, cells := t.whole(), slices.Clone(t.cells)
		for i := range cells {
			if lost := bits.OnesCount(uint(whole &^ i)); i > 0 && lost > 1 {
				cells[0], cells[i] = cells[0].plus(cells[i]), sum{}
			}
		}
		want = append(want, numbers(cells))
	}
	return got, want, nil
}

// numbers are what cells count.
func numbers(cells []sum) (out []int64) {
	for _, c := range cells {
		out = append(out, c.failed, c.ok, int64(c.w), int64(c.w2))
	}
	return out
}

// ContrastP is the one-sided p of a contrast of risks, of which failed of n were
// seen each, with these coefficients.
func ContrastP(of, failed, n []float64) float64 {
	var c contrast
	for i := range of {
		c = append(c, part{of[i], risk(failed[i], n[i]-failed[i], n[i]-failed[i], 1)})
	}
	return c.p()
}

// Dispersion is that of a set of which so many of so many failed in each bucket of
// time.
func Dispersion(failed, total []int64) float64 {
	times := make([]sum, len(failed))
	for i := range times {
		times[i] = sum{failed: failed[i], ok: total[i] - failed[i], units: float64(total[i] - failed[i])}
	}
	return dispersion(times, byChance)
}

// A LaidOut is a pane: its entries, and what it says of each condition.
type LaidOut struct {
	Entries []Row // Total, Failed and Conditions
	Columns map[condition.ID]LaidOutColumn
}

// A LaidOutColumn is what a pane says of a condition.
type LaidOutColumn struct {
	Total, Failed int64
	Among, Within float64
	Entries       []int
	Key           uint64
}

// LayOut lays out rows of one pane, after others in the same room.
func LayOut(conditions []condition.Condition, width time.Duration, before, rows []Row) LaidOut {
	c := newCatalog([]string{"entry"})
	c.extend(conditions)
	b := newPaneBuilder(c, 1)
	b.build(0, int64(width), before)
	p := b.build(0, int64(width), rows)
	out := LaidOut{Columns: make(map[condition.ID]LaidOutColumn)}
	for _, e := range p.entries {
		out.Entries = append(out.Entries, Row{Total: int(e.failed + e.ok), Failed: int(e.failed), Conditions: e.conditions})
	}
	for _, x := range p.columns {
		column := LaidOutColumn{Total: x.total, Failed: x.failed, Among: x.among, Within: x.within, Key: x.key}
		for i := range p.entries {
			if x.bits != nil && x.bits[i/64]>>(i%64)&1 == 1 || slices.Contains(x.list, uint32(i)) {
				column.Entries = append(column.Entries, i)
			}
		}
		if int(x.entries) != len(column.Entries) {
			column.Entries = nil
		}
		out.Columns[x.id] = column
	}
	return out
}

// Repeats is how many failures of a table repeat others of their burst.
func Repeats(ctx context.Context, t Table, o Options) (int64, error) {
	m, _, err := firstLook(ctx, t, o)
	if err != nil {
		return 0, err
	}
	_, failed := m.repeats(&m.scratch.drawn)
	return failed, nil
}

// PutAside counts the failures that are alive once every second entry with failures was
// put aside, and again when they are back: by stratum, and one entry after the other.
func PutAside(ctx context.Context, t Table, o Options) (strata, entries [2]int64, err error) {
	m, _, err := firstLook(ctx, t, o)
	if err != nil {
		return strata, entries, err
	}
	list, _ := m.failures(nil, nil)
	var aside []int32
	for i := 0; i < len(list); i += 2 {
		aside = append(aside, list[i].At)
	}
	for i, alive := range []bool{false, true} {
		m.exact.hold(aside, alive)
		for _, s := range m.exact.strata() {
			strata[i] += s.failed
		}
		_, units := m.failures(nil, nil)
		for _, n := range units {
			entries[i] += int64(n)
		}
	}
	return strata, entries, nil
}

// Divided lays cells of so many entries out one after the other, every hundredth as one
// that failed, and divides them for two processors. It returns an error if a cell is
// counted where it is not emptied before, by the same one, or if not all that failed is.
func Divided(entries []int) error {
	l := &ledger{}
	at, failures := 0, make([]int, len(entries))
	for i, n := range entries {
		l.cells = append(l.cells, berth{from: at, to: at + n})
		for ; n > 0; n-- {
			if at%100 == 0 {
				l.failing = append(l.failing, failed{at: int32(at), cell: int32(i), slot: -1})
				failures[i]++
			}
			at++
		}
	}
	l.words = (at + 63) / 64
	l.divide()
	emptied := make([]int, len(l.cells)+1) // by slot: the half that does
	for i := range emptied {
		emptied[i] = -1
	}
	emptied[len(l.cells)] = 1 // before both
	counted := make([]int, len(l.cells))
	for i := range l.chunks {
		b := &l.chunks[i]
		half := 0
		if i >= l.halfway {
			half = 1
		}
		for c := b.begin; c < b.end; c++ {
			if emptied[c] >= 0 {
				return fmt.Errorf("cell %d is emptied twice", c)
			}
			emptied[c] = half
		}
		slots := make(map[int]bool)
		for _, p := range b.pieces {
			if emptied[p.slot] != half || p.slot != p.cell && (p.slot != len(l.cells) || p.cell != l.astride) {
				return fmt.Errorf("chunk %d of %d, half %d: cell %d is counted in slot %d, which half %d empties", i, len(l.chunks), half, p.cell, p.slot, emptied[p.slot])
			}
			slots[p.slot] = true
		}
		for _, f := range l.failing[b.fail:b.failEnd] {
			if !slots[int(f.slot)] {
				return fmt.Errorf("chunk %d: a failure of cell %d is counted in slot %d, which is not of the chunk", i, f.cell, f.slot)
			}
			counted[f.cell]++
		}
	}
	for c, n := range failures {
		if counted[c] != n {
			return fmt.Errorf("cell %d: %d of %d failures are counted", c, counted[c], n)
		}
	}
	return nil
}
