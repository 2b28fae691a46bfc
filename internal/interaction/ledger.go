package interaction

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// A ledger is the panes of a window, lined up: the words of one follow those of
// the other, and a position is a bit in them. It says for every cell to which
// stratum it belongs and what its observations count.
type ledger struct {
	catalog *catalog
	panes   []*pane
	margins []margin // by condition
	begins  []int    // the word at which each pane begins, and the end
	at      []uint16 // by word: its pane
	words   int
	width   int // of a row (see question)
	cells   []berth
	spots   []spot
	runs    []run
	bad     [][]uint64 // binary digits of the failures of each position
	fine    [][]uint64 // and of the successes
	half    []uint64   // rows of a random half of the entries, and of all
	filled  []uint64
	failing []failed
	fails   []int // where those of each pane begin, and the end

	chunks   []chunk
	pieces   []piece
	halfway  int  // the chunk at which the second half begins
	astride  int  // the cell that lies in both halves of the chunks, or -1
	differ   bool // successes of some cell do not weigh the same
	counters [2]counter

	ticks int // buckets of time

	strata    int
	locations []int32          // the location of each stratum
	buckets   []int64          // the first bucket of time of each
	until     []int64          // and the last
	near      []int32          // see neighbour
	factors   []float64        // what the factor of its cells is, by stratum
	places    [][]condition.ID // the location conditions, by location
	total     int64            // observations
	failed    int64            // of them
	requests  float64          // that the observations stand for
	entries   int64
	typical   float64 // what a success weighs
	timed     bool    // rows have times
}

// A berth is where a cell lies in the ledger.
type berth struct {
	pane     int
	cell     *cell
	from, to int // positions
	tick     int // the bucket of time
	location int32
	stratum  int32
	// factor turns the weight of a success into what it counts in tests.
	factor float64
	each   float64 // see cell
}

// A spot is what adding up a cell takes. They are in the order of strata.
type spot struct {
	cell, stratum int32
	each          float64
}

// A run is neighbouring cells in which every success weighs the same.
type run struct {
	from, to int // positions
	each     float64
}

// line lines up panes, ascending by their start.
func (l *ledger) line(c *catalog, panes []*pane, bucket int64) {
	l.catalog, l.panes = c, panes
	l.begins = l.begins[:0]
	l.words, l.total, l.failed, l.entries = 0, 0, 0, 0
	digits, failing := [2]int{}, 0
	for _, p := range panes {
		l.begins = append(l.begins, l.words)
		l.words += p.words
		l.total, l.failed, l.entries = l.total+p.total, l.failed+p.failed, l.entries+int64(len(p.entries))
		failing += len(p.failing)
		digits[0], digits[1] = max(digits[0], len(p.bad)), max(digits[1], len(p.fine))
	}
	l.begins = append(l.begins, l.words)
	l.bad, l.fine = growRows(l.bad, digits[0], l.words), growRows(l.fine, digits[1], l.words)
	l.width = l.words + (failing+63)/64
	l.half, l.filled, l.at = reuse.Clear(l.half, l.width), reuse.Clear(l.filled, l.width), reuse.Clear(l.at, l.words)
	l.cells, l.differ, l.ticks = l.cells[:0], false, 0
	for i, p := range panes {
		from, to := l.begins[i], l.begins[i+1]
		for d := range p.bad {
			copy(l.bad[d][from:to], p.bad[d])
		}
		for d := range p.fine {
			copy(l.fine[d][from:to], p.fine[d])
		}
		copy(l.half[from:to], p.half)
		for w := from; w < to; w++ {
			l.at[w] = uint16(i)
			l.filled[w] = popcount.Below(len(p.entries) - (w-from)*64)
		}
		if i == 0 || floor(p.start, bucket) != floor(panes[i-1].start, bucket) {
			l.ticks++
		}
		for j := range p.cells {
			c := &p.cells[j]
			l.cells = append(l.cells, berth{pane: i, cell: c, from: from*64 + c.from, to: from*64 + c.to, each: c.each, tick: l.ticks - 1})
			l.differ = l.differ || c.each == differ
		}
	}
	l.fail()
	l.divide()
	l.locate()
	l.stratify(bucket)
	l.neighbour()
	l.weigh()
	l.arrange()
}

// arrange lists the cells in the order of their strata.
func (l *ledger) arrange() {
	next := make([]int32, l.strata+1) // by stratum: where its next cell goes
	for i := range l.cells {
		next[l.cells[i].stratum+1]++
	}
	for s := range l.strata {
		next[s+1] += next[s]
	}
	l.spots = reuse.Room(l.spots, len(l.cells))
	for i := range l.cells {
		b := &l.cells[i]
		l.spots[next[b.stratum]] = spot{int32(i), b.stratum, b.each}
		next[b.stratum]++
	}
}

// A failed entry is one of a pane, with where it lies in the ledger.
type failed struct {
	at, cell int32
	slot     int32 // where it is counted (see divide)
	n        int64
	*failing
}

// fail lists the entries that failed.
func (l *ledger) fail() {
	l.failing, l.fails = l.failing[:0], l.fails[:0]
	c := int32(0)
	for i, p := range l.panes {
		l.fails = append(l.fails, len(l.failing))
		for j := range p.failing {
			f := &p.failing[j]
			at := int32(l.begins[i]*64) + f.entry
			for l.cells[c].to <= int(at) {
				c++
			}
			l.failing = append(l.failing, failed{at: at, cell: c, n: f.failed, failing: f})
		}
	}
	l.fails = append(l.fails, len(l.failing))
	l.repeat(l.half, 0, len(l.failing))
	l.repeat(l.filled, 0, len(l.failing))
}

// repeat repeats the bits of some of the entries that failed, from one to before
// another, after those of all positions, where a row has zeros. Of neighbours both may
// be repeated at the same time, though they share a word.
func (l *ledger) repeat(row []uint64, from, to int) {
	for i := from; i < to; {
		w, bits := i/64, uint64(0)
		for ; i < to && i/64 == w; i++ {
			at := l.failing[i].at
			bits |= row[at/64] >> (at % 64) & 1 << (i % 64)
		}
		atomic.OrUint64(&row[l.words+w], bits)
	}
}

// locate numbers the locations: each combination of location conditions that a
// row has. Those with few observations are one location together, the last.
func (l *ledger) locate() {
	type place struct {
		ids   []condition.ID
		total int
	}
	var known []place
	first := make([]int32, len(l.cells))
	numbers := make(map[string]int32)
	single := make(map[condition.ID]int32)
	var key []byte
	for i := range l.cells {
		c := l.cells[i].cell
		var n int32
		var ok bool
		if len(c.place) == 1 {
			n, ok = single[c.place[0]]
		} else {
			key = key[:0]
			for _, id := range c.place {
				key = binary.BigEndian.AppendUint32(key, uint32(id))
			}
			n, ok = numbers[string(key)]
		}
		if !ok {
			n = int32(len(known))
			known = append(known, place{ids: c.place})
			if len(c.place) == 1 {
				single[c.place[0]] = n
			} else {
				numbers[string(key)] = n
			}
		}
		first[i] = n
		known[n].total += c.observations
	}
	var thick []int32
	for n := range known {
		if len(known[n].ids) == 0 && len(known) == 1 {
			break // there are no places
		}
		if known[n].total >= thinStratum {
			thick = append(thick, int32(n))
		}
	}
	slices.SortFunc(thick, func(a, b int32) int { return slices.Compare(known[a].ids, known[b].ids) })
	number := slices.Repeat([]int32{int32(len(thick))}, len(known))
	l.places = l.places[:0]
	for i, n := range thick {
		number[n] = int32(i)
		l.places = append(l.places, known[n].ids)
	}
	l.places = append(l.places, nil) // the others
	for i, n := range first {
		l.cells[i].location = number[n]
	}
}

// weigh sets what successes count in tests. Within a stratum their weights are
// scaled so that they add up to Kish's effective number, which for equal weights
// is how many there are: the retrospective test, valid however many successes
// were sampled away.
func (l *ledger) weigh() {
	w, w2 := make([]float64, l.strata), make([]float64, l.strata)
	var all, count float64
	for i := range l.cells {
		c := &l.cells[i]
		w[c.stratum] += c.cell.w
		w2[c.stratum] += c.cell.w2
		all, count = all+c.cell.w, count+float64(c.cell.ok)
	}
	l.requests = float64(l.failed) + all/weightUnit
	l.typical = 1
	if count > 0 {
		l.typical = all / count / weightUnit
	}
	l.runs, l.factors = l.runs[:0], reuse.Clear(l.factors, l.strata)
	for i := range l.cells {
		c := &l.cells[i]
		if w2[c.stratum] > 0 {
			c.factor = w[c.stratum] / w2[c.stratum]
			l.factors[c.stratum] = c.factor
		}
		n := len(l.runs)
		if n > 0 && c.each != differ && (l.runs[n-1].each == c.each || c.each == 0 || l.runs[n-1].each == 0) {
			l.runs[n-1].to = c.to
			l.runs[n-1].each = max(l.runs[n-1].each, c.each)
			continue
		}
		l.runs = append(l.runs, run{c.from, c.to, c.each})
	}
}

// entry returns the entry at a position.
func (l *ledger) entry(position int) *entry {
	p := l.at[position/64]
	return &l.panes[p].entries[position-l.begins[p]*64]
}
