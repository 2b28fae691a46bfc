package interaction

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync/atomic"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/telemetry"
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
	l.half, l.filled, l.at = grow(l.half, l.width), grow(l.filled, l.width), grow(l.at, l.words)
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
			l.filled[w] = below(len(p.entries) - (w-from)*64)
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
	l.spots = room(l.spots, len(l.cells))
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

// growRows returns n rows of so many zeros in the room of rows.
func growRows(rows [][]uint64, n, words int) [][]uint64 {
	for len(rows) < n {
		rows = append(rows, nil)
	}
	rows = rows[:n]
	for i := range rows {
		rows[i] = grow(rows[i], words)
	}
	return rows
}

// below is a word with its lowest n bits set; all of them if n is 64 or more.
func below(n int) uint64 {
	switch {
	case n >= 64:
		return ^uint64(0)
	case n <= 0:
		return 0
	}
	return 1<<n - 1
}

// between is the part of word w that lies in positions from to before to.
func between(w, from, to int) uint64 { return below(to-w*64) &^ below(from-w*64) }

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

// stratify makes strata: each location by buckets of time, where neighbours too
// thin to stand alone are merged.
func (l *ledger) stratify(bucket int64) {
	l.strata, l.locations = 0, l.locations[:0]
	l.buckets, l.until = l.buckets[:0], l.until[:0]
	per := make([][]int, len(l.places)) // cells of each location, by time
	for i := range l.cells {
		at := l.cells[i].location
		per[at] = append(per[at], i)
	}
	var stretches []stretch
	for location, list := range per {
		stretches = stretches[:0]
		for _, i := range list {
			at := floor(l.panes[l.cells[i].pane].start, bucket)
			if n := len(stretches); n == 0 || stretches[n-1].bucket != at {
				stretches = append(stretches, stretch{bucket: at})
			}
			s := &stretches[len(stretches)-1]
			s.cells = append(s.cells, i)
			s.thickness = s.plus(l.cells[i].cell.thickness)
		}
		l.mergeThin(int32(location), stretches)
	}
}

// floor is the multiple of width at or below x, in widths.
func floor(x, width int64) int64 {
	if width <= 0 {
		return 0
	}
	q := x / width
	if x%width < 0 {
		q--
	}
	return q
}

// A stretch is the cells of one location in one bucket of time.
type stretch struct {
	bucket int64
	cells  []int
	thickness
}

// mergeThin makes strata of the stretches of a location, ascending. A stratum
// takes stretches until it is thick enough, and the rest of the location too if
// that would be too thin.
func (l *ledger) mergeThin(location int32, list []stretch) {
	for i := 0; i < len(list); {
		var n, rest thickness
		j := i
		for ; j < len(list) && n.thin(); j++ {
			n = n.plus(list[j].thickness)
		}
		end := j
		for ; end < len(list) && rest.thin(); end++ {
			rest = rest.plus(list[end].thickness)
		}
		if rest.thin() {
			j = end
		}
		for _, s := range list[i:j] {
			for _, c := range s.cells {
				l.cells[c].stratum = int32(l.strata)
			}
		}
		l.locations = append(l.locations, location)
		l.buckets, l.until = append(l.buckets, list[i].bucket), append(l.until, list[j-1].bucket)
		l.strata++
		i = j
	}
}

// A thickness is how much there is in a part of the traffic.
type thickness struct{ observations, rows int }

func (n *thickness) add(r *Row) {
	if r.Total > 0 {
		*n = thickness{n.observations + r.Total, n.rows + 1}
	}
}

func (n thickness) plus(o thickness) thickness {
	return thickness{n.observations + o.observations, n.rows + o.rows}
}

// thin reports whether it is too little to stand alone.
func (n thickness) thin() bool { return n.observations < thinStratum || n.rows < fewInStratum }

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
	l.runs, l.factors = l.runs[:0], grow(l.factors, l.strata)
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

// A sum is what some entries count.
type sum struct {
	failed, ok int64
	w, w2      float64 // of successes, for risks, in the unit of weights
	units      float64 // of successes, in tests; only in sums by stratum
}

func (s *sum) add(e *entry) {
	s.failed += e.failed
	s.ok += e.ok
	s.w += e.weight
	s.w2 += e.weight2
}

func (s sum) plus(o sum) sum {
	return sum{s.failed + o.failed, s.ok + o.ok, s.w + o.w, s.w2 + o.w2, s.units + o.units}
}

func (s sum) minus(o sum) sum {
	d := sum{s.failed - o.failed, s.ok - o.ok, s.w - o.w, s.w2 - o.w2, s.units - o.units}
	if d.ok == 0 {
		d.units = 0 // and not what rounding leaves
	}
	return d
}

// total is how many observations there are.
func (s sum) total() int64 { return s.failed + s.ok }

// risk is the share that failed.
func (s sum) risk(typical float64) proportion {
	return risk(float64(s.failed), s.w/weightUnit, s.w2/weightUnit/weightUnit, typical)
}

// count adds to s what the positions v of word w count; each is what every
// success there weighs. What follows from the number of successes, settle adds.
func (l *ledger) count(s *sum, v uint64, w int, each float64) {
	if v == 0 {
		return
	}
	if each == differ {
		for ; v != 0; v &= v - 1 {
			s.add(l.entry(w*64 + bits.TrailingZeros64(v)))
		}
		return
	}
	for d, plane := range l.bad {
		s.failed += int64(bits.OnesCount64(v&plane[w])) << d
	}
	for d, plane := range l.fine {
		s.ok += int64(bits.OnesCount64(v&plane[w])) << d
	}
}

// settle completes the sum of a part in which every success weighs as much,
// unless they differ: then count has done it.
func (s *sum) settle(each float64) {
	if each != differ {
		s.w, s.w2 = float64(s.ok)*each, float64(s.ok)*each*each
	}
}

// tally adds up the positions of a mask, whatever their stratum.
func (l *ledger) tally(mask []uint64) sum {
	return l.both(mask, mask)
}

// both adds up the positions that are in two masks.
func (l *ledger) both(a, b []uint64) sum {
	var all sum
	for _, r := range l.runs {
		var s sum
		from, to := r.from/64, r.to/64
		if r.from%64 != 0 || r.each == differ || to-from < 8 {
			for w := from; w*64 < r.to; w++ {
				if v := a[w] & b[w]; v != 0 {
					l.count(&s, v&between(w, r.from, r.to), w, r.each)
				}
			}
		} else {
			s = l.span(a[from:to], b[from:to], from)
			if r.to%64 != 0 {
				l.count(&s, a[to]&b[to]&between(to, r.from, r.to), to, r.each)
			}
		}
		s.settle(r.each)
		all = all.plus(s)
	}
	return all
}

// span counts the failures and successes of whole words, from word first on, that
// are in two masks.
func (l *ledger) span(a, b []uint64, first int) sum { return inBoth(l.bad, l.fine, first, a, b) }

// inBoth counts what is in two masks, of which word first is where they begin, given
// the binary digits of failures and of successes.
func inBoth(bad, fine [][]uint64, first int, a, b []uint64) (s sum) {
	for d, plane := range bad {
		s.failed += popcount.Common(a, b, plane[first:]) << d
	}
	for d, plane := range fine {
		s.ok += popcount.Common(a, b, plane[first:]) << d
	}
	return s
}

// weight is what the successes at a position of a cell weigh.
func (l *ledger) weight(at int32, b *berth) float64 {
	if b.each == differ {
		return l.entry(int(at)).weight
	}
	var ok uint64
	for d, plane := range l.fine {
		ok |= plane[at/64] >> (at % 64) & 1 << d
	}
	return float64(ok) * b.each
}

// has reports whether a row has the bit of a position.
func has(row []uint64, at int32) bool { return row[at/64]>>(at%64)&1 == 1 }

// anyDigit is the positions of word w at which the digits are not all zero.
func anyDigit(digits [][]uint64, w int) (v uint64) {
	for _, plane := range digits {
		v |= plane[w]
	}
	return v
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
