package interaction

import (
	"math"
	"math/bits"
	"slices"
)

// mostBands bounds how many bands of strata the search tells apart.
const mostBands = 24

// sampled are the entries that a search looks at, with what each counts.
type sampled struct {
	band []int32 // by stratum, -1 where nothing failed
	// fails and oks are positions in the ledger, with the stratum of each.
	fails, oks           []position
	failCounts, okCounts []int64
	failUnits, okUnits   []float64 // before sampling
	counted              []float64 // room to find a threshold
	// failUnit and okUnit are how many observations of the table a count of 1
	// stands for.
	failUnit, okUnit float64
}

// A position is a place in the ledger where an entry is.
type position struct{ at, stratum int32 }

// draw samples the entries that are alive.
func (m *miner) draw() *sampled {
	d := &m.scratch.drawn
	d.band = grow(d.band, m.ledger.strata)
	strata := m.exact.strata()
	for s, t := range strata {
		d.band[s] = -1
		if t.failed == 0 {
			continue // where nothing failed nothing can be learnt
		}
		rate := float64(t.failed) / (float64(t.failed) + t.units)
		// Bands are a factor of 1.4 wide, from rates near one down.
		d.band[s] = min(mostBands-1, int32(-2*math.Log2(rate)))
	}
	d.fails, d.oks = d.fails[:0], d.oks[:0]
	d.failUnits, d.okUnits = d.failUnits[:0], d.okUnits[:0]
	for i := range m.ledger.cells {
		b := &m.ledger.cells[i]
		if d.band[b.stratum] >= 0 {
			m.gatherCell(d, b)
		}
	}
	// Failures and successes are sampled apart.
	d.fails, d.failCounts, d.failUnit = m.sample(d, d.fails, d.failUnits, d.failCounts[:0])
	d.oks, d.okCounts, d.okUnit = m.sample(d, d.oks, d.okUnits, d.okCounts[:0])
	return d
}

// gatherCell lists the living entries of a cell.
func (m *miner) gatherCell(d *sampled, b *berth) {
	for w := b.from / 64; w*64 < b.to; w++ {
		for v := m.exact.alive[w] & between(w, b.from, b.to); v != 0; v &= v - 1 {
			at := w*64 + bits.TrailingZeros64(v)
			e := m.ledger.entry(at)
			p := position{int32(at), b.stratum}
			if e.failed > 0 {
				d.fails, d.failUnits = append(d.fails, p), append(d.failUnits, float64(e.failed))
			}
			if e.ok > 0 {
				d.oks, d.okUnits = append(d.oks, p), append(d.okUnits, e.weight*b.factor)
			}
		}
	}
}

// boards lays out a sample for the search.
func (m *miner) boards(d *sampled, fails, oks *board) (*board, *board) {
	fails.lay(m.ledger, m.classes, d.band, mostBands, d.fails, d.failCounts)
	oks.lay(m.ledger, m.classes, d.band, mostBands, d.oks, d.okCounts)
	return fails, oks
}

// sample keeps at most about Options.Sample of the entries: those that count
// more than a threshold, and of the others each with the chance that its count
// bears to the threshold, which it then counts (threshold sampling: Duffield,
// Lund and Thorup 2005). Which ones depends on their content and the seed, not
// on the order of rows. Counts come back in units of the threshold, rounded;
// unit is what a count of 1 then stands for, in observations.
func (m *miner) sample(d *sampled, entries []position, units []float64, counts []int64) (kept []position, keptCounts []int64, unit float64) {
	threshold := 1.0
	if len(entries) > m.options.Sample {
		threshold = m.threshold(d, units)
	}
	kept = entries[:0]
	for i, p := range entries {
		n := units[i] / threshold
		whole := math.Floor(n + 1e-9)
		if n-whole > 1e-9 {
			if u := float64(mix(m.content(p))>>11) / (1 << 53); u < n-whole {
				whole++
			}
		}
		if whole > 0 {
			kept, counts = append(kept, p), append(counts, int64(whole))
		}
	}
	return kept, counts, threshold
}

// content hashes what an entry is: its conditions and its stratum.
func (m *miner) content(p position) uint64 {
	return m.ledger.entry(int(p.at)).hash ^ mix(m.options.Seed+uint64(p.stratum)<<32)
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
