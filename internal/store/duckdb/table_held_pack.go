package duckdb

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// A heldColumn is what the words of a column mean in a query of all lines: bits of
// a code, or conditions that hold.
type heldColumn struct {
	column int
	bits   []uint64               // by word
	full   func(x float64) uint64 // of numbers in full, instead; nil without them
}

// of returns the bits of a line.
func (c *heldColumn) of(b *heldBlock, line int) uint64 {
	if c.full != nil {
		if x := b.numbers[c.column][line]; !math.IsNaN(x) {
			return c.full(x)
		}
	}
	return c.bits[b.words[c.column].at(line)]
}

// packHeld is tableReader.packedSQL, and fetch: it picks the lines that are mined
// and adds up those that are alike.
func (r *tableReader) packHeld(ctx context.Context, bucket time.Duration) error {
	columns := make([][]heldColumn, r.packed.words)
	for _, i := range r.offered() {
		c := &r.columns[i]
		if c.number && !c.many {
			if err := r.readNumbers(ctx, i); err != nil {
				return err
			}
		}
		f := r.packed.fields[i]
		coded := heldColumn{column: i, bits: r.wordCodes(i)}
		for n := range coded.bits {
			coded.bits[n] <<= f.shift
		}
		if c.many {
			coded.full = func(x float64) uint64 { return c.partOf(x) << f.shift }
		}
		columns[f.word] = append(columns[f.word], coded)
	}
	pick := r.picker(bucket)
	for _, p := range inParts(r.held, func(blocks []heldBlock) (p packedRows) {
		for k := range blocks {
			p.pack(&blocks[k], columns, bucket, pick)
		}
		return p
	}) {
		r.packed.rows = append(r.packed.rows, p.rows...)
		r.packed.codes = append(r.packed.codes, p.codes...)
	}
	r.packed.group()
	return nil
}

// pack adds the lines of a block that are picked, the columns of each word as they
// are given.
func (p *packedRows) pack(b *heldBlock, columns [][]heldColumn, bucket time.Duration, pick func(n, moment, failed int64) float64) {
	for line, total := range b.total {
		if total == 0 {
			continue
		}
		weight := pick(b.first+int64(line), b.moment[line], b.failed[line])
		if weight == 0 {
			continue
		}
		if b.stands != nil && b.failed[line] < total {
			weight *= float64(b.stand(line)) / weightUnit
		}
		p.rows = append(p.rows, packedRow{bucketOf(b.moment[line], bucket), weight, total, b.failed[line]})
		for _, list := range columns {
			var word uint64
			for i := range list {
				word |= list[i].of(b, line)
			}
			p.codes = append(p.codes, word)
		}
	}
}

// group sorts the rows, and makes those that are alike one.
func (p *packedRows) group() {
	wordsOf := func(row int) []uint64 { return p.codes[row*p.words : (row+1)*p.words] }
	compare := func(a, b int) int {
		x, y := &p.rows[a], &p.rows[b]
		if x.bucket != y.bucket {
			return cmp.Compare(x.bucket, y.bucket)
		}
		return cmp.Or(slices.Compare(wordsOf(a), wordsOf(b)), cmp.Compare(x.weight, y.weight))
	}
	order := make([]int, len(p.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, compare)
	rows, codes := make([]packedRow, 0, len(p.rows)), make([]uint64, 0, len(p.codes))
	for i, row := range order {
		if i > 0 && compare(order[i-1], row) == 0 {
			last := &rows[len(rows)-1]
			last.total += p.rows[row].total
			last.failed += p.rows[row].failed
			continue
		}
		rows, codes = append(rows, p.rows[row]), append(codes, wordsOf(row)...)
	}
	p.rows, p.codes = rows, codes
}

// picker is tableReader.pickSQL: it returns a function that says for how many
// lines one stands that is picked; 0 if it is not.
func (r *tableReader) picker(bucket time.Duration) func(n, moment, failed int64) float64 {
	if !r.sampled() {
		return func(int64, int64, int64) float64 { return 1 }
	}
	s := r.rates()
	of := make(map[int64]rate, len(s.others))
	for _, rate := range s.others {
		of[rate.bucket] = rate
	}
	return func(n, moment, failed int64) float64 {
		draw := float64(drawOf(n, r.src.Seed))
		if failed > 0 {
			if draw < s.failing {
				return 1
			}
			return 0
		}
		if draw >= s.highest {
			return 0
		}
		at := s.others[0]
		if len(s.others) > 1 {
			at = of[bucketOf(moment, bucket)]
		}
		if draw < at.below {
			return at.weight
		}
		return 0
	}
}

// drawOf is the draw of a line as pickSQL has it, with DuckDB's hash of a number.
func drawOf(n int64, seed uint64) uint64 {
	hash := func(x uint64) uint64 {
		for range 2 {
			x ^= x >> 32
			x *= 0xd6e8feb86659fd93
		}
		return x ^ x>>32
	}
	return hash(hash(uint64(n))^seed) & (draws - 1)
}

// countKindsHeld is tableReader.countKinds.
func (r *tableReader) countKindsHeld(c choice, bucket time.Duration) []lineKind {
	counted := make(map[int]*heldColumn)
	var columns []*heldColumn
	for bit, id := range c.ids {
		m := r.meanings[id]
		h := counted[m.column]
		if h == nil {
			h = &heldColumn{column: m.column, bits: make([]uint64, len(r.held.words[m.column].list))}
			counted[m.column] = h
			columns = append(columns, h)
		}
		r.addMeaning(h, m, 1<<bit)
	}
	var place []uint64
	if e := r.entry(); e != nil && e.left == "" {
		place = r.wordCodes(r.entryColumn)
	}
	all := make(kindCounts)
	for _, part := range inParts(r.held, func(blocks []heldBlock) kindCounts {
		kinds := make(kindCounts)
		for k := range blocks {
			b := &blocks[k]
			for line, total := range b.total {
				if total == 0 {
					continue
				}
				kind := lineKind{bucket: bucketOf(b.moment[line], bucket)}
				for _, h := range columns {
					kind.held |= h.of(b, line)
				}
				if place != nil {
					kind.place = place[b.words[r.entryColumn].at(line)]
				}
				kinds.of(kind).add(total, b.failed[line], b.stand(line))
			}
		}
		return kinds
	}) {
		for kind, c := range part {
			all.of(kind).plus(c)
		}
	}
	return all.sorted()
}

// Kind counts are how many there are of kinds of lines, which have no counts.
type kindCounts map[lineKind]*kindCount

// A kindCount is how many lines there are of a kind, and what they weigh.
type kindCount struct {
	total, failed  int64
	units, squares wide
}

// of returns the count of a kind, 0 if there was none.
func (k kindCounts) of(kind lineKind) *kindCount {
	c := k[kind]
	if c == nil {
		c = new(kindCount)
		k[kind] = c
	}
	return c
}

// add adds a line.
func (c *kindCount) add(total, failed, stands int64) {
	c.total += total
	c.failed += failed
	if stands == 0 {
		return
	}
	n, each := uint64(total-failed), uint64(stands)
	c.units.add(n, each)
	c.squares.add(n, each*each)
}

func (c *kindCount) plus(o *kindCount) {
	c.total += o.total
	c.failed += o.failed
	c.units.plus(o.units)
	c.squares.plus(o.squares)
}

func (k kindCounts) sorted() []lineKind {
	list := make([]lineKind, 0, len(k))
	for kind, c := range k {
		kind.total, kind.failed = c.total, c.failed
		kind.units, kind.squares = c.units.float(), c.squares.float()
		list = append(list, kind)
	}
	slices.SortFunc(list, func(a, b lineKind) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.held, b.held), cmp.Compare(a.place, b.place))
	})
	return list
}

// addMeaning sets the bit of each word of the column that has what m says.
func (r *tableReader) addMeaning(h *heldColumn, m meaning, bit uint64) {
	within := func(x float64) bool { return x > m.within.low && x <= m.within.high }
	for n, word := range r.held.words[m.column].list {
		holds := false
		switch {
		case m.state == nil:
			holds = r.held.numbers[m.column] != nil && within(r.held.numbers[m.column][n])
		case m.state.empty:
			holds = n == 0
		default:
			holds = n > 0 && !word.rounded && word.text == m.state.value
		}
		if holds {
			h.bits[n] |= bit
		}
	}
	if before := h.full; m.state == nil && r.columns[m.column].many {
		h.full = func(x float64) uint64 {
			var bits uint64
			if before != nil {
				bits = before(x)
			}
			if within(x) {
				bits |= bit
			}
			return bits
		}
	}
}
