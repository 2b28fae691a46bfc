package interaction

import (
	"math"
	"math/bits"
	"slices"
	"sync"

	"example.test/eddy/internal/reuse"
	"example.test/eddy/internal/search"
)

// sampled are the entries that a search looks at, with what each counts.
type sampled struct {
	band []int32 // by stratum, -1 where nothing failed
	// fails and oks are positions in the ledger, with the stratum of each.
	fails, oks           []search.Entry
	failCounts, okCounts []int64
	failUnits, okUnits   []float64 // before sampling
	counted              []float64 // room to find a threshold
	drawn                [2]int    // how many failures and successes there were at first
	// failUnit and okUnit are how many observations of the table a count of 1
	// stands for.
	failUnit, okUnit float64
}

// draw samples the entries that are alive. If some were drawn before, what is left of
// them does, so long as it is most.
func (m *miner) draw(again bool) *sampled {
	d := &m.scratch.drawn
	d.band = reuse.Clear(d.band, m.ledger.strata)
	strata := m.exact.strata()
	for s, t := range strata {
		d.band[s] = -1
		if t.failed == 0 {
			continue // where nothing failed nothing can be learnt
		}
		d.band[s] = search.BandOf(float64(t.failed) / (float64(t.failed) + t.units))
	}
	if again && m.outlive(d) {
		return d
	}
	// Failures and successes are sampled apart.
	d.fails, d.failUnits = m.failures(d.fails[:0], d.failUnits[:0])
	d.fails, d.failCounts, d.failUnit = m.sample(d, d.fails, d.failUnits, d.failCounts[:0])
	d.oks, d.okUnits, d.okUnit = d.oks[:0], d.okUnits[:0], 1
	if !m.lots(d) {
		m.successes(d)
		d.oks, d.okCounts, d.okUnit = m.sample(d, d.oks, d.okUnits, d.okCounts[:0])
	}
	d.drawn = [2]int{len(d.fails), len(d.oks)}
	return d
}

// outlive leaves of a sample what is still alive, and reports whether that will do.
func (m *miner) outlive(d *sampled) (enough bool) {
	least := [2]int{d.drawn[0] * 3 / 4, d.drawn[1] * 3 / 4}
	if d.failUnit == 1 {
		least[0] = 0 // it was all there is
	}
	if d.okUnit == 1 {
		least[1] = 0
	}
	d.fails, d.failCounts, enough = m.living(d.band, d.fails, d.failCounts, least[0])
	if enough {
		d.oks, d.okCounts, enough = m.living(d.band, d.oks, d.okCounts, least[1])
	}
	return enough
}

// living leaves of some entries, and of what each counts, those that are alive and in a
// stratum with failures. It reports whether they are enough, and gives up once they
// cannot be.
func (m *miner) living(band []int32, entries []search.Entry, counts []int64, least int) (left []search.Entry, leftCounts []int64, enough bool) {
	n := 0
	for i, p := range entries {
		if has(m.exact.alive, p.At) && band[p.Stratum] >= 0 {
			entries[n], counts[n] = p, counts[i]
			n++
		} else if n+len(entries)-i-1 < least {
			return entries, counts, false
		}
	}
	return entries[:n], counts[:n], true
}

// failures lists the living entries that have failures.
func (m *miner) failures(list []search.Entry, units []float64) ([]search.Entry, []float64) {
	for i := range m.ledger.failing {
		f := &m.ledger.failing[i]
		if has(m.exact.alive, f.at) {
			list = append(list, search.Entry{At: f.at, Stratum: m.ledger.cells[f.cell].stratum, Lot: f.lot, Conditions: f.conditions})
			units = append(units, float64(f.failed))
		}
	}
	return list, units
}

// successes lists the living entries that have successes, where there are
// failures too.
func (m *miner) successes(d *sampled) {
	for i := range m.ledger.cells {
		b := &m.ledger.cells[i]
		if d.band[b.stratum] < 0 {
			continue
		}
		for w := b.from / 64; w*64 < b.to; w++ {
			for v := m.exact.alive[w] & anyDigit(m.ledger.fine, w) & between(w, b.from, b.to); v != 0; v &= v - 1 {
				at := w*64 + bits.TrailingZeros64(v)
				e := m.ledger.entry(at)
				lot := m.ledger.panes[b.pane].lot(at - m.ledger.begins[b.pane]*64)
				d.oks = append(d.oks, search.Entry{At: int32(at), Stratum: b.stratum, Lot: uint32(lot >> 32), Conditions: e.conditions})
				d.okUnits = append(d.okUnits, e.weight*b.factor)
			}
		}
	}
}

// lots samples the successes by the lots that were drawn when the panes were
// made, without looking at the others; the result is that of sample. It reports
// false if that is not worth it, or if some entries count so much that they
// would be sampled for certain.
func (m *miner) lots(d *sampled) bool {
	var units, heaviest float64
	for s, t := range m.exact.strata() {
		if d.band[s] >= 0 {
			units += t.units
		}
	}
	threshold := units / float64(m.options.Sample)
	if threshold < 4 {
		return false
	}
	most := make([]float64, len(m.ledger.panes)) // the largest chance of an entry
	for i := range m.ledger.cells {
		b := &m.ledger.cells[i]
		heaviest = max(heaviest, b.cell.heaviest*b.factor)
		most[b.pane] = max(most[b.pane], b.cell.heaviest*b.factor/threshold)
	}
	if heaviest > threshold {
		return false
	}
	d.okCounts, d.okUnit = d.okCounts[:0], threshold
	cells := m.ledger.cells
	for i, p := range m.ledger.panes {
		zeros := lots - 1
		if most[i] > 0 {
			zeros = min(max(int(-math.Log2(most[i])), 0), lots-1)
		}
		own := cells[:len(p.cells)]
		cells = cells[len(p.cells):]
		b := 0 // the cell of the entry
		for j, x := range p.drawn[:p.upTo[zeros]] {
			chance := float64(x.lot) / (1 << 32)
			at := int32(m.ledger.begins[i]*64) + int32(x.entry)
			if chance >= most[i] || !has(m.exact.alive, at) {
				continue
			}
			if own[b].from > int(at) {
				b = 0 // those with as many zeros ascend
			}
			for own[b].to <= int(at) {
				b++
			}
			stratum := own[b].stratum
			if w := m.ledger.weight(at, &own[b]); d.band[stratum] >= 0 && chance < w*own[b].factor/threshold {
				d.oks = append(d.oks, search.Entry{At: at, Stratum: stratum, Lot: x.lot, Conditions: p.sampled(j)})
				d.okCounts = append(d.okCounts, 1)
			}
		}
	}
	return true
}

// boards lays out a sample for the search.
func (m *miner) boards(d *sampled) (fails, oks *search.Board) {
	fails, oks = &m.scratch.fails, &m.scratch.oks
	var both sync.WaitGroup
	both.Go(func() { oks.Lay(m.classes.searched, d.band, d.oks, d.okCounts) })
	fails.Lay(m.classes.searched, d.band, d.fails, d.failCounts)
	both.Wait()
	return fails, oks
}

// sample keeps at most about Options.Sample of the entries: those that count
// more than a threshold, and of the others each with the chance that its count
// bears to the threshold, which it then counts (threshold sampling: Duffield,
// Lund and Thorup 2005). Which ones depends on their content and the seed, not
// on the order of rows. Counts come back in units of the threshold, rounded;
// unit is what a count of 1 then stands for, in observations.
func (m *miner) sample(d *sampled, entries []search.Entry, units []float64, counts []int64) (kept []search.Entry, keptCounts []int64, unit float64) {
	threshold := 1.0
	if len(entries) > m.options.Sample {
		threshold = m.threshold(d, units)
	}
	kept = entries[:0]
	for i, p := range entries {
		n := units[i] / threshold
		whole := math.Floor(n + 1e-9)
		if n-whole > 1e-9 {
			if u := float64(p.Lot) / (1 << 32); u < n-whole {
				whole++
			}
		}
		if whole > 0 {
			kept, counts = append(kept, p), append(counts, int64(whole))
		}
	}
	return kept, counts, threshold
}

// threshold is the t at which the sum of min(1, count/t) is the sample's size.
func (m *miner) threshold(d *sampled, units []float64) float64 {
	size := m.options.Sample
	low, high := slices.Min(units), slices.Max(units)
	if nearlyEqual(low, high) {
		return max(1, high*float64(len(units))/float64(size))
	}
	d.counted = append(d.counted[:0], units...)
	slices.Sort(d.counted)
	var under float64 // sum of the counts up to here
	for i, c := range d.counted {
		under += c
		above := len(d.counted) - i - 1 // counted whole
		if above >= size {
			continue
		}
		if t := under / float64(size-above); above == 0 || t <= d.counted[i+1] {
			return max(t, 1)
		}
	}
	return 1
}

// nearlyEqual reports whether two numbers differ by no more than rounding.
func nearlyEqual(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }
