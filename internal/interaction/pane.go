package interaction

import (
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/reuse"
)

// A pane is a short stretch of time, laid out for counting: its distinct rows,
// and for each condition which of them have it. It never changes once it is
// made, so that a window of many panes is had by lining them up.
type pane struct {
	start   int64 // nanoseconds since 1970; 0 in a table without times
	seed    uint64
	entries []entry
	cells   []cell // in the order of their entries
	columns []column
	ids     []condition.ID // of the columns, ascending
	words   int            // of bits, one bit an entry
	bad     [][]uint64     // binary digits of the entries' failures, the lowest first
	fine    [][]uint64     // and of their successes
	half    []uint64       // a random half of the entries
	// drawn lists the entries by the leading zeros of their lot, most first;
	// those with at least n of them end at upTo[n].
	drawn []drawn
	upTo  [lots + 1]int
	// first is the conditions of the first of them, one after the other; those of
	// the i-th end at ends[i].
	first   []condition.ID
	ends    []uint32
	failing []failing
	met     []encounter
	total   int64 // observations
	failed  int64 // of them
}

// A cell is one place in one pane: a run of entries.
type cell struct {
	place    []condition.ID // the location conditions
	from, to int            // entries
	thickness
	sum
	// heaviest is the most that the successes of an entry weigh.
	heaviest float64
	// each is what every success weighs, in 1/64: 0 if there is none, and differ
	// if they are not all the same.
	each float64
	met  []encounter
}

// A column is a condition in a pane.
type column struct {
	id condition.ID
	margin
	// Which entries have it: as bits, or as a list where that is shorter.
	bits []uint64
	list []uint32
}

// column returns the column of a condition, nil if no entry has it.
func (p *pane) column(id condition.ID) *column {
	i, ok := slices.BinarySearch(p.ids, id)
	if !ok {
		return nil
	}
	return &p.columns[i]
}

// weightUnit is the precision to which weights are kept.
const weightUnit = 64

// differ stands for weights that are not all the same.
const differ = -1

// A paneBuilder makes panes. It keeps what it works with from one to the next.
type paneBuilder struct {
	catalog *catalog
	seed    uint64
	hashes  []uint64       // by row: of its conditions
	group   []int32        // by row: its place and slice
	slot    []int32        // by condition: its column, if it has one
	ids     []condition.ID // by column
	having  []int32        // by condition: how many rows with observations have it
	places  map[string]int32
	lookup  []int32 // by condition: the place of that condition alone, plus one
	start   []int
	order   []int32
	numbers []int32 // by row, in order: its entry
	slots   []int32 // of the hash table of a cell
	block   block
	shelves []shelf // by column
	some    []int32 // columns that a slice has, each once
	met     []meeting
	entered []int32 // entities that a block met, each once, plus one
	visited []int32 // and a slice
	ofCell  encounters
	ofPane  encounters
}

func newPaneBuilder(c *catalog, seed uint64) *paneBuilder {
	return &paneBuilder{catalog: c, seed: seed, places: make(map[string]int32)}
}

// build lays out the rows of one pane, which starts at start and is width long,
// in nanoseconds; a width of 0 says that rows have no times. Rows keep the
// Conditions that they are given.
func (b *paneBuilder) build(start, width int64, rows []Row) *pane {
	p := &pane{start: start, seed: mix(b.seed ^ mix(uint64(start)))}
	places := b.read(rows)
	b.slice(start, width, rows, len(places))
	members, begins := b.sort(len(rows), len(places)*mostSlices)
	p.cells = make([]cell, len(places))
	b.numbers = reuse.Room(b.numbers, len(rows))
	n := 0
	for i, place := range places {
		from, to := begins[i*mostSlices], begins[(i+1)*mostSlices]
		p.cells[i] = cell{place: place, from: n}
		n = b.number(n, rows, members[from:to], b.numbers[from:to])
		p.cells[i].to = n
	}
	p.entries = make([]entry, n)
	for i := range p.cells {
		from, to := begins[i*mostSlices], begins[(i+1)*mostSlices]
		b.merge(p, &p.cells[i], rows, members[from:to], b.numbers[from:to])
	}
	words, lists := b.allot(p)
	for i := range p.cells {
		next := p.cells[i].from // the first entry that no row has been of
		for at := i * mostSlices; at < (i+1)*mostSlices; at++ {
			from, to := begins[at], begins[at+1]
			next = b.lay(p, words, lists, rows, members[from:to], b.numbers[from:to], next)
		}
		p.cells[i].met = b.ofCell.take()
	}
	p.met = b.ofPane.take()
	b.finish(p, words, lists)
	return p
}
